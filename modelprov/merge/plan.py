"""Plans a merge: which bytes of which model make each tensor of the output, by which rule. Reads headers only.

Every tensor of every model is merged, copied by a stated rule, left out by a rule the recipe states, or an error:

* a tensor that all models have (by canonical name and shape) is merged;
* one that only the base (or, without a base, the first model) has is copied from it, bit for bit, and said aloud;
* anything else that is not everywhere is an error, unless `modelprov: {missing: copy}` or `{missing: drop}`;
* layers outside the ranges of `slices` are left out, and counted;
* integers and other formats that cannot be computed with are copied from the base (or first model).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from modelprov.checkpoints.layouts.quantised import refuse_quantised
from modelprov.checkpoints.types import Checkpoint, TensorView
from modelprov.errors import UsageError
from modelprov.merge.collector import paused
from modelprov.merge.methods import ARITHMETICS, METHODS
from modelprov.merge.methods.interface import PRESETS, Method
from modelprov.merge.methods.steps import torch_installed
from modelprov.merge.recipe import Recipe
from modelprov.merge.settings import Settings, check_settings
from modelprov.recipes.arithmetics import DESCRIPTIONS

DEFAULT_ARITHMETIC = PRESETS[-1]


@dataclass(frozen=True, slots=True)
class Piece:
    """Consecutive elements of an output tensor, from element `first`: one view for each of its inputs."""

    first: int
    count: int
    views: tuple[TensorView, ...]
    settings: Settings


@dataclass(frozen=True, slots=True)
class Copy:
    """Bytes that are taken as they are."""

    checkpoint: int
    shard: int
    start: int


@dataclass(frozen=True, slots=True)
class Planned:
    """One tensor of the output: merged from `pieces` of the checkpoints numbered `inputs`, or copied.

    `format` is its safetensors dtype. The base comes last among the inputs when the method uses one.
    """

    name: str
    format: str
    shape: tuple[int, ...]
    size: int
    inputs: tuple[int, ...] = ()
    pieces: tuple[Piece, ...] = ()
    copy: Copy | None = None


@dataclass(frozen=True, eq=False)
class MergePlan:
    """A merge, ready to be computed. `layout` is the checkpoint whose names, order, config and side files it takes.

    `notes` are sentences: what was copied or left out, by which rule.
    """

    recipe: Recipe
    method: Method
    arithmetic: str
    checkpoints: tuple[Checkpoint, ...]
    layout: int
    uses_base: bool
    tensors: tuple[Planned, ...]
    notes: tuple[str, ...]
    layers: tuple[int, ...] | None = None

    @property
    def bytes(self) -> int:
        """Bytes of all tensors of the output."""
        return sum(tensor.size for tensor in self.tensors)

    @property
    def elementwise(self) -> bool:
        """Whether any block of a tensor can be computed alone."""
        return self.method.elementwise and not self.method.random


def plan_merge(recipe: Recipe, opened: Mapping[str, Checkpoint]) -> MergePlan:
    """Plan a recipe over its models, opened by location.

    Raises `UsageError` for what the recipe says wrongly, `MergeError` for models that do not fit together.
    """
    from modelprov.merge.assembling import Assembly

    method, arithmetic = check_recipe(recipe)
    checkpoints = tuple(opened[where] for where in recipe.locations)
    for checkpoint in checkpoints:
        refuse_quantised(checkpoint)
    with paused():
        return Assembly(recipe, method, arithmetic, checkpoints).plan()


def check_recipe(recipe: Recipe) -> tuple[Method, str]:
    """The method and the arithmetic of a recipe that is right in itself, before anything is read; else `UsageError`."""
    method = method_of(recipe)
    check_settings(recipe, method)
    return method, arithmetic_of(recipe, method)


def method_of(recipe: Recipe) -> Method:
    """The method by its name, and whether the recipe has as many models as it takes; raises `UsageError`."""
    method = METHODS.get(recipe.merge_method)
    if method is None:
        raise UsageError(
            f"there is no merge method {recipe.merge_method!r}; known: {', '.join(METHODS)}", "Correct merge_method."
        )
    base = recipe.base_model
    if method.needs_base and base is None:
        raise UsageError(f"{method.name} needs base_model", "Add `base_model:` with the location of the common base.")
    for sources in [recipe.models] if recipe.models else [one.sources for one in recipe.slices]:
        count = sum(not (uses_base(recipe, method) and one.model == base) for one in sources)
        beside = " beside the base" if uses_base(recipe, method) else ""
        if count < method.fewest or (method.most is not None and count > method.most):
            most = f" to {method.most}" if method.most != method.fewest else ""
            wanted = f"{method.fewest}{most if method.most is not None else ' or more'}"
            raise UsageError(f"{method.name} merges {wanted} models{beside}, the recipe names {count}", "Correct it.")
    return method


def without_torch(method: Method, arithmetic: str) -> tuple[str, ...]:
    """What to say where a preset takes steps from torch (`methods.torch_steps`) and torch is not installed."""
    whole = not method.elementwise and not method.random
    if arithmetic not in PRESETS or not whole or torch_installed():
        return ()
    return (f"torch is not installed: last bits, and changes of equal size, may differ from those of {arithmetic}",)


def uses_base(recipe: Recipe, method: Method) -> bool:
    """Whether the base model is an input of its own."""
    return method.needs_base or (method.optional_base and recipe.base_model is not None)


def arithmetic_of(recipe: Recipe, method: Method) -> str:
    """The exact arithmetic by name, without the order of the models that `compare` adds; raises `UsageError`."""
    wanted = (recipe.modelprov.arithmetic or DEFAULT_ARITHMETIC).partition(" (")[0]
    known = list(ARITHMETICS)
    if method.name == "linear":
        known += [one.name for one in DESCRIPTIONS.values() if one.name not in known]
    if wanted not in known:
        raise UsageError(
            f"there is no arithmetic {wanted!r} for {method.name}; known: {', '.join(known)}",
            "Correct `modelprov: {arithmetic: ...}` or --arithmetic.",
        )
    return wanted
