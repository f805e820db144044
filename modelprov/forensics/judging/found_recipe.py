"""What the search found, as the recipe that `verify` and `merge` take. Words and numbers only; judges nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.forensics.judging.rows import Table
from modelprov.forensics.mixing import CandidateRecipe
from modelprov.forensics.search.weighted_sum import WeightedSum
from modelprov.recipes.arithmetics import EVERY_STEP, UNDIVIDED
from modelprov.recipes.recipe import Extension, Group, Recipe, SourceModel
from modelprov.recipes.tensor_groups import kind_of


def found_recipe(found: WeightedSum, best: CandidateRecipe, table: Table, locations: Sequence[str]) -> Recipe:
    """The weighted sum that was `found`, described as `best`, of the parents at `locations`, as a recipe.

    The models stand in the order in which the program adds them, with the weights of the largest group; what mergekit's
    keys cannot say (arithmetic, other groups, formats of single kinds) stands under `modelprov`.
    """
    labels = table.labels[1:]
    where = dict(zip(labels, locations, strict=True))
    weights = best.groups[0].weights
    stored_as, out_dtype = formats(table)
    ordered = [labels[parent] for parent in found.order]
    groups = tuple(
        Group(tensors=group.tensors, weights={where[label]: group.weights[label] for label in ordered})
        for group in best.groups
    )
    return Recipe(
        merge_method="linear",
        models=tuple(SourceModel(model=where[label], parameters={"weight": weights[label]}) for label in ordered),
        parameters={"normalize": found.arithmetic not in UNDIVIDED},
        dtype="bfloat16" if found.arithmetic in EVERY_STEP else "float32",
        out_dtype=out_dtype,
        modelprov=Extension(
            arithmetic=best.arithmetic,
            bit_equal=best.bit_equal,
            reference=where[ordered[-1]],
            stored_as=stored_as,
            groups=groups if len(groups) > 1 else (),
        ),
    )


def formats(table: Table) -> tuple[dict[str, str], str]:
    """The formats whose numbers the suspect holds: kinds of tensors that are not in the commonest, and that one.

    Not those it is stored in: bf16 numbers may have been stored as F32, or as F16 afterwards.
    """
    stored = set(table.formats)
    if len(stored) == 1:
        return {}, stored.pop().torch_name
    elements: Counter[DType] = Counter()
    kinds: dict[str, DType] = {}
    for tensor, dtype in zip(table.tensors, table.formats, strict=True):
        elements[dtype] += tensor.count
        kinds[kind_of(tensor.name)] = dtype
    most = elements.most_common(1)[0][0] if elements else DType.BF16
    return {kind: dtype.torch_name for kind, dtype in kinds.items() if dtype is not most}, most.torch_name
