"""The bytes of a merge, computed when they are read: elementwise, from whole tensors, or in passes over their blocks.

Its shards are those that writing it would make, headers included.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.checkpoints.header_entries import BITS
from modelprov.checkpoints.sources.interface import Piece, Range, Source, computed
from modelprov.checkpoints.types import Checkpoint
from modelprov.checkpoints.writing import OF, header
from modelprov.errors import TruncatedShardError
from modelprov.machine import processors
from modelprov.merge.computing import Computer
from modelprov.merge.memory import Budget, Recent
from modelprov.merge.planned import MergePlan, Planned
from modelprov.merge.retokenised import RetokenisedSource
from modelprov.recipes.methods.interface import MergeBlock

DEFAULT_MEMORY = 512 << 20
DEFAULT_SHARD = 5_000_000_000
AT_ONCE = 8  # a tensor is computed whole where so many of its kind fit into the memory
LOOKS = 1024  # tensors of which what is known of the whole is remembered


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
        plan = replace(plan, checkpoints=tuple(_within(one, memory, only_finite) for one in plan.checkpoints))
        self._plan, self._shards, self._only_finite = plan, shards, only_finite
        self._computer = Computer(plan, only_finite=only_finite)
        self._budget = Budget(memory)
        self._recent: Recent[bytes] = Recent(memory // 4, len)
        self._looks: Recent[tuple[MergeBlock, int]] = Recent(memory // 8, lambda look: look[1] + memory // 8 // LOOKS)
        self._blocks: dict[str, int] = {}

    @property
    def parts(self) -> tuple[Source, ...]:
        """What its bytes are computed from."""
        return tuple(model.source for model in self._plan.checkpoints)

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

    @property
    def plan(self) -> MergePlan:
        """The merge whose bytes these are."""
        return self._plan

    def within(self, memory: int, only_finite: bool) -> VirtualSource:
        """The same source within so many bytes; with `only_finite` where that is asked for."""
        return VirtualSource(self._plan, self._shards, memory, only_finite=only_finite or self._only_finite)

    def read_ranges(self, ranges: Sequence[Range]) -> Iterator[tuple[int, Piece]]:
        """See `Source`; in the order asked for."""
        return computed(self.read_into, ranges, self)

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
            block = self.block(tensor)
            if block:
                self._in_passes(tensor, block * DType(tensor.format).size, first, out)
            elif len(out) == tensor.size:
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
        with self._budget.lend(self._computer.needed(tensor), f"{self._plan.method.name} of {tensor.name}"):
            self._computer.whole(tensor, out)

    def block(self, tensor: Planned) -> int:
        """Elements of the blocks that a tensor is computed in by passes; 0 where it is computed whole, or elementwise.

        Both give the same bits: what would take more than a good part of the memory is not held.
        """
        if tensor.copy is not None or self._plan.elementwise:
            return 0
        if tensor.name not in self._blocks:
            self._blocks[tensor.name] = block_of(self._computer, tensor, self._budget.total)
        return self._blocks[tensor.name]

    def cuts(self, shard: int) -> tuple[int, ...] | None:
        """Where to divide a file for whoever reads all of it, so that nothing is computed twice; None for anywhere."""
        if self._plan.elementwise:
            return None
        found: list[int] = []
        for tensor, start in zip(self._shards[shard].tensors, self._shards[shard].starts, strict=True):
            block = self.block(tensor)
            step = block * DType(tensor.format).size if block else max(1, tensor.size)
            found += range(start, start + max(1, tensor.size), step)
        return tuple(found)

    def _in_passes(self, tensor: Planned, block: int, first: int, out: memoryview) -> None:
        """Bytes from `first` on of a tensor that is computed in blocks of so many bytes."""
        look, _ = self._looks.get(tensor.name, lambda: self._look(tensor))
        done = 0
        while done < len(out):
            start = (first + done) // block * block
            stop = min(start + block, tensor.size)
            size = min(len(out) - done, stop - first - done)
            if size == stop - start:
                self._looked(tensor, look, start, out[done : done + size])
            else:
                held = self._recent.get(f"{tensor.name} {start}", partial(self._block, tensor, look, start, stop))
                out[done : done + size] = memoryview(held)[first + done - start :][:size]
            done += size

    def _look(self, tensor: Planned) -> tuple[MergeBlock, int]:
        """With as many threads as there are processors and half of the memory has room for the blocks of."""
        held, block = self._computer.held(tensor), self._computer.needed(tensor, block=self.block(tensor))
        threads = max(1, min(processors(), (self._budget.total // 2 - held) // block))
        with self._budget.lend(threads * block + held, f"{self._plan.method.name} of {tensor.name}"):
            return self._computer.look(tensor, threads), self._computer.kept(tensor)

    def _block(self, tensor: Planned, look: MergeBlock, start: int, stop: int) -> bytes:
        made = bytearray(stop - start)
        self._looked(tensor, look, start, memoryview(made))
        return bytes(made)

    def _looked(self, tensor: Planned, look: MergeBlock, start: int, out: memoryview) -> None:
        width = DType(tensor.format).size
        with self._lent(tensor):
            self._computer.looked(tensor, look, start // width, len(out) // width, out)

    def _lent(self, tensor: Planned) -> AbstractContextManager[None]:
        size = self._computer.needed(tensor, block=self.block(tensor))
        return self._budget.lend(size, f"{self._plan.method.name} of {tensor.name}")


def _within(checkpoint: Checkpoint, memory: int, only_finite: bool) -> Checkpoint:
    """A model; a recipe that is one computes within so many bytes as well."""
    source = checkpoint.source
    if isinstance(source, VirtualSource):
        return replace(checkpoint, source=source.within(memory, only_finite))
    if isinstance(source, RetokenisedSource) and isinstance(source.base, VirtualSource):
        return replace(checkpoint, source=source.on(source.base.within(memory, only_finite)))
    return checkpoint


def block_of(computer: Computer, tensor: Planned, memory: int) -> int:
    """Elements of the blocks in which a tensor is computed within so many bytes; 0 for all of it at once."""
    whole = computer.needed(tensor)
    block = computer.block(tensor) if whole > memory // AT_ONCE else 0
    return 0 if whole <= memory < in_passes(computer, tensor, block) else block


def in_passes(computer: Computer, tensor: Planned, block: int) -> int:
    """Bytes that it takes to compute a tensor in blocks of so many elements."""
    return computer.needed(tensor, block=block) + computer.held(tensor)
