"""What goes to the accelerator together: pieces of segments, where their bytes lie in one slab, and the tables.

Plain numpy: nothing is computed from the weights. A slab is one stretch of bytes, the tables first and then every
checkpoint's pieces at multiples of 16 bytes; it travels in windows, which are all of it that the host ever holds.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import SIZES, WITHIN_FLOAT32, round_to
from modelprov.forensics.sums.kernels.interface import RecipePlan, Segments
from modelprov.forensics.sums.moments import BLOCK
from modelprov.recipes.arithmetics import MEANS, STEPWISE, Arithmetic, in_units

Int64 = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
Scalars = npt.NDArray[np.float64]
"""Weights of recipes as their arithmetics round them, [precisions, tensors, recipes, max(4, parents + 1)]."""

ALIGNMENT = 16
OVERREAD = 4 * BLOCK  # the kernel reads whole runs: that many bytes behind the last piece must exist
SCALARS = 4  # weights of up to three parents and their sum


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes and runs of 4,096 elements of a slab at most, and how many runs are reduced to one row of results."""

    capacity: int = 64 << 20
    runs: int = 16384
    group: int = 64  # a power of two: one program adds a group

    def piece(self, checkpoints: int) -> int:
        """Elements of a segment staged together at most: whole groups, half a slab even in F32."""
        groups = min(self.capacity // 2 // (4 * checkpoints * BLOCK), self.runs) // self.group
        if groups < 1:
            raise ValueError(f"a slab of {self.capacity} bytes and {self.runs} runs holds no group of {self.group}")
        return groups * self.group * BLOCK


@dataclass(frozen=True, slots=True)
class Launch:
    """Consecutive runs whose segments share their formats: `formats` has 2 bits a checkpoint, the suspect lowest.

    `precision` is the format that the suspect's values were rounded to.
    """

    formats: int
    precision: int
    first_run: int
    runs: int


TABLES = -1
"""In the place of a checkpoint: the tables, which lie behind all buffers."""


class Stretch(NamedTuple):
    """Bytes of a checkpoint's buffer from `source` on that belong at `at` in the slab, or in a window of it."""

    checkpoint: int
    source: int
    at: int
    size: int


class Window(NamedTuple):
    """Bytes of a slab that travel together: where they begin, how many they are, and what belongs where in them."""

    at: int
    size: int
    parts: list[Stretch]


@dataclass(frozen=True, slots=True)
class Batch:
    """Pieces staged together; p pieces, n checkpoints, r runs, g groups of runs.

    `row` and `tensor` [p] are the caller's segment of each piece and its tensor, `first` [p] its first element there,
    `count` [p] its elements, `source` and `at` [n, p] the bytes where it starts in the caller's buffers and in the
    slab, `dtype` [n, p] and `precision` [p] codes of formats. `run_piece` [r] and `first_run` [p] tie runs to pieces,
    `group_runs` [2, g] (the first run of a group, and how many it has) and `group_piece` [g] groups to both;
    `group_first` [g] is the first element of a group in its piece. `used` counts the bytes of the slab.
    """

    row: Int64
    tensor: Int64
    first: Int64
    count: Int64
    source: Int64
    at: Int64
    dtype: Int64
    precision: Int64
    run_piece: npt.NDArray[np.int32]
    first_run: Int64
    group_runs: Int64
    group_piece: Int64
    group_first: Int64
    launches: tuple[Launch, ...]
    tables: tuple[slice, slice, slice, slice]
    used: int

    @property
    def tables_end(self) -> int:
        """Bytes of the slab that the tables take, at its beginning."""
        return int(self.tables[3].stop)

    def written_tables(self, scalars_of: Scalars) -> Bytes:
        """The tables as they lie in the slab, uint8 [tables_end]."""
        slab = np.zeros(self.tables_end, np.uint8)
        pieces, scalars, run_piece, group_runs = self.tables
        table = slab[pieces].view(np.int64).reshape(-1, len(self.dtype) + 2)
        table[:, 0], table[:, 1] = self.first_run, self.count
        table[:, 2:] = (self.at // ALIGNMENT).T
        slab[scalars].view(np.float64)[:] = scalars_of[self.precision, self.tensor].ravel()
        slab[run_piece].view(np.int32)[: len(self.run_piece)] = self.run_piece
        slab[group_runs].view(np.int64)[:] = self.group_runs.ravel()
        return slab

    def stretches(self) -> list[Stretch]:
        """Where the pieces lie and where they go, as they lie in the slab; neighbours in a buffer travel together."""
        found: list[Stretch] = []
        for i, (sources, places) in enumerate(zip(self.source.tolist(), self.at.tolist(), strict=True)):
            sizes = (self.count * SIZES[self.dtype[i]]).tolist()
            begin, at, end = sources[0], places[0], 0
            for source, place, size in zip(sources, places, sizes, strict=True):
                if end and (source - begin != end or place - at != end):
                    found.append(Stretch(i, begin, at, end))
                    begin, at, end = source, place, 0
                end += size
            found.append(Stretch(i, begin, at, end))
        return found

    def windows(self, size: int) -> Iterator[Window]:
        """The slab in windows of `size` bytes, the last shorter."""
        stretches = [Stretch(TABLES, 0, 0, self.tables_end), *self.stretches()]
        begins = [stretch.at for stretch in stretches]
        for begin in range(0, self.used, size):
            end = min(begin + size, self.used)
            parts = []
            for i, source, at, length in stretches[bisect_right(begins, begin) - 1 : bisect_left(begins, end)]:
                first, last = max(at, begin), min(at + length, end)
                if first < last:
                    parts.append(Stretch(i, source + first - at, first - begin, last - first))
            yield Window(begin, end - begin, parts)

    def groups(self, which: Int64) -> Segments:
        """The groups numbered `which` as segments of the caller's buffers."""
        piece, first = self.group_piece[which], self.group_first[which]
        return Segments(
            tensor=self.tensor[piece],
            count=np.minimum(self.count[piece] - first, self.group_runs[1, which] * BLOCK),
            start=self.source[:, piece] + first * SIZES[self.dtype[:, piece]],
            dtype=self.dtype[:, piece],
            precision=self.precision[piece],
        )


def recipe_scalars(recipes: RecipePlan) -> Scalars:
    """Weights by parent and, last, their sum as each arithmetic rounds them for a suspect of each precision.

    Float32 numbers except for FLOAT64. Of a recipe that leaves parents out those of the others, in their order.
    """
    count, tensors, parents = recipes.weights.shape
    table = np.zeros((len(WITHIN_FLOAT32), tensors, count, max(SCALARS, parents + 1)))
    for dtype in WITHIN_FLOAT32:
        for r in range(count):
            arithmetic, order = recipes.arithmetic[r], recipes.order[r][recipes.order[r] >= 0]
            weights = np.zeros((tensors, parents))
            weights[:, order] = recipes.weights[r][:, order]
            if arithmetic in MEANS:
                weights = in_units(weights)
            if arithmetic != Arithmetic.FLOAT64:
                weights = weights.astype(np.float32).astype(np.float64)
            if arithmetic in (*STEPWISE, Arithmetic.TORCH_ALPHA_FROM_ZERO, Arithmetic.TORCH_DELTA_ALPHA):
                weights = round_to(weights, dtype)
            elif arithmetic == Arithmetic.TORCH_ALPHA:
                weights[:, order[1:]] = round_to(weights[:, order[1:]], dtype)
            total = np.zeros(tensors, np.float32)
            for j in order:
                total = total + weights[:, j].astype(np.float32)
            table[dtype.code, :, r, : len(order)] = weights[:, np.sort(order)]
            table[dtype.code, :, r, -1] = round_to(total.astype(np.float64), dtype) if arithmetic in STEPWISE else total
    return table


def batches(segments: Segments, which: Int64, recipes: int, limits: Limits) -> Iterator[Batch]:
    """Deal the segments numbered `which` to slabs, with so many recipes; those of the same formats lie together.

    F64 is not allowed.
    """
    n = len(segments.dtype)
    which = which[np.argsort(_formats(segments, which), kind="stable")]
    size = limits.piece(n)
    pieces = -(-segments.count[which] // size)
    row = np.repeat(which, pieces)
    first = (np.arange(len(row)) - np.repeat(np.cumsum(pieces) - pieces, pieces)) * size
    count = np.minimum(segments.count[row] - first, size)
    runs = -(-count // BLOCK)
    stored = aligned(count * SIZES[segments.dtype[:, row]])
    heads = 8 * (n + 2) + 8 * max(SCALARS, n) * recipes + 4 * runs + 16 * -(-runs // limits.group)
    cost = stored.sum(axis=0) + heads
    room = limits.capacity - 5 * ALIGNMENT
    begin, spent, rows = 0, 0, 0
    for i, (more, longer) in enumerate(zip(cost.tolist(), runs.tolist(), strict=True)):
        if i > begin and (spent + more > room or rows + longer > limits.runs):
            yield _batch(segments, row[begin:i], first[begin:i], count[begin:i], recipes, limits)
            begin, spent, rows = i, 0, 0
        spent, rows = spent + more, rows + longer
    if begin < len(row):
        yield _batch(segments, row[begin:], first[begin:], count[begin:], recipes, limits)


def _batch(segments: Segments, row: Int64, first: Int64, count: Int64, recipes: int, limits: Limits) -> Batch:
    dtype = segments.dtype[:, row]
    n, p = dtype.shape
    runs = -(-count // BLOCK)
    groups = -(-runs // limits.group)
    group_piece = np.repeat(np.arange(p), groups)
    number = np.arange(len(group_piece)) - np.repeat(np.cumsum(groups) - groups, groups)
    first_run = np.cumsum(runs) - runs
    before = number * limits.group
    group_runs = np.stack([first_run[group_piece] + before, np.minimum(runs[group_piece] - before, limits.group)])
    sizes = (
        8 * p * (n + 2), 8 * p * recipes * max(SCALARS, n), 4 * int(runs.sum()), 8 * group_runs.size
    )  # fmt: skip
    tables, used = [], 0
    for size in sizes:
        tables.append(slice(used, used + size))
        used = int(aligned(used + size))
    stored = aligned(count * SIZES[dtype])
    ends = used + np.cumsum(stored.ravel()).reshape(n, p)
    formats = _formats(segments, row)
    starts = np.flatnonzero(np.append(True, formats[1:] != formats[:-1]))
    bounds = np.append(first_run[starts], runs.sum())
    return Batch(
        row=row, tensor=segments.tensor[row], first=first, count=count,
        source=segments.start[:, row] + first * SIZES[dtype], at=ends - stored, dtype=dtype,
        precision=segments.rounded_to[row], run_piece=np.repeat(np.arange(p, dtype=np.int32), runs),
        first_run=first_run, group_runs=group_runs, group_piece=group_piece, group_first=before * BLOCK,
        launches=tuple(
            Launch(int(formats[s]) & ((1 << 2 * n) - 1), int(formats[s]) >> 2 * n, int(begin), int(end - begin))
            for s, begin, end in zip(starts, bounds[:-1], bounds[1:], strict=True)
        ),
        tables=(tables[0], tables[1], tables[2], tables[3]), used=int(ends[-1, -1]),
    )  # fmt: skip


def _formats(segments: Segments, which: Int64) -> Int64:
    """Two bits a checkpoint for the format of each segment numbered `which`, the suspect lowest; precision on top."""
    codes = np.vstack([segments.dtype[:, which], segments.rounded_to[which]])
    return np.asarray((codes << (2 * np.arange(len(codes)))[:, None]).sum(axis=0), np.int64)


def aligned(size: npt.ArrayLike) -> Int64:
    """Bytes rounded up to whole 16."""
    return -(-np.asarray(size, np.int64) // ALIGNMENT) * ALIGNMENT
