"""What goes to the accelerator together: pieces of segments, where their bytes lie in one slab, and the tables.

Plain numpy: no torch here, nothing is computed from the weights. A slab is one stretch of bytes, the tables first and
then every checkpoint's pieces at multiples of 16 bytes, so that one copy takes everything across.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import SIZES, WITHIN_FLOAT32, round_to
from modelprov.forensics.sums.kernels.interface import RecipePlan, Segments
from modelprov.forensics.sums.moments import BLOCK
from modelprov.recipes.arithmetics import Arithmetic

Int64 = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

ALIGNMENT = 16
OVERREAD = 4 * BLOCK  # the kernel reads whole runs: that many bytes behind the last piece must exist
SCALARS = 4  # weights of up to three parents and their sum
STEPWISE = (Arithmetic.STEPWISE, Arithmetic.STEPWISE_UNNORMALISED, Arithmetic.STEPWISE_DELTA)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes and runs of 4,096 elements of a slab at most, and how many runs are reduced to one row of results."""

    capacity: int = 128 << 20
    runs: int = 16384
    group: int = 64

    def piece(self, checkpoints: int) -> int:
        """Elements of a segment staged together at most: whole groups, half a slab even in F32."""
        groups = min(self.capacity // 2 // (4 * checkpoints * BLOCK), self.runs) // self.group
        if groups < 1:
            raise ValueError(f"a slab of {self.capacity} bytes and {self.runs} runs holds no group of {self.group}")
        return groups * self.group * BLOCK


@dataclass(frozen=True, slots=True)
class Launch:
    """Consecutive runs whose segments share their formats: `formats` has 2 bits a checkpoint, the suspect lowest."""

    formats: int
    first_run: int
    runs: int


class Stretch(NamedTuple):
    """Bytes of a checkpoint's buffer from `source` on that belong at `at` in the slab."""

    checkpoint: int
    source: int
    at: int
    size: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Pieces staged together; p pieces, n checkpoints, r runs, g groups of runs.

    `row` [p] is the caller's segment of each piece, `first` [p] its first element there, `count` [p] its elements,
    `source` and `at` [n, p] the bytes where it starts in the caller's buffers and in the slab, `dtype` [n, p].
    `run_piece` [r] and `first_run` [p] tie runs to pieces, `group_runs` [g] and `group_piece` [g] groups to both;
    `group_first` [g] is the first element of a group in its piece. `used` counts the bytes of the slab.
    """

    row: Int64
    first: Int64
    count: Int64
    source: Int64
    at: Int64
    dtype: Int64
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

    def write_tables(self, slab: Bytes, segments: Segments, recipes: RecipePlan) -> None:
        """Write the tables to the beginning of `slab`."""
        pieces, scalars, run_piece, group_runs = self.tables
        table = slab[pieces].view(np.int64).reshape(-1, len(self.dtype) + 2)
        table[:, 0], table[:, 1] = self.first_run, self.count
        table[:, 2:] = (self.at // ALIGNMENT).T
        slab[scalars].view(np.float64)[:] = recipe_scalars(recipes, segments.tensor[self.row], self.dtype[0]).ravel()
        slab[run_piece].view(np.int32)[: len(self.run_piece)] = self.run_piece
        slab[group_runs].view(np.int64)[:] = self.group_runs

    def stretches(self) -> list[Stretch]:
        """Where the pieces lie and where they go; neighbours in a buffer travel together."""
        found = []
        for i in range(len(self.dtype)):
            length = self.count * SIZES[self.dtype[i]]
            together = np.diff(self.source[i]) == np.diff(self.at[i])
            ends = np.append(np.flatnonzero(~(together & (length[:-1] % ALIGNMENT == 0))), len(length) - 1)
            begins = np.append(0, ends[:-1] + 1)
            sizes = self.at[i, ends] + length[ends] - self.at[i, begins]
            columns = (self.source[i, begins].tolist(), self.at[i, begins].tolist(), sizes.tolist())
            found += [Stretch(i, *where) for where in zip(*columns, strict=True)]
        return found

    def fill(self, slab: Bytes, buffers: Sequence[Bytes], segments: Segments, recipes: RecipePlan) -> None:
        """Write the tables and copy the pieces."""
        self.write_tables(slab, segments, recipes)
        for checkpoint, source, at, size in self.stretches():
            slab[at : at + size] = buffers[checkpoint][source : source + size]

    def groups(self, which: Int64, segments: Segments) -> Segments:
        """The groups numbered `which` as segments of the caller's buffers."""
        piece, first = self.group_piece[which], self.group_first[which]
        return Segments(
            tensor=segments.tensor[self.row[piece]],
            count=np.minimum(self.count[piece] - first, self.group_runs[which] * BLOCK),
            start=self.source[:, piece] + first * SIZES[self.dtype[:, piece]],
            dtype=self.dtype[:, piece],
        )


def recipe_scalars(recipes: RecipePlan, tensor: Int64, suspect: Int64) -> npt.NDArray[np.float64]:
    """Weights by parent and, last, their sum as each arithmetic rounds them, float64 [pieces, recipes, max(4, k + 1)].

    `tensor` and `suspect` [pieces]: canonical tensor and the suspect's format. Float32 except for FLOAT64.
    """
    count, parents = recipes.order.shape
    table = np.zeros((len(tensor), count, max(SCALARS, parents + 1)))
    for r in range(count):
        arithmetic = recipes.arithmetic[r]
        weights = recipes.weights[r, tensor]
        if arithmetic != Arithmetic.FLOAT64:
            weights = weights.astype(np.float32).astype(np.float64)
        for dtype in WITHIN_FLOAT32:
            if arithmetic in STEPWISE:
                weights = np.where((suspect == dtype.code)[:, None], round_to(weights, dtype), weights)
        total = np.zeros(len(tensor), np.float32)
        for j in recipes.order[r]:
            total = total + weights[:, j].astype(np.float32)
        table[:, r, :parents], table[:, r, -1] = weights, total
        for dtype in WITHIN_FLOAT32:
            if arithmetic in STEPWISE:
                table[:, r, -1] = np.where(suspect == dtype.code, round_to(table[:, r, -1], dtype), table[:, r, -1])
    return table


def batches(segments: Segments, which: Int64, recipes: RecipePlan, limits: Limits) -> Iterator[Batch]:
    """Deal the segments numbered `which` to slabs; segments of the same formats lie together. F64 is not allowed."""
    n = len(segments.dtype)
    formats = (segments.dtype[:, which] << (2 * np.arange(n))[:, None]).sum(axis=0)
    which = which[np.argsort(formats, kind="stable")]
    size = limits.piece(n)
    pieces = -(-segments.count[which] // size)
    row = np.repeat(which, pieces)
    first = (np.arange(len(row)) - np.repeat(np.cumsum(pieces) - pieces, pieces)) * size
    count = np.minimum(segments.count[row] - first, size)
    runs = -(-count // BLOCK)
    stored = _aligned(count * SIZES[segments.dtype[:, row]])
    heads = 8 * (n + 2) + 8 * max(SCALARS, n) * len(recipes.arithmetic) + 4 * runs + 8 * -(-runs // limits.group)
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


def _batch(segments: Segments, row: Int64, first: Int64, count: Int64, recipes: RecipePlan, limits: Limits) -> Batch:
    dtype = segments.dtype[:, row]
    n, p = dtype.shape
    runs = -(-count // BLOCK)
    groups = -(-runs // limits.group)
    group_piece = np.repeat(np.arange(p), groups)
    number = np.arange(len(group_piece)) - np.repeat(np.cumsum(groups) - groups, groups)
    group_runs = np.minimum(runs[group_piece] - number * limits.group, limits.group)
    sizes = (
        8 * p * (n + 2), 8 * p * len(recipes.arithmetic) * max(SCALARS, n), 4 * int(runs.sum()), 8 * len(group_runs)
    )  # fmt: skip
    tables, used = [], 0
    for size in sizes:
        tables.append(slice(used, used + size))
        used = int(_aligned(used + size))
    stored = _aligned(count * SIZES[dtype])
    ends = used + np.cumsum(stored.ravel()).reshape(n, p)
    formats = (dtype << (2 * np.arange(n))[:, None]).sum(axis=0)
    first_run = np.cumsum(runs) - runs
    starts = np.flatnonzero(np.append(True, formats[1:] != formats[:-1]))
    bounds = np.append(first_run[starts], runs.sum())
    return Batch(
        row=row, first=first, count=count, source=segments.start[:, row] + first * SIZES[dtype], at=ends - stored,
        dtype=dtype, run_piece=np.repeat(np.arange(p, dtype=np.int32), runs), first_run=first_run,
        group_runs=group_runs, group_piece=group_piece, group_first=number * limits.group * BLOCK,
        launches=tuple(
            Launch(int(formats[s]), int(bounds[i]), int(bounds[i + 1] - bounds[i])) for i, s in enumerate(starts)
        ),
        tables=(tables[0], tables[1], tables[2], tables[3]), used=int(ends[-1, -1]),
    )  # fmt: skip


def _aligned(size: npt.ArrayLike) -> Int64:
    return -(-np.asarray(size, np.int64) // ALIGNMENT) * ALIGNMENT
