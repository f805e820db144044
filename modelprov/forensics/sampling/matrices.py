"""Reads whole rows of some decisive matrices, side by side: for what needs the shape of a change. Fits nothing.

A few matrices of every kind, their layers in a seeded order, a run of rows of each: what has low rank as a whole has it
in any of its rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from modelprov.checkpoints.formats.dtypes import FORMATS, DType, Float64, rounding_cell
from modelprov.checkpoints.layouts.decoded import cells_at
from modelprov.checkpoints.plan import plan_segments
from modelprov.checkpoints.remote.source import is_far
from modelprov.checkpoints.types import AlignedTensor, Alignment, Checkpoint
from modelprov.forensics.sampling.segments import decoded
from modelprov.recipes.tensor_groups import kind_of

ROWS = 512
LARGEST = 1 << 21  # elements of one matrix that are read
BUDGET = 1 << 26  # elements of each checkpoint that are read
BLOCK, BLOCK_FAR = 2 << 20, 8 << 20  # bytes that are read at once, few for the cache's sake, and over a network


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of an aligned matrix: the tensor's name, its first row, and how many."""

    name: str
    first: int
    count: int


@dataclass(frozen=True, eq=False)
class Matrix:
    """The same rows of every checkpoint, float64 [1 + k, rows, columns], and the suspect's rounding cells' widths.

    `format` is the one that the suspect is stored in. Where it was decoded from the packed form `packing`, `bounds` are
    those of what its quantiser saw, NaN where nothing is known, and the widths are of those.
    """

    tensor: AlignedTensor
    values: Float64
    widths: Float64
    format: DType
    packing: str | None = None
    bounds: tuple[Float64, Float64] | None = None


def choose_rows(alignment: Alignment, seed: int, budget: int = BUDGET) -> list[Rows]:
    """Matrices of every kind in turn until the budget is spent; which layers and rows is drawn by `seed`.

    A small budget is divided among the kinds, so that fewer rows are read of each and no kind is left out.
    """
    kinds: dict[str, list[AlignedTensor]] = defaultdict(list)
    for tensor in alignment.tensors:
        if tensor.decisive and len(tensor.shape) == 2:
            kinds[kind_of(tensor.name)].append(tensor)
    rng = np.random.default_rng(seed)
    queues = [[members[place] for place in rng.permutation(len(members))] for members in kinds.values()]
    most = min(LARGEST, budget // max(1, len(queues)))
    chosen: list[Rows] = []
    while any(queues) and budget > 0:
        for queue in queues:
            if not queue or budget <= 0:
                continue
            tensor = queue.pop(0)
            rows, columns = tensor.shape
            count = min(rows, ROWS, max(1, most // columns))
            chosen.append(Rows(tensor.name, int(rng.integers(rows - count + 1)), count))
            budget -= count * columns
    return chosen


def read_matrices(alignment: Alignment, chosen: list[Rows]) -> Iterator[Matrix]:
    """The chosen rows of those tensors that are aligned, one matrix at a time; not finite is 0 everywhere.

    Raises what reading raises.
    """
    rows_of = {tensor.name: number for number, tensor in enumerate(alignment.tensors)}
    known = [rows for rows in chosen if rows.name in rows_of]
    known = [rows for rows in known if rows.first + rows.count <= alignment.tensors[rows_of[rows.name]].shape[0]]
    columns = np.array(
        [
            (rows_of[rows.name], rows.first * width, rows.count * width)
            for rows in known
            for width in (alignment.tensors[rows_of[rows.name]].shape[1],)
        ],
        np.int64,
    ).reshape(-1, 3)
    size = BLOCK_FAR if any(is_far(checkpoint.source) for checkpoint in alignment.checkpoints) else BLOCK
    plan = plan_segments(alignment, columns[:, 0], columns[:, 1], columns[:, 2], size)
    for position, values in decoded(alignment.checkpoints, plan):
        tensor = alignment.tensors[int(plan.tensor[position])]
        matrix = _matrix(tensor, values, FORMATS[int(plan.dtype[0, position])])
        place = (int(plan.shard[0, position]), int(plan.start[0, position]), int(plan.count[position]))
        yield _packed(matrix, alignment.checkpoints[0], place)
    for checkpoint in alignment.checkpoints:
        checkpoint.source.check_unchanged()


def _matrix(tensor: AlignedTensor, values: Float64, stored: DType) -> Matrix:
    finite = np.isfinite(values)
    if not finite.all():
        values = np.where(finite.all(axis=0), values, 0.0)
    lower, upper = rounding_cell(values[0], stored)
    shaped = values.reshape(len(values), -1, tensor.shape[1])
    return Matrix(tensor, shaped, np.subtract(upper, lower, out=upper).reshape(shaped.shape[1:]), stored)


def _packed(matrix: Matrix, suspect: Checkpoint, place: tuple[int, int, int]) -> Matrix:
    """The same with the cells of the form that the suspect was decoded from, at (shard, start, count)."""
    packing = suspect.packings.get(matrix.tensor.views[0].ref.name)
    found = None if packing is None else cells_at(suspect.source, *place, before=False)
    if packing is None or found is None:
        return matrix
    shape = matrix.values.shape[1:]
    bounds = found[0].reshape(shape), found[1].reshape(shape)
    widths = bounds[1] - bounds[0]
    known = np.isfinite(widths)
    usual = float(widths[known].mean()) if known.any() else 0.0  # where numbers were cut off
    return replace(matrix, widths=np.where(known, widths, usual), packing=packing.format, bounds=bounds)
