"""A plain tensor's numbers in another order, as another layout has them: rows picked, columns become rows. No names.

Nothing is copied on disk and no bit changes: blocks are put in order when they are read (`decoded.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import Bytes, DType, Float64
from modelprov.checkpoints.sources.interface import Source
from modelprov.checkpoints.types import Packing

Int64 = npt.NDArray[np.int64]
AT_ONCE = 4 << 20  # bytes of stored rows that are held while columns are picked from them
SPREAD = 4  # times the bytes that are wanted, up to which all between the first and the last are read in one piece
NARROW = 64  # times narrower than a stored row: then columns are asked for row by row


@dataclass(frozen=True, eq=False)
class RelaidTensor:
    """A tensor made of a matrix of `stored` rows and columns that begins at byte `start` of a shard.

    Its row i is row `rows[i]` of that matrix; where it is `turned`, column `rows[i]`. A vector is a matrix of one
    column.
    """

    name: str
    shape: tuple[int, ...]
    dtype: DType
    shard: int
    start: int
    stored: tuple[int, int]
    rows: Int64
    turned: bool = False

    @property
    def packing(self) -> Packing | None:
        """None: its numbers are stored as they are."""
        return None

    def cells(self, _source: Source, _first: int, _count: int) -> tuple[Float64, Float64] | None:
        """None: nothing was rounded."""
        return None

    def read(self, source: Source, first: int, count: int) -> Bytes:
        """See `PackedTensor`."""
        width = self.stored[0] if self.turned else self.stored[1]
        begin, end = first // width, -(-(first + count) // width)
        wanted = self.rows[begin:end]
        made = self._columns(source, wanted) if self.turned else self._rows(source, wanted)
        size = self.dtype.size
        at = (first - begin * width) * size
        return np.ascontiguousarray(made).reshape(-1).view(np.uint8)[at : at + count * size]

    def _rows(self, source: Source, wanted: Int64) -> npt.NDArray[Any]:
        """Stored rows in this order, [n, columns]."""
        least, most = int(wanted.min()), int(wanted.max()) + 1
        if most - least <= SPREAD * wanted.size:
            return self._band(source, least, most)[wanted - least]
        size = self.stored[1] * self.dtype.size
        made = np.empty((wanted.size, size), np.uint8)
        breaks = np.flatnonzero(np.diff(wanted) != 1) + 1
        firsts, lasts = np.r_[0, breaks], np.r_[breaks, wanted.size]
        for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
            source.read_into(self.shard, self.start + int(wanted[first]) * size, made[first:last].reshape(-1).data)
        return made.view(self._item)

    def _columns(self, source: Source, wanted: Int64) -> npt.NDArray[Any]:
        """Stored columns as rows, [n, stored rows]."""
        height, width = self.stored
        size = self.dtype.size
        made = np.empty((wanted.size, height), self._item)
        least, most = int(wanted.min()), int(wanted.max()) + 1
        if (most - least) * NARROW <= width:
            piece = (most - least) * size
            starts = self.start + (np.arange(height) * width + least) * size
            ranges = [(self.shard, start, start + piece) for start in starts.tolist()]
            for number, got in source.read_ranges(ranges):
                made[:, number] = np.frombuffer(got, self._item)[wanted - least]
            return made
        step = max(1, AT_ONCE // max(1, width * size))
        for first in range(0, height, step):
            last = min(height, first + step)
            made[:, first:last] = self._band(source, first, last)[:, wanted].T
        return made

    def _band(self, source: Source, first: int, last: int) -> npt.NDArray[Any]:
        """Stored rows `first` to `last`, all of their columns."""
        raw = np.empty((last - first) * self.stored[1] * self.dtype.size, np.uint8)
        source.read_into(self.shard, self.start + first * self.stored[1] * self.dtype.size, raw.data)
        return raw.view(self._item).reshape(last - first, self.stored[1])

    @property
    def _item(self) -> np.dtype[Any]:
        """An element as so many bytes, whatever they mean."""
        return np.dtype(f"u{self.dtype.size}")
