"""Whether a matrix is another one with directions taken out of what it reads, and nothing else. Judges nothing.

The nearest matrix of a lower rank (C. Eckart and G. Young 1936) is one: what was taken off stands at right angles to
all that is left, in every row. What was trained stands at right angles to nothing.
"""

from __future__ import annotations

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.checkpoints.types import MIN_MATRIX_SIDE
from modelprov.forensics.thresholds import PROJECTED, SCALED_MOVED, SCALED_ROUNDED


def is_projected(suspect: Float64, parent: Float64, widths: Float64) -> bool | None:
    """Whether rows [n, m] of a suspect stand at right angles to what they lack of the parent's, to rounding.

    Products of rows of S with other rows of S - P, beside those of P with them: with itself a row's rounding error,
    and what a quantiser with the best numbers leaves, make a product by design. None where less than twice
    what rounding leaves of such products is there, or of fewer rows or columns than `MIN_MATRIX_SIDE`.
    """
    change = suspect - parent
    moved = change.any(axis=1)
    known = np.isfinite(widths).all()
    if not known or min(int(np.count_nonzero(moved)), suspect.shape[1]) < MIN_MATRIX_SIDE:
        return None
    suspect, parent, change, widths = suspect[moved], parent[moved], change[moved], widths[moved]
    rounding = np.square(widths) / 12
    noise = _others(np.square(suspect) @ rounding.T) + _others(rounding @ np.square(change).T)
    theirs = _others(np.square(parent @ change.T))
    if theirs <= SCALED_MOVED**2 * noise:
        return None
    return _others(np.square(suspect @ change.T)) <= SCALED_ROUNDED**2 * noise + PROJECTED**2 * theirs


def _others(squares: Float64) -> float:
    """The sum of squares [n, n] of all pairs of rows but those of a row with itself."""
    return float(squares.sum() - np.trace(squares))
