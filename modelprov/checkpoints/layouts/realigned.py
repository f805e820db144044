"""A checkpoint seen in other coordinates: rows and columns reordered, scaled, turned; computed when it is read.

A `Realignment` says which tensor of a parent is which of the suspect, and along which axes. Either side of it is a
checkpoint like any other, so that whatever reads checkpoints runs on it. Orders, signs and powers of two keep every
bit; a turned basis, other factors and folded norms are computed and stored as F32.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import Bytes, DType, Float32, Float64, decode, encode
from modelprov.checkpoints.layouts.realignment import Axis, PairedTensor, Realignment
from modelprov.checkpoints.layouts.roles import Shape
from modelprov.checkpoints.sources.interface import Piece, Range, Source, computed
from modelprov.checkpoints.types import Checkpoint, Shard, TensorRef, TensorView
from modelprov.errors import TruncatedShardError, UsageError
from modelprov.foreign.shown import quoted

Int64 = npt.NDArray[np.int64]
SMALL = 1 << 20  # bytes of a tensor that is read whole rather than row by row
KEPT = 2  # computed tensors that stay in memory
EVEN = 8  # bytes between the starts of tensors


@dataclass(frozen=True, slots=True)
class Gather:
    """Which entries of a stored side, times what, or by blocks; or the side times a basis."""

    index: Int64 | None = None
    factors: Float64 | None = None
    basis: Float32 | None = None
    blocks: Float32 | None = None

    @property
    def plain(self) -> bool:
        """Whether stored numbers stay what they are."""
        return self.factors is None and self.basis is None and self.blocks is None


@dataclass(frozen=True, slots=True)
class Seen:
    """One tensor of a view: what is stored, how it is seen, and the gains (a stored vector) before its columns."""

    name: str
    view: TensorView
    stored: Shape
    rows: Gather
    columns: Gather
    shape: Shape
    dtype: DType
    start: int
    gains: TensorView | None = None
    plus: float = 0.0

    @property
    def size(self) -> int:
        """Its bytes."""
        return int(np.prod(self.shape)) * self.dtype.size


class RealignedSource:
    """One shard without a header: the tensors of a view, one after the other. Safe to use from many threads."""

    def __init__(self, checkpoint: Checkpoint, tensors: Sequence[Seen]) -> None:
        self._base, self._tensors = checkpoint.source, tuple(tensors)
        self._name = f"{checkpoint.label} in other coordinates"
        self._starts = [tensor.start for tensor in self._tensors]
        self._size = self._tensors[-1].start + self._tensors[-1].size if self._tensors else 0
        self._lock, self._kept = threading.Lock(), OrderedDict[str, Bytes]()

    @property
    def parts(self) -> tuple[Source]:
        """What its bytes are made from."""
        return (self._base,)

    @property
    def names(self) -> tuple[str, ...]:
        """What the view is called."""
        return (self._name,)

    def place(self, _shard: int) -> str:
        """The same: it lies nowhere."""
        return self._name

    def size(self, _shard: int) -> int:
        """Bytes that it would have."""
        return self._size

    def versions(self) -> Sequence[str]:
        """Those of the checkpoint."""
        return self._base.versions()

    def check_unchanged(self) -> None:
        """Raise `ChangedFileError` where the checkpoint is no longer what was opened."""
        self._base.check_unchanged()

    def close(self) -> None:
        """Close the checkpoint's source."""
        self._base.close()

    def read_ranges(self, ranges: Sequence[Range]) -> Iterator[tuple[int, Piece]]:
        """See `Source`; in the order asked for."""
        return computed(self.read_into, ranges, self._base)

    def read_into(self, shard: int, start: int, out: memoryview) -> None:
        """Fill `out` with the bytes of the view from offset `start`; what lies between tensors is 0."""
        view = out.cast("B")
        if len(view) and start + len(view) > self._size:
            raise TruncatedShardError(f"{self.place(shard)} would have {self._size:,} bytes, fewer than asked for")
        view[:] = bytes(len(view))
        number, stop = max(0, bisect_right(self._starts, start) - 1), start + len(view)
        while number < len(self._tensors) and self._tensors[number].start < stop:
            tensor = self._tensors[number]
            begin, end = max(start, tensor.start), min(stop, tensor.start + tensor.size)
            if begin < end:
                made = self._bytes(tensor, begin - tensor.start, end - tensor.start)
                view[begin - start : end - start] = made.data.cast("B")
            number += 1

    def _bytes(self, tensor: Seen, begin: int, end: int) -> Bytes:
        """Bytes `begin` to `end` of a tensor: whole rows are made, and cut."""
        if tensor.rows.basis is not None:
            return self._whole(tensor)[begin:end]
        width = tensor.size // tensor.shape[0]
        first, last = begin // width, -(-end // width)
        return self._rows(tensor, first, last)[begin - first * width : end - first * width]

    def _whole(self, tensor: Seen) -> Bytes:
        """A tensor whose rows are mixed with each other; the last few are kept."""
        with self._lock:
            if tensor.name not in self._kept:
                basis = tensor.rows.basis
                assert basis is not None
                values = self._values(tensor, np.arange(tensor.stored[0]))
                self._kept[tensor.name] = encode((basis.T.astype(np.float64) @ values).ravel(), tensor.dtype)
                while len(self._kept) > KEPT:
                    self._kept.popitem(last=False)
            return self._kept[tensor.name]

    def _rows(self, tensor: Seen, first: int, last: int) -> Bytes:
        """The bytes of some rows of the view."""
        index, blocks = tensor.rows.index, tensor.rows.blocks
        if blocks is not None:
            return self._block_rows(tensor, blocks, first, last)
        rows = np.arange(first, last) if index is None else index[first:last]
        if tensor.rows.plain and tensor.columns.plain and tensor.gains is None:
            raw, size = self._stored(tensor, rows), tensor.view.ref.dtype.size
            kept = raw.view(f"u{size}").reshape(rows.size, -1)
            picked = kept if tensor.columns.index is None else kept[:, tensor.columns.index]
            return np.ascontiguousarray(picked).view(np.uint8).ravel()
        values = self._values(tensor, rows)
        if tensor.rows.factors is not None:
            values = values * tensor.rows.factors[first:last, None]
        return encode(values.ravel(), tensor.dtype)

    def _block_rows(self, tensor: Seen, blocks: Float32, first: int, last: int) -> Bytes:
        """The same where rows are mixed within blocks: whole blocks are made, and cut."""
        assert tensor.rows.index is not None
        height = blocks.shape[1]
        start, stop = first // height, -(-last // height)
        values = self._values(tensor, tensor.rows.index[start * height : stop * height])
        mixed = blocks[start:stop].transpose(0, 2, 1).astype(np.float64) @ values.reshape(stop - start, height, -1)
        flat = mixed.reshape(-1, values.shape[1])[first - start * height : last - start * height]
        return encode(np.ascontiguousarray(flat).ravel(), tensor.dtype)

    def _values(self, tensor: Seen, rows: Int64) -> Float64:
        """Stored rows with the gains, the order, the factors, blocks and basis of their columns, [n, width]."""
        values = decode(self._stored(tensor, rows), tensor.view.ref.dtype).reshape(rows.size, -1)
        if tensor.gains is not None:
            values = values * (self._vector(tensor.gains) + tensor.plus)
        if tensor.columns.basis is not None:
            return np.asarray(values @ tensor.columns.basis.astype(np.float64), np.float64)
        if tensor.columns.index is not None:
            values = values[:, tensor.columns.index]
        if (blocks := tensor.columns.blocks) is not None:
            runs = values.reshape(rows.size, -1, blocks.shape[1]).transpose(1, 0, 2) @ blocks.astype(np.float64)
            values = runs.transpose(1, 0, 2).reshape(rows.size, -1)
        return values if tensor.columns.factors is None else values * tensor.columns.factors

    def _vector(self, view: TensorView) -> Float64:
        raw = np.empty(view.count * view.ref.dtype.size, np.uint8)
        self._base.read_into(view.ref.shard, view.start, raw.data)
        return decode(raw, view.ref.dtype)

    def _stored(self, tensor: Seen, rows: Int64) -> Bytes:
        """The stored bytes of some rows, in this order."""
        view = tensor.view
        size = view.count // tensor.stored[0] * view.ref.dtype.size
        first, last = int(rows.min()), int(rows.max()) + 1
        if last - first == rows.size and (np.diff(rows) == 1).all():
            raw = np.empty(rows.size * size, np.uint8)
            self._base.read_into(view.ref.shard, view.start + first * size, raw.data)
            return raw
        if (last - first) * size <= SMALL:
            raw = np.empty((last - first) * size, np.uint8)
            self._base.read_into(view.ref.shard, view.start + first * size, raw.data)
            return np.ascontiguousarray(raw.reshape(-1, size)[rows - first]).ravel()
        made = np.empty((rows.size, size), np.uint8)
        starts = view.start + rows * size
        ranges = [(view.ref.shard, start, start + size) for start in starts.tolist()]
        for number, piece in self._base.read_ranges(ranges):
            made[number] = np.frombuffer(piece, np.uint8)
        return made.ravel()


Held = Mapping[str, tuple[TensorView, Shape]]


def suspect_view(checkpoint: Checkpoint, held: Held, realignment: Realignment, plus: float = 0.0) -> Checkpoint:
    """The suspect's side: its own numbers in its own order, without what the parent has no counterpart of.

    `held` are its tensors by canonical name, `plus` is added to the gains of folded norms (1 where they are 1 + w).
    """
    return _view(checkpoint, held, realignment, False, plus)


def parent_view(checkpoint: Checkpoint, held: Held, realignment: Realignment, plus: float = 0.0) -> Checkpoint:
    """A parent, or another model in its coordinates, in those of the suspect; see `suspect_view`."""
    return _view(checkpoint, held, realignment, True, plus)


def _view(checkpoint: Checkpoint, held: Held, realignment: Realignment, theirs: bool, plus: float) -> Checkpoint:
    seen: list[Seen] = []
    at = 0
    for tensor in realignment.tensors:
        stored = held.get(tensor.parent if theirs else tensor.name)
        if stored is None:
            continue
        view, shape = stored
        if not fits(tensor, shape, realignment.axes, theirs):
            raise UsageError(
                f"the alignment does not fit {quoted(tensor.parent if theirs else tensor.name)} of shape {list(shape)}",
                "Use it with the models that it was made of.",
            )
        rows, columns = (_gather(realignment.axes, key, theirs) for key in (tensor.rows, tensor.columns))
        norm = None if tensor.norms is None else tensor.norms[theirs]
        gains = None if norm is None or norm not in held else held[norm][0]
        bits = rows.basis is None and columns.basis is None and gains is None
        exact = bits and all(key is None or realignment.axes[key].exact for key in (tensor.rows, tensor.columns))
        dtype = view.ref.dtype if exact or (not theirs and gains is None) else DType.F32
        sides = _length(rows, shape[0]), *([_length(columns, shape[1])] if len(shape) == 2 else shape[1:])
        seen.append(Seen(tensor.name, view, shape, rows, columns, sides, dtype, at, gains, plus if gains else 0.0))
        at += -(-seen[-1].size // EVEN) * EVEN
    source = RealignedSource(checkpoint, seen)
    return Checkpoint(
        checkpoint.label, checkpoint.location,
        {one.name: TensorRef(one.name, one.dtype, one.shape, 0, one.start, one.start + one.size) for one in seen},
        (Shard(source.names[0], source.size(0), ""),), source,
        config=None, folder=checkpoint.folder, files=checkpoint.files,
    )  # fmt: skip


def fits(tensor: PairedTensor, shape: Shape, axes: Mapping[str, Axis], theirs: bool) -> bool:
    """Whether the axes speak only of entries that the suspect's tensor, or `theirs`, has."""
    for key, side in ((tensor.rows, 0), (tensor.columns, 1)):
        if key is None:
            continue
        axis, length = axes[key], shape[side] if side < len(shape) else 0
        if theirs and axis.basis is not None:
            if axis.basis.shape[0] != length:
                return False
        elif (axis.theirs if theirs else axis.own).max(initial=-1) >= length:
            return False
    return True


def _gather(axes: Mapping[str, Axis], key: str | None, theirs: bool) -> Gather:
    if key is None:
        return Gather()
    axis = axes[key]
    if not theirs:
        return Gather(axis.own)
    if axis.basis is not None:
        return Gather(basis=axis.basis)
    return Gather(axis.theirs, axis.factors, blocks=axis.blocks)


def _length(gather: Gather, stored: int) -> int:
    if gather.basis is not None:
        return int(gather.basis.shape[1])
    return stored if gather.index is None else int(gather.index.size)
