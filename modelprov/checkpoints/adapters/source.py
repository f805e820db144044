"""A base with an adapter on it as a source: bytes of the base, and where the adapter changes them, computed when read.

Tensors lie where the base has them, in its formats, so that the blocks of a pass are those of the base. The arithmetic
is that of peft's `merge_and_unload` with adapter weights in float32, as it loads them: the product of the two matrices
is a float32, times the scale, plus the weight, in float32 (float64 on a base of float64), rounded once to the base's
format. The product is summed in float64 before it becomes a float32, so that no element depends on how a tensor was cut
into blocks; peft sums it in float32 in the order of its library, and may differ there by its last bit.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.adapters.matching import Change
from modelprov.checkpoints.formats.dtypes import DType, decode, encode, encode_single, round_to
from modelprov.checkpoints.sources.interface import Piece, Range, Source, computed
from modelprov.checkpoints.types import TensorRef

AT_ONCE = 1 << 20
"""Elements that are computed together (at least a row): 8 MiB of float64, and a few such arrays."""
HELD = 8
"""Changes whose matrices are held decoded."""

Float64 = npt.NDArray[np.float64]
Floating = npt.NDArray[np.floating[Any]]


class AdaptedSource:
    """The shards of `base`, its tensors changed as `changes` say, and behind them those of `adapter`, as they are.

    Safe to use from many threads; can be pickled where both can.
    """

    def __init__(self, base: Source, adapter: Source, changes: Sequence[Change]) -> None:
        self._base, self._adapter = base, adapter
        self._changes = tuple(changes)
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._held: OrderedDict[int, tuple[Float64, ...]] = OrderedDict()
        self._by_shard: dict[int, list[tuple[int, int]]] = {}
        for number, change in enumerate(self._changes):
            self._by_shard.setdefault(change.target.shard, []).append((change.target.start, number))
        for places in self._by_shard.values():
            places.sort()

    def __getstate__(self) -> tuple[Source, Source, tuple[Change, ...]]:
        return self._base, self._adapter, self._changes

    def __setstate__(self, state: tuple[Source, Source, tuple[Change, ...]]) -> None:
        self._base, self._adapter, self._changes = state
        self._begin()

    @property
    def parts(self) -> tuple[Source, Source]:
        """What its bytes are computed from."""
        return self._base, self._adapter

    @property
    def names(self) -> tuple[str, ...]:
        """Those of the base's shards, then the adapter's."""
        return (*self._base.names, *self._adapter.names)

    def place(self, shard: int) -> str:
        """See `Source`."""
        source, number = self._of(shard)
        return source.place(number)

    def size(self, shard: int) -> int:
        """See `Source`."""
        source, number = self._of(shard)
        return source.size(number)

    def versions(self) -> tuple[str, ...]:
        """Those of both."""
        return (*self._base.versions(), *self._adapter.versions())

    def check_unchanged(self) -> None:
        """See `Source`; asks both."""
        self._base.check_unchanged()
        self._adapter.check_unchanged()

    def close(self) -> None:
        """Close both."""
        self._base.close()
        self._adapter.close()

    def read_ranges(self, ranges: Sequence[Range]) -> Iterator[tuple[int, Piece]]:
        """See `Source`; the base is asked for everything at once."""
        own = [number for number, (shard, _, _) in enumerate(ranges) if shard < len(self._base.names)]
        for number, piece in self._base.read_ranges([ranges[number] for number in own]):
            shard, start, _ = ranges[own[number]]
            changed = bytearray(piece)
            self._change(shard, start, memoryview(changed))
            yield own[number], changed
        others = [number for number in range(len(ranges)) if number not in set(own)]
        for number, piece in computed(self.read_into, [ranges[number] for number in others], self._adapter):
            yield others[number], piece

    def read_into(self, shard: int, start: int, out: memoryview) -> None:
        """See `Source`."""
        source, number = self._of(shard)
        view = out.cast("B")
        source.read_into(number, start, view)
        if source is self._base:
            self._change(shard, start, view)

    def _of(self, shard: int) -> tuple[Source, int]:
        own = len(self._base.names)
        return (self._base, shard) if shard < own else (self._adapter, shard - own)

    def _change(self, shard: int, start: int, view: memoryview) -> None:
        """Change the bytes of the base from `start` where the adapter does."""
        places = self._by_shard.get(shard, [])
        stop = start + len(view)
        for begin, number in places[max(0, bisect_right(places, (start, len(self._changes))) - 1) :]:
            target = self._changes[number].target
            if begin >= stop:
                break
            first, last = max(start, begin), min(stop, target.stop)
            if first < last:
                self._fill(number, first - begin, view[first - start : last - start])

    def _fill(self, number: int, first: int, out: memoryview) -> None:
        """The bytes of a changed tensor from its byte `first`, whole rows at a time."""
        change = self._changes[number]
        target, size = change.target, change.target.dtype.size
        width = max(1, target.count // target.shape[0]) * size
        rows = max(1, AT_ONCE * size // width)
        done = 0
        while done < len(out):
            row = (first + done) // width
            last = min(-(-(first + len(out)) // width), row + rows)
            made = self._rows(number, row, last)
            skip = first + done - row * width
            piece = made[skip : skip + len(out) - done]
            out[done : done + len(piece)] = piece.data
            done += len(piece)

    def _rows(self, number: int, row: int, last: int) -> npt.NDArray[np.uint8]:
        """The rows of a changed tensor as its bytes."""
        change = self._changes[number]
        target = change.target
        width = max(1, target.count // target.shape[0])
        source, ref = (self._base, target) if change.whole is None else (self._adapter, change.whole)
        stored = self._part(source, ref, row * width, (last - row) * width)
        if change.left is None and change.factor is None:
            return encode(stored, target.dtype)
        weight: Floating = round_to(stored, target.dtype).reshape(last - row, width)
        if target.dtype is not DType.F64:
            weight = weight.astype(np.float32)
        matrices = self._matrices(number)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            made = _changed(change, weight, matrices, slice(row, last))
        flat = made.ravel()
        if target.dtype is DType.F64:
            return encode(flat, target.dtype)
        return encode_single(flat.astype(np.float32), target.dtype)

    def _part(self, source: Source, ref: TensorRef, first: int, count: int) -> Float64:
        raw = bytearray(count * ref.dtype.size)
        source.read_into(ref.shard, ref.start + first * ref.dtype.size, memoryview(raw))
        return decode(np.frombuffer(raw, np.uint8), ref.dtype)

    def _matrices(self, number: int) -> tuple[Float64, ...]:
        """The adapter's tensors of a change, decoded; the last few stay."""
        with self._lock:
            if number not in self._held:
                change = self._changes[number]
                parts = (change.left, change.right, change.magnitude, change.factor)
                self._held[number] = tuple(
                    self._part(self._adapter, ref, 0, ref.count).reshape(ref.shape[0], -1)
                    for ref in parts
                    if ref is not None
                )
            self._held.move_to_end(number)
            while len(self._held) > HELD:
                self._held.popitem(last=False)
            return self._held[number]


def _changed(change: Change, weight: Floating, matrices: tuple[Float64, ...], rows: slice) -> Floating:
    """Some rows of a tensor with the change, in the precision of `weight`; both [n, columns]."""
    if change.factor is not None:
        factor = matrices[0].ravel().astype(np.float32)
        return np.multiply(weight, factor[rows, None] if change.by_row else factor[None, :])
    left, right = (matrices[0].T, matrices[1].T) if change.transposed else matrices[:2]
    product = (left[rows] @ right).astype(np.float32) * np.float32(change.scale)
    made = weight + product
    if change.magnitude is None:
        return made
    lengths = np.sqrt(np.einsum("ij,ij->i", made, made, dtype=np.float64)).astype(made.dtype)
    brought: Floating = (matrices[2].ravel()[rows].astype(np.float32) / lengths)[:, None] * made
    return brought
