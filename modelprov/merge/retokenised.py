"""The models of a merge with their embeddings and heads in the rows of one vocabulary, computed when they are read.

A mean of rows is summed in the recipe's order and divided, each step rounded to the format that the merge computes in,
as torch does for mergekit.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import Bytes, DType, decode, encode, round_to
from modelprov.checkpoints.layouts.relaid import RelaidTensor
from modelprov.checkpoints.sources.interface import Piece, Range, Source, computed
from modelprov.checkpoints.types import TensorView
from modelprov.merge.token_rows import MEAN, Int64

AT_ONCE = 4 << 20
"""Bytes of rows that are computed together, at least one row."""


@dataclass(frozen=True, eq=False)
class TokenRows:
    """A vocabulary's tensor of one model, `start` bytes into the shard of such tensors.

    Row r comes from model `origin[r]`, whose row it is `own[origin[r], r]` of; `views` are the stored tensors of all
    models, read from `sources`. `mean_in` is the format in which means are taken.
    """

    start: int
    dtype: DType
    width: int
    views: tuple[TensorView, ...]
    sources: tuple[Source, ...]
    own: Int64
    origin: Int64
    mean_in: DType

    @property
    def size(self) -> int:
        """Its bytes."""
        return len(self.origin) * self.width * self.dtype.size

    @property
    def rule(self) -> str:
        """A digest of which row comes from where."""
        return hashlib.sha256(self.own.tobytes() + self.origin.tobytes()).hexdigest()

    def rows(self, first: int, last: int) -> Bytes:
        """The bytes of rows `first` to `last`; zeros where no model has the token."""
        made = np.zeros((last - first, self.width * self.dtype.size), np.uint8)
        origin = self.origin[first:last]
        for number in range(len(self.views)):
            at = np.flatnonzero(origin == number)
            if at.size:
                made[at] = self._read(number, self.own[number, first + at])
        at = np.flatnonzero(origin == MEAN)
        if at.size:
            made[at] = encode(self._mean(first + at).ravel(), self.dtype).reshape(at.size, -1)
        return made.reshape(-1)

    def _read(self, number: int, wanted: Int64) -> Bytes:
        """Rows of one model in the format of the tensor, [rows, bytes]."""
        raw, stored = self._stored(number, wanted), self.views[number].ref.dtype
        return (raw if stored is self.dtype else encode(decode(raw, stored), self.dtype)).reshape(wanted.size, -1)

    def _stored(self, number: int, wanted: Int64) -> Bytes:
        view = self.views[number]
        stored = (view.count // self.width, self.width)
        shape = (wanted.size, self.width)
        rows = RelaidTensor(view.ref.name, shape, view.ref.dtype, view.ref.shard, view.start, stored, wanted)
        return rows.read(self.sources[number], 0, wanted.size * self.width)

    def _mean(self, wanted: Int64) -> npt.NDArray[np.floating[Any]]:
        """The mean of the rows of the models that have a token, for rows of the vocabulary."""
        kind = np.float64 if self.mean_in is DType.F64 else np.float32
        total, count = np.zeros((wanted.size, self.width), kind), np.zeros((wanted.size, 1), kind)
        for number, view in enumerate(self.views):
            own = self.own[number, wanted]
            having = np.flatnonzero(own >= 0)
            if having.size:
                values = decode(self._stored(number, own[having]), view.ref.dtype).reshape(having.size, -1)
                total[having] = self._rounded(total[having] + self._rounded(values).astype(kind))
                count[having] += 1
        return self._rounded(total / count)

    def _rounded(self, values: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
        return round_to(values.astype(np.float64).ravel(), self.mean_in).reshape(values.shape)


class RetokenisedSource:
    """The shards of a model, and behind them one of its vocabulary's tensors. Safe to use from many threads."""

    def __init__(self, base: Source, tensors: Sequence[TokenRows]) -> None:
        self.base, self._tensors = base, tuple(tensors)
        self._starts = [tensor.start for tensor in self._tensors]

    def on(self, base: Source) -> RetokenisedSource:
        """The same tensors behind the shards of another source of the model."""
        return RetokenisedSource(base, self._tensors)

    @property
    def parts(self) -> tuple[Source, ...]:
        """What its bytes are computed from."""
        return (self.base, *(source for tensor in self._tensors for source in tensor.sources))

    @property
    def names(self) -> tuple[str, ...]:
        """Those of the model's shards, and what the last one is."""
        return (*self.base.names, "rows of tokens")

    def place(self, shard: int) -> str:
        """See `Source`."""
        return self.base.place(shard) if shard < len(self.base.names) else self.names[shard]

    def size(self, shard: int) -> int:
        """See `Source`."""
        last = self._tensors[-1]
        return self.base.size(shard) if shard < len(self.base.names) else last.start + last.size

    def versions(self) -> Sequence[str]:
        """Those of the model, and which rows of which models it has: others are models of the same merge."""
        return (*self.base.versions(), *(tensor.rule for tensor in self._tensors))

    def check_unchanged(self) -> None:
        """See `Source`."""
        self.base.check_unchanged()

    def close(self) -> None:
        """See `Source`."""
        self.base.close()

    def read_ranges(self, ranges: Sequence[Range]) -> Iterator[tuple[int, Piece]]:
        """See `Source`; in the order asked for."""
        return computed(self.read_into, ranges, self.base)

    def read_into(self, shard: int, start: int, out: memoryview) -> None:
        """See `Source`."""
        view = out.cast("B")
        if shard < len(self.base.names):
            self.base.read_into(shard, start, view)
            return
        done = 0
        while done < len(view):
            tensor = self._tensors[bisect_right(self._starts, start + done) - 1]
            first, row = start + done - tensor.start, tensor.width * tensor.dtype.size
            begin, end = first // row, -(-min(tensor.size, first + len(view) - done) // row)
            end = min(end, begin + max(1, AT_ONCE // row))
            piece = tensor.rows(begin, end)[first - begin * row :][: len(view) - done]
            view[done : done + len(piece)] = piece.data
            done += len(piece)
