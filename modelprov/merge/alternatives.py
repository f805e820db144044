"""The same recipe in every other arithmetic that applies: what else could have made a checkpoint. Computes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from modelprov.checkpoints.types import Checkpoint
from modelprov.merge.checking import arithmetic_of, method_of
from modelprov.merge.virtual import in_memory
from modelprov.recipes.arithmetics import DESCRIPTIONS, MEANS, OF_TWO, UNDIVIDED, Arithmetic
from modelprov.recipes.methods import ARITHMETICS
from modelprov.recipes.methods.interface import PRESETS
from modelprov.recipes.recipe import Recipe

WHOLE = 4 << 30


def alternatives(recipe: Recipe, opened: Mapping[str, Checkpoint]) -> Iterator[tuple[str, Checkpoint]]:
    """Each alternative by name, over the same open models; nothing for random methods.

    Methods that look at whole tensors have to compute each one again for a sample of it: they are tried in the presets
    and explicit arithmetics only where all models together have at most `WHOLE` bytes.
    """
    method = method_of(recipe)
    if method.random or recipe.experts:
        return
    own = arithmetic_of(recipe, method)
    names = [name for name in ARITHMETICS if name not in PRESETS]
    if not method.elementwise:
        if sum(shard.size for one in opened.values() for shard in one.shards) > WHOLE:
            return
        names = list(ARITHMETICS)
    if method.name == "linear":
        two = len(recipe.models) == 2
        names = [one.name for key, one in DESCRIPTIONS.items() if two or key not in OF_TWO]
    for name in names:
        if name != own:
            changed = _with(recipe, name, recipe.models)
            yield name, in_memory(changed, opened, name)
    if len(recipe.models) == 2 and method.name == "linear":
        first, second = reversed(recipe.models)
        name = f"{DESCRIPTIONS[Arithmetic.FLOAT32_FUSED].name}, models swapped"
        swapped = _with(recipe, DESCRIPTIONS[Arithmetic.FLOAT32_FUSED].name, (first, second))
        yield name, in_memory(swapped, opened, name)


def _with(recipe: Recipe, arithmetic: str, models: tuple[object, ...]) -> Recipe:
    parameters = dict(recipe.parameters)
    for arithmetics, normalize in ((UNDIVIDED, False), (MEANS, True)):
        if arithmetic in [DESCRIPTIONS[key].name for key in arithmetics]:
            parameters["normalize"] = normalize
    extension = recipe.modelprov.model_copy(update={"arithmetic": arithmetic})
    return recipe.model_copy(update={"modelprov": extension, "models": models, "parameters": parameters})
