"""What two matrices share beside the means of their rows and columns, and whether those are all that parts them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.checkpoints.types import MIN_MATRIX_SIDE


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
    own, theirs = _centred(suspect), _centred(parent)
    size = float(np.linalg.norm(own) * np.linalg.norm(theirs))
    return BesideMeans(
        float(np.vdot(own, theirs)) / size if size > 0 else None,
        float(np.linalg.norm((own - theirs)[known])) / rounding,
        float(np.linalg.norm((suspect - parent)[known])) / rounding,
    )


def _centred(rows: Float64) -> Float64:
    """Without the means of rows and columns."""
    centred: Float64 = rows - rows.mean(axis=1, keepdims=True) - rows.mean(axis=0) + rows.mean()
    return centred
