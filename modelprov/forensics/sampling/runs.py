"""Runs of single models' tensors and their values, for models that are held side by side run by run. Chooses none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import FORMATS, Float64, decode
from modelprov.checkpoints.plan import Int64
from modelprov.checkpoints.types import Alignment, Checkpoint

KEY = 1 << 40  # runs in a tensor, beyond any

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Segments:
    """Runs of one model's matrices: `key` int64 [s] the same number for the same place in any model, and where it is.

    `row` is the tensor of the model's own alignment, `first` and `count` elements of it.
    """

    alignment: Alignment
    key: Int64
    row: Int64
    first: Int64
    count: Int64


def take(of: Segments, index: Mask | Int64) -> Segments:
    """Some of these runs."""
    return Segments(of.alignment, of.key[index], of.row[index], of.first[index], of.count[index])


def values_of(checkpoint: Checkpoint, of: Segments) -> tuple[Float64, npt.NDArray[np.uint8]]:
    """The values of all runs one after the other, with the codes of their formats."""
    views = [of.alignment.tensors[row].views[0] for row in of.row.tolist()]
    codes = np.array([view.ref.dtype.code for view in views], np.uint8)
    firsts, counts = of.first.tolist(), of.count.tolist()
    ranges = []
    for view, first, count in zip(views, firsts, counts, strict=True):
        start = view.start + first * view.ref.dtype.size
        ranges.append((view.ref.shard, start, start + count * view.ref.dtype.size))
    pieces = dict(checkpoint.source.read_ranges(ranges))
    values = np.empty(int(of.count.sum()))
    ends = np.cumsum(np.r_[0, of.count])
    for code in np.unique(codes):
        mine = np.flatnonzero(codes == code)
        raw = np.frombuffer(b"".join(bytes(pieces[number]) for number in mine.tolist()), np.uint8)
        values[spread(ends[mine], of.count[mine])] = decode(raw, FORMATS[int(code)])
    return values, np.repeat(codes, of.count)


def spread(starts: Int64, counts: Int64) -> Int64:
    """start, start + 1, ... of every stretch, one after the other."""
    ends = np.cumsum(counts)
    return np.arange(int(counts.sum())) - np.repeat(ends - counts, counts) + np.repeat(starts, counts)
