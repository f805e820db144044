"""What two matrices share beside the means of their rows and columns, and whether those are all that parts them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.checkpoints.types import MIN_MATRIX_SIDE

Means = tuple[Float64, Float64]
"""Of a matrix' rows, and of its columns."""


@dataclass(frozen=True, slots=True)
class BesideMeans:
    """Of one matrix and a parent's, without the means of rows and columns.

    `correlation`: what is left of both, None where nothing is. `left`: what is then left of their difference, and
    `moved` the difference as it stands, root mean squares over that of rounding alone.
    """

    correlation: float | None
    left: float
    moved: float


def beside_means(suspect: Float64, parent: Float64, widths: Float64) -> BesideMeans | None:
    """Measured in rows [n, m] with the suspect's cells' `widths`; None of fewer rows or columns than `MIN_MATRIX_SIDE`.

    LayerNorm takes the mean off what it reads: a number added to each row of what reads from it, or to each column of
    what writes to it, changes nothing that the model computes. And two matrices whose columns have one profile of
    sizes, and means that are not zero, correlate at their places without having anything in common.
    """
    known = np.isfinite(widths) & (widths > 0)
    if min(suspect.shape) < MIN_MATRIX_SIDE or not known.any():
        return None
    rounding = float(np.sqrt(np.square(widths[known]).sum() / 12))
    own, theirs = _means(suspect), _means(parent)
    change, moved_means = suspect - parent, (own[0] - theirs[0], own[1] - theirs[1])
    size = np.sqrt(max(_product(suspect, own, suspect, own) * _product(parent, theirs, parent, theirs), 0.0))
    if known.all():  # from means alone: an array of what is left beside them takes longer to make
        left, moved = _product(change, moved_means, change, moved_means), float(np.vdot(change, change))
    else:
        beside = change - moved_means[0][:, None] - moved_means[1] + moved_means[0].mean()
        left, moved = (float(np.square(each[known]).sum()) for each in (beside, change))
    return BesideMeans(
        _product(suspect, own, parent, theirs) / size if size > 0 else None,
        float(np.sqrt(max(left, 0.0))) / rounding, float(np.sqrt(moved)) / rounding,
    )  # fmt: skip


def _means(matrix: Float64) -> Means:
    return matrix.mean(axis=1), matrix.mean(axis=0)


def _product(first: Float64, of_first: Means, second: Float64, of_second: Means) -> float:
    """<first, second>, both without the means of their rows and columns."""
    rows, columns = first.shape
    shared = columns * np.vdot(of_first[0], of_second[0]) + rows * np.vdot(of_first[1], of_second[1])
    return float(np.vdot(first, second) - shared + first.size * of_first[0].mean() * of_second[0].mean())
