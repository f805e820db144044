"""A recipe as a checkpoint: a merge that exists only on paper, whose bytes are computed when they are read.

Its shards are those that writing it would make, headers included: the digest of a virtual merge is the digest of the
written one. `compare`, `inspect` and `verify` run on it unchanged.
"""

from __future__ import annotations

import hashlib
import os
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from modelprov.checkpoints.adapters.joining import base_and_adapter
from modelprov.checkpoints.formats.dtypes import DType
from modelprov.checkpoints.header import COMPARABLE
from modelprov.checkpoints.header_entries import BITS
from modelprov.checkpoints.labels import unique_labels
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.remote.locations import is_remote
from modelprov.checkpoints.sources.interface import Piece, Range, one_after_another
from modelprov.checkpoints.types import Checkpoint, RefusedTensor, Shard, TensorRef
from modelprov.checkpoints.writing import OF, header
from modelprov.collector import paused
from modelprov.errors import TruncatedShardError, UsageError
from modelprov.merge.checking import check_recipe
from modelprov.merge.computing import Computer
from modelprov.merge.config import merged_config
from modelprov.merge.memory import Budget, Recent
from modelprov.merge.plan import plan_merge
from modelprov.merge.planned import MergePlan, Planned
from modelprov.recipes.reading import load
from modelprov.recipes.recipe import Recipe
from modelprov.recipes.suffixes import is_recipe

DEFAULT_MEMORY = 512 << 20
DEFAULT_SHARD = 5_000_000_000
HOLDING = 4  # float32 copies of a tensor that a method may make beside its inputs


@dataclass(frozen=True, eq=False)
class ShardPlan:
    """One file of the output: its name, its header, its tensors and the absolute offset at which each starts."""

    name: str
    header: bytes
    tensors: tuple[Planned, ...]
    starts: tuple[int, ...]
    size: int


def plan_shards(tensors: Sequence[Planned], shard_size: int = DEFAULT_SHARD) -> tuple[ShardPlan, ...]:
    """Files of at most `shard_size` bytes of tensors (one tensor at least), in the plan's order.

    Within a file wide formats come first, so that all data is aligned.
    """
    parts: list[list[Planned]] = []
    held = 0
    for tensor in tensors:
        if not parts or held + tensor.size > shard_size:
            parts.append([])
            held = 0
        parts[-1].append(tensor)
        held += tensor.size
    return tuple(_shard(part, number, len(parts)) for number, part in enumerate(parts, start=1))


def _shard(tensors: Sequence[Planned], number: int, shards: int) -> ShardPlan:
    ordered = sorted(tensors, key=lambda tensor: -BITS[tensor.format])
    head, starts = header(ordered), []
    at = len(head)
    for tensor in ordered:
        starts.append(at)
        at += tensor.size
    return ShardPlan(OF.format(number=number, shards=shards), head, tuple(ordered), tuple(starts), at)


class VirtualSource:
    """Computes the bytes of a merge; safe to use from many threads.

    With `only_finite`, an infinity or NaN that the merge makes of finite weights is a `NonFiniteOutputError`, also
    where it is made by a recipe that is a model of this one.
    """

    def __init__(
        self, plan: MergePlan, shards: Sequence[ShardPlan], memory: int = DEFAULT_MEMORY, *, only_finite: bool = False
    ) -> None:
        if only_finite:
            plan = replace(plan, checkpoints=tuple(_only_finite(one, memory) for one in plan.checkpoints))
        self._plan, self._shards = plan, shards
        self._computer = Computer(plan, only_finite=only_finite)
        self._budget = Budget(memory)
        self._recent = Recent(memory // 4)

    @property
    def models(self) -> tuple[Checkpoint, ...]:
        """What its bytes are computed from."""
        return self._plan.checkpoints

    @property
    def names(self) -> tuple[str, ...]:
        """The names that the files would have."""
        return tuple(shard.name for shard in self._shards)

    def place(self, shard: int) -> str:
        """The same: these files lie nowhere."""
        return self._shards[shard].name

    def size(self, shard: int) -> int:
        """Bytes that the file would have."""
        return self._shards[shard].size

    def versions(self) -> tuple[str, ...]:
        """Those of all models of the merge."""
        return tuple(version for model in self._plan.checkpoints for version in model.source.versions())

    def check_unchanged(self) -> None:
        """Raise `ChangedFileError` where a model of the merge is no longer what was opened."""
        for model in self._plan.checkpoints:
            model.source.check_unchanged()

    def close(self) -> None:
        """Close the models' sources."""
        for model in self._plan.checkpoints:
            model.source.close()

    def finite(self, memory: int) -> VirtualSource:
        """The same source with `only_finite`."""
        return VirtualSource(self._plan, self._shards, memory, only_finite=True)

    def read_ranges(self, ranges: Sequence[Range]) -> Iterator[tuple[int, Piece]]:
        """See `Source`; in the order asked for."""
        return one_after_another(self.read_into, ranges)

    def read_into(self, shard: int, start: int, out: memoryview) -> None:
        """Fill `out` with the bytes that the written file would hold from absolute offset `start`."""
        view, one = out.cast("B"), self._shards[shard]
        if len(view) and start + len(view) > one.size:
            raise TruncatedShardError(f"{one.name} would have {one.size:,} bytes, fewer than asked for")
        done = 0
        if start < len(one.header):
            done = min(len(view), len(one.header) - start)
            view[:done] = one.header[start : start + done]
        number = bisect_right(one.starts, start + done) - 1
        while done < len(view):
            tensor = one.tensors[number]
            first = start + done - one.starts[number]
            size = min(len(view) - done, tensor.size - first)
            if size > 0:
                self._fill(tensor, first, view[done : done + size])
                done += size
            number += 1

    def _fill(self, tensor: Planned, first: int, out: memoryview) -> None:
        """Bytes of one tensor from byte `first`."""
        if tensor.copy is not None:
            source = self._plan.checkpoints[tensor.copy.checkpoint].source
            source.read_into(tensor.copy.shard, tensor.copy.start + first, out)
        elif not self._plan.elementwise:
            if len(out) == tensor.size:
                self._whole(tensor, out)
            else:
                out[:] = memoryview(self._recent.get(tensor.name, lambda: self._made(tensor)))[first : first + len(out)]
        else:
            width = DType(tensor.format).size
            begin, end = first // width, -(-(first + len(out)) // width)
            if first % width == 0 and len(out) % width == 0:
                self._computer.elements(tensor, begin, end - begin, out)
            else:  # somebody reads across the middle of an element
                whole = bytearray((end - begin) * width)
                self._computer.elements(tensor, begin, end - begin, memoryview(whole))
                out[:] = memoryview(whole)[first - begin * width :][: len(out)]

    def _made(self, tensor: Planned) -> bytes:
        made = bytearray(tensor.size)
        self._whole(tensor, memoryview(made))
        return bytes(made)

    def _whole(self, tensor: Planned, out: memoryview) -> None:
        with self._budget.lend(needed(tensor), f"{self._plan.method.name} of {tensor.name}"):
            self._computer.whole(tensor, out)


def _only_finite(checkpoint: Checkpoint, memory: int) -> Checkpoint:
    source = checkpoint.source
    return replace(checkpoint, source=source.finite(memory)) if isinstance(source, VirtualSource) else checkpoint


def needed(tensor: Planned) -> int:
    """Bytes of memory to compute a tensor whole."""
    elements = sum(piece.count for piece in tensor.pieces)
    return elements * 4 * (len(tensor.inputs) + HOLDING)


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
            there = os.path.exists(os.path.expanduser(where))
            beside = None if there or folder is None else folder / where
            if beside is not None and os.path.exists(beside):
                found[where] = open_any(str(beside), label, inside=inside)
                continue
            parts = None if there or folder is None else base_and_adapter(where, is_remote(where))
            placed = where if parts is None else "+".join(_beside(part, folder) for part in parts)
            found[where] = open_any(placed, label, inside=inside)
    return found


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
