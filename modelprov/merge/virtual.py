"""A recipe as a checkpoint: a merge that exists only on paper, whose bytes are computed when they are read.

Its shards are those that writing it would make, headers included: the digest of a virtual merge is the digest of the
written one. `compare`, `inspect` and `verify` run on it unchanged.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from modelprov.checkpoints.adapters.joining import base_and_adapter
from modelprov.checkpoints.formats.dtypes import DType
from modelprov.checkpoints.header import COMPARABLE
from modelprov.checkpoints.labels import unique_labels
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.remote.locations import is_remote
from modelprov.checkpoints.types import Checkpoint, RefusedTensor, Shard, TensorRef
from modelprov.collector import paused
from modelprov.errors import UsageError
from modelprov.foreign.shown import quoted
from modelprov.merge.checking import check_recipe
from modelprov.merge.config import merged_config
from modelprov.merge.plan import plan_merge
from modelprov.merge.planned import MergePlan
from modelprov.merge.source import DEFAULT_MEMORY, DEFAULT_SHARD, VirtualSource, plan_shards
from modelprov.recipes.reading import load
from modelprov.recipes.recipe import Recipe
from modelprov.recipes.suffixes import is_recipe


def virtual_checkpoint(
    plan: MergePlan, label: str, location: str, folder: Path, *,
    shard_size: int = DEFAULT_SHARD, memory: int = DEFAULT_MEMORY,
) -> Checkpoint:  # fmt: skip
    """The merge as a checkpoint; `folder` is where its files would lie (nothing is written)."""
    shards = plan_shards(plan.tensors, shard_size)
    tensors: dict[str, TensorRef] = {}
    refused: dict[str, RefusedTensor] = {}
    for number, shard in enumerate(shards):
        for tensor, start in zip(shard.tensors, shard.starts, strict=True):
            stop = start + tensor.size
            if tensor.format in COMPARABLE:
                ref = TensorRef(tensor.name, DType(tensor.format), tensor.shape, number, start, stop)
                tensors[tensor.name] = ref
            else:
                refused[tensor.name] = RefusedTensor(tensor.name, tensor.format, tensor.shape, number, start, stop)
    return Checkpoint(
        label=label,
        location=location,
        tensors=tensors,
        shards=tuple(Shard(shard.name, shard.size, hashlib.sha256(shard.header[8:]).hexdigest()) for shard in shards),
        source=VirtualSource(plan, shards, memory),
        config=merged_config(plan),
        metadata={"format": "pt"},
        refused=refused,
        notes=plan.notes,
        folder=folder,
    )


def open_models(recipe: Recipe, folder: Path | None = None, inside: tuple[str, ...] = ()) -> dict[str, Checkpoint]:
    """The recipe's models by location; a relative path is looked for here, then in `folder` (the recipe's).

    `inside` are the recipe files that this one is a model of, outermost first.
    """
    check_recipe(recipe)
    found: dict[str, Checkpoint] = {}
    with paused():
        for where, label in zip(recipe.locations, unique_labels(recipe.locations), strict=True):
            if where in recipe.recipes:
                found[where] = _named(recipe, where, label, folder, inside)
                continue
            there = os.path.exists(os.path.expanduser(where))
            beside = None if there or folder is None else folder / where
            if beside is not None and os.path.exists(beside):
                found[where] = open_any(str(beside), label, inside=inside)
                continue
            parts = None if there or folder is None else base_and_adapter(where, is_remote(where))
            placed = where if parts is None else "+".join(_beside(part, folder) for part in parts)
            found[where] = open_any(placed, label, inside=inside)
    return found


def _named(recipe: Recipe, name: str, label: str, folder: Path | None, inside: tuple[str, ...]) -> Checkpoint:
    """A model that is another recipe of the same file."""
    if name in inside:
        raise UsageError(f"the recipe {quoted(name)} is a model of itself: it is named by what it names", "Correct it.")
    own = recipe.recipes[name].model_copy(update={"recipes": recipe.recipes})
    plan = plan_merge(own, open_models(own, folder, (*inside, name)))
    return virtual_checkpoint(plan, label, name, folder or Path.cwd())


def _beside(location: str, folder: Path | None) -> str:
    """A relative path as it stands, or where only that is there, from the recipe's folder."""
    there = os.path.exists(os.path.expanduser(location))
    beside = None if there or folder is None else folder / location
    return str(beside) if beside is not None and os.path.exists(beside) else location


def open_any(
    location: str, label: str | None = None, memory: int = DEFAULT_MEMORY, inside: tuple[str, ...] = ()
) -> Checkpoint:
    """The checkpoint at `location`; a recipe file (.yml, .yaml) opens as the merge it describes, computed when read.

    Raises `UsageError` for a recipe that is a model of itself, by way of others or not.
    """
    path = Path(os.path.expanduser(location))
    if not is_recipe(location) or not os.path.isfile(path):
        return open_checkpoint(location, label)
    own = os.path.realpath(path)
    if own in inside:
        raise UsageError(
            f"the recipe {location} is a model of itself: it is named by what it names", "Correct the recipes."
        )
    recipe = load(path)
    plan = plan_merge(recipe, open_models(recipe, path.parent, (*inside, own)))
    return virtual_checkpoint(plan, label or path.stem, location, path.parent, memory=memory)


def plan_recipe(recipe: Recipe, folder: Path | None = None) -> MergePlan:
    """Open the models of a recipe and plan it."""
    return plan_merge(recipe, open_models(recipe, folder))


def in_memory(recipe: Recipe, opened: Mapping[str, Checkpoint], label: str) -> Checkpoint:
    """A recipe that is in no file, over models that are open already."""
    return virtual_checkpoint(plan_merge(recipe, opened), label, label, Path.cwd())
