"""Which layers of which models make which layers of the output: the recipe's slices, checked. Looks at names only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from modelprov.errors import UsageError
from modelprov.merge.checking import uses_base
from modelprov.merge.matching import Catalogue
from modelprov.recipes.methods.interface import Method
from modelprov.recipes.recipe import Recipe, Slice, SourceModel


@dataclass(frozen=True)
class Role:
    """A model in one slice: its catalogue and the first of its layers there."""

    source: SourceModel
    catalogue: Catalogue
    first_layer: int


@dataclass(frozen=True)
class Stretch:
    """One slice of the output: layers `first` to `first + length`, its models, and the one it is laid out as."""

    piece: Slice | None
    roles: tuple[Role, ...]
    layout: Role
    first: int
    length: int


def stretches_of(recipe: Recipe, method: Method, catalogues: Mapping[str, Catalogue]) -> list[Stretch]:
    """The slices of the output in order; a recipe with `models` has one, of all layers.

    The base comes last among the roles when the method uses one. Raises `UsageError` for slices that do not fit.
    """
    base, based = recipe.base_model, uses_base(recipe, method)
    if recipe.models:
        sources = [one for one in recipe.models if not (based and one.model == base)]
        roles = [Role(one, catalogues[one.model], 0) for one in sources]
        if based and base is not None:
            roles.append(Role(SourceModel(model=base), catalogues[base], 0))
        layout = next((role for role in roles if role.source.model == base), None)
        if layout is None and base is not None:
            raise UsageError(
                f"base_model {base} is not among the models, and {method.name} does not use it",
                "List it under `models` with a weight, or remove base_model.",
            )
        chosen = layout or roles[0]
        return [Stretch(None, tuple(roles), chosen, 0, chosen.catalogue.layers)]
    stretches, at = [], 0
    for number, piece in enumerate(recipe.slices):
        ranges = [one.layer_range or (0, 0) for one in piece.sources]
        lengths = {stop - start for start, stop in ranges}
        if len(lengths) != 1:
            raise UsageError(f"the sources of slice {number} have different numbers of layers", "Make them equal.")
        roles = [Role(one, catalogues[one.model], start) for one, (start, _) in zip(piece.sources, ranges, strict=True)]
        for role, (_, stop) in zip(roles, ranges, strict=True):
            if stop > role.catalogue.layers:
                raise UsageError(
                    f"slice {number} takes layers up to {stop} of {role.source.model}, "
                    f"which has {role.catalogue.layers}", "Correct layer_range; it is [first, last + 1].",
                )  # fmt: skip
        own = [role for role in roles if role.source.model == base]
        if based and not own:
            raise UsageError(f"slice {number} lacks the base model {base}", "List it among the sources.")
        if based:
            roles = [role for role in roles if role not in own] + own[:1]
        stretches.append(Stretch(piece, tuple(roles), own[0] if own else roles[0], at, lengths.pop()))
        at += stretches[-1].length
    return stretches
