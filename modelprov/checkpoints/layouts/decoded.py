"""Tensors that are stored in a packed form and decoded when they are read: a source beside the stored one. No formats.

Whoever reads a checkpoint finds plain floats at addresses behind those of the stored shards; what a number was before
it was rounded, its cell, is asked for with `cells_at`. Blocks are decoded as they are asked for, never a whole model.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from modelprov.checkpoints.formats.dtypes import Bytes, DType, Float64
from modelprov.checkpoints.sources.interface import Piece, Range, Source, computed
from modelprov.checkpoints.types import Checkpoint, Packing, TensorRef
from modelprov.errors import TruncatedShardError

EVEN = 64  # bytes between the starts of tensors
CALLED = "decoded when read"


class PackedTensor(Protocol):
    """One tensor as it is stored, and how its numbers are had. Safe to use from many threads; can be pickled."""

    @property
    def name(self) -> str:
        """Its name among the checkpoint's tensors."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Its sides, decoded."""
        ...

    @property
    def dtype(self) -> DType:
        """The plain format that its numbers come in."""
        ...

    @property
    def packing(self) -> Packing | None:
        """How it is stored; None for plain floats in another order."""
        ...

    def read(self, source: Source, first: int, count: int) -> Bytes:
        """Elements `first` to `first + count` as bytes of `dtype`; reads little more of `source` than those need."""
        ...

    def cells(self, source: Source, first: int, count: int) -> tuple[Float64, Float64] | None:
        """Bounds of what was rounded to these elements, NaN where nothing is known; None without any such cells."""
        ...


@dataclass(frozen=True, slots=True)
class _Placed:
    tensor: PackedTensor
    start: int
    size: int


class DecodedSource:
    """The stored shards, and behind them one shard without a header: the decoded tensors, one after the other."""

    def __init__(self, base: Source, tensors: Sequence[PackedTensor]) -> None:
        self._base, at = base, 0
        placed = []
        for tensor in tensors:
            size = int(np.prod(tensor.shape, dtype=object)) * tensor.dtype.size
            placed.append(_Placed(tensor, at, size))
            at += -(-size // EVEN) * EVEN
        self._placed, self._size = tuple(placed), at
        self._starts = [each.start for each in placed]

    @property
    def parts(self) -> tuple[Source]:
        """What its bytes are decoded from."""
        return (self._base,)

    @property
    def shard(self) -> int:
        """The number of the shard of decoded tensors."""
        return len(self._base.names)

    @property
    def refs(self) -> dict[str, TensorRef]:
        """The decoded tensors by name, at their addresses."""
        return {
            each.tensor.name: TensorRef(
                each.tensor.name, each.tensor.dtype, each.tensor.shape, self.shard, each.start, each.start + each.size
            )
            for each in self._placed
        }

    @property
    def names(self) -> tuple[str, ...]:
        """Those of the stored shards, and what the decoded one is called."""
        return (*self._base.names, CALLED)

    def place(self, shard: int) -> str:
        """Where a shard lies; the decoded one lies nowhere."""
        return self._base.place(shard) if shard < self.shard else f"{self._base.place(0)} ({CALLED})"

    def size(self, shard: int) -> int:
        """Bytes of a shard."""
        return self._base.size(shard) if shard < self.shard else self._size

    def versions(self) -> Sequence[str]:
        """Those of the stored shards."""
        return self._base.versions()

    def check_unchanged(self) -> None:
        """See `Source`."""
        self._base.check_unchanged()

    def close(self) -> None:
        """See `Source`."""
        self._base.close()

    def read_ranges(self, ranges: Sequence[Range]) -> Iterator[tuple[int, Piece]]:
        """See `Source`: stored ranges together, then the decoded ones, many at once where each waits for a network."""
        stored = [number for number, (shard, _, _) in enumerate(ranges) if shard < self.shard]
        for place, piece in self._base.read_ranges([ranges[number] for number in stored]):
            yield stored[place], piece
        decoded = [number for number, (shard, _, _) in enumerate(ranges) if shard >= self.shard]
        for place, piece in computed(self.read_into, [ranges[number] for number in decoded], self._base):
            yield decoded[place], piece

    def read_into(self, shard: int, start: int, out: memoryview) -> None:
        """See `Source`; what lies between decoded tensors is 0."""
        if shard < self.shard:
            self._base.read_into(shard, start, out)
            return
        view = out.cast("B")
        if len(view) and start + len(view) > self._size:
            raise TruncatedShardError(f"{self.place(shard)} would have {self._size:,} bytes, fewer than asked for")
        number, stop = max(0, bisect_right(self._starts, start) - 1), start + len(view)
        at = start
        while number < len(self._placed) and self._placed[number].start < stop:
            each = self._placed[number]
            begin, end = max(start, each.start), min(stop, each.start + each.size)
            if begin < end:
                view[at - start : begin - start] = bytes(begin - at)
                view[begin - start : end - start] = self._bytes(each, begin - each.start, end - each.start).data
                at = end
            number += 1
        view[at - start :] = bytes(stop - at)

    def cells(self, start: int, count: int) -> tuple[Float64, Float64] | None:
        """The cells of `count` elements of one decoded tensor from byte `start` of its shard."""
        each = self._placed[bisect_right(self._starts, start) - 1]
        return each.tensor.cells(self._base, (start - each.start) // each.tensor.dtype.size, count)

    def _bytes(self, each: _Placed, begin: int, end: int) -> Bytes:
        """Bytes `begin` to `end` of a tensor: whole elements are decoded, and cut."""
        width = each.tensor.dtype.size
        first, last = begin // width, -(-end // width)
        made = each.tensor.read(self._base, first, last - first)
        return made[begin - first * width : end - first * width]


def with_decoded(checkpoint: Checkpoint, tensors: Sequence[PackedTensor]) -> Checkpoint:
    """The checkpoint with these tensors as plain floats, in place of what is refused or stored under their names."""
    if not tensors:
        return checkpoint
    source = DecodedSource(checkpoint.source, tensors)
    refs = source.refs
    packings = {tensor.name: packing for tensor in tensors if (packing := tensor.packing) is not None}
    loose = by_format({name: packing for name, packing in packings.items() if not packing.nearest})
    notes = [f"tensors stored as {', '.join(by_format(packings))} were decoded when they were read"] if packings else []
    if loose:
        notes.append(
            f"numbers stored as {', '.join(loose)} need not be the nearest to what they were made from: nothing bounds "
            "what they were before"
        )
    return replace(
        checkpoint,
        tensors={**checkpoint.tensors, **refs},
        refused={name: tensor for name, tensor in checkpoint.refused.items() if name not in refs},
        source=source,
        packings={**checkpoint.packings, **packings},
        notes=(*checkpoint.notes, *notes),
    )


def cells_at(
    source: Source, shard: int, start: int, count: int, *, before: bool = True
) -> tuple[Float64, Float64] | None:
    """The rounding cells of elements that were decoded from a packed form, float64 [count] each; None for any other.

    They hold what the quantiser may have seen, and with `before` what those numbers may have been before they were
    rounded to bf16, as most models are: half a step of it is added on either side. NaN where a form says nothing of an
    element.
    """
    while isinstance(source, DecodedSource) and shard < source.shard:  # forms of several kinds are decoded in turn
        (source,) = source.parts
    if not isinstance(source, DecodedSource) or shard != source.shard:
        return None
    found = source.cells(start, count)
    if found is None or not before:
        return found
    lower, upper = found
    with np.errstate(all="ignore"):
        largest = np.maximum(np.abs(lower), np.abs(upper))
        half = np.ldexp(1.0, np.frexp(np.where(np.isfinite(largest), largest, 0.0))[1] - 9)
    return lower - half, upper + half


def by_format(packings: Mapping[str, Packing]) -> dict[str, int]:
    """How many tensors are packed in each form, the commonest first."""
    counts: dict[str, int] = {}
    for packing in packings.values():
        counts[packing.format] = counts.get(packing.format, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
