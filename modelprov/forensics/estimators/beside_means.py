"""What two matrices share beside the means of their rows and columns, and whether those are all that parts them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.checkpoints.types import MIN_MATRIX_SIDE

Means = tuple[Float64, Float64]
"""Of a matrix' rows, and of its columns."""


def correlation_beside_means(suspect: Float64, parent: Float64, widths: Float64) -> float | None:
    """Of rows [n, m], both without the means of rows and columns; None where nothing is left.

    Two matrices whose columns have one profile of sizes, and means that are not zero, correlate at their places without
    having anything in common. None too where `offsets` is.
    """
    if not _tell(suspect, widths):
        return None
    own, theirs = _means(suspect), _means(parent)
    size = np.sqrt(max(_product(suspect, own, suspect, own) * _product(parent, theirs, parent, theirs), 0.0))
    return _product(suspect, own, parent, theirs) / size if size > 0 else None


def offsets(suspect: Float64, parent: Float64, widths: Float64) -> tuple[float, float] | None:
    """What numbers for each row and each column leave of the difference of rows [n, m], and that as it stands.

    Root mean squares over that of rounding alone, by the suspect's cells' `widths`. LayerNorm takes the mean off what
    it reads: a number added to each row of what reads from it, or to each column of what writes to it, changes nothing
    that the model computes. None of fewer rows or columns than `MIN_MATRIX_SIDE`, or without any cell.
    """
    if not _tell(suspect, widths):
        return None
    known = _known(widths)
    rounding = float(np.sqrt(np.square(widths[known]).sum() / 12))
    own, theirs = _means(suspect), _means(parent)
    change, moved_means = suspect - parent, (own[0] - theirs[0], own[1] - theirs[1])
    if known.all():  # from means alone: an array of what is left beside them takes longer to make
        left, moved = _product(change, moved_means, change, moved_means), float(np.vdot(change, change))
    else:
        beside = change - moved_means[0][:, None] - moved_means[1] + moved_means[0].mean()
        left, moved = (float(np.square(each[known]).sum()) for each in (beside, change))
    return float(np.sqrt(max(left, 0.0))) / rounding, float(np.sqrt(moved)) / rounding


def _tell(suspect: Float64, widths: Float64) -> bool:
    """Whether there are enough rows and columns, and a cell, for which a first row mostly does."""
    return min(suspect.shape) >= MIN_MATRIX_SIDE and any(bool(_known(rows).any()) for rows in (widths[:1], widths))


def _known(widths: Float64) -> npt.NDArray[np.bool_]:
    return np.isfinite(widths) & (widths > 0)


def _means(matrix: Float64) -> Means:
    return matrix.mean(axis=1), matrix.mean(axis=0)


def _product(first: Float64, of_first: Means, second: Float64, of_second: Means) -> float:
    """<first, second>, both without the means of their rows and columns."""
    rows, columns = first.shape
    shared = columns * np.vdot(of_first[0], of_second[0]) + rows * np.vdot(of_first[1], of_second[1])
    return float(np.vdot(first, second) - shared + first.size * of_first[0].mean() * of_second[0].mean())
