"""Whether a matrix is another one stretched along directions of what it reads, and nothing else. Judges nothing.

The nearest matrix of a lower rank (C. Eckart and G. Young 1936) is one: what was taken off stands at right angles to
all that is left, in every row. What was trained stands at right angles to nothing. Where directions were weakened,
taken out or made stronger, S = P M with a symmetric M, and then (S - P) P' is symmetric, which no training leaves it.
"""

from __future__ import annotations

import math

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.checkpoints.types import MIN_MATRIX_SIDE
from modelprov.forensics.thresholds import PROJECTED, SCALED_MOVED, SCALED_ROUNDED, SYMMETRIC

TINY = 1e-300
CLEARLY = 1 + 1e-9
"""Further than sums of squares are off."""


def is_projected(suspect: Float64, parent: Float64, widths: Float64) -> bool | None:
    """Whether rows [n, m] of a suspect stand at right angles to what they lack of the parent's, to rounding.

    Products of rows of S with other rows of S - P, beside those of P with them: with itself a row's rounding error,
    and what a quantiser with the best numbers leaves, make a product by design. None where less than twice
    what rounding leaves of such products is there, or of fewer rows or columns than `MIN_MATRIX_SIDE`.
    """
    rows = _moved(suspect, parent, widths)
    if rows is None:
        return None
    suspect, parent, widths = rows
    change = suspect - parent
    noise = _of_others(np.square(suspect) + np.square(change), np.square(widths) / 12)
    products = suspect @ change.T
    ours = _squares_of_others(products)
    # Those of P are the same less the change's own, whose sizes bound them: most training is told by these.
    size, own = float(np.vdot(change, change)), math.sqrt(ours)
    least, most = max(0.0, own - size) ** 2, (own + size) ** 2
    if least > CLEARLY * SCALED_MOVED**2 * noise and ours > CLEARLY * (SCALED_ROUNDED**2 * noise + PROJECTED**2 * most):
        return False
    theirs = _squares_of_others(products - change @ change.T)
    if theirs <= SCALED_MOVED**2 * noise:
        return None
    return ours <= SCALED_ROUNDED**2 * noise + PROJECTED**2 * theirs


def is_stretched(suspect: Float64, parent: Float64, widths: Float64) -> bool | None:
    """Whether rows [n, m] of a suspect are a parent's times a symmetric matrix [m, m], to rounding.

    Products of rows of S - P with other rows of P, the other way round beside them; a factor for all is taken off
    first. None where less than twice what rounding leaves of such products is there, or as for `is_projected`.
    """
    rows = _moved(suspect, parent, widths)
    if rows is None:
        return None
    suspect, parent, widths = rows
    change = suspect - parent
    change -= parent * (np.vdot(change, parent) / max(float(np.vdot(parent, parent)), TINY))
    products = change @ parent.T
    noise = _of_others(np.square(widths) / 12, np.square(parent))
    theirs = _squares_of_others(products)
    if theirs <= SCALED_MOVED**2 * noise:
        return None
    uneven = _squares_of_others(products - products.T)
    return uneven / 4 <= SCALED_ROUNDED**2 * noise / 2 + SYMMETRIC * theirs


def _moved(suspect: Float64, parent: Float64, widths: Float64) -> tuple[Float64, Float64, Float64] | None:
    """The rows that differ; None where they are too few, or their cells have no bounds."""
    moved = (suspect != parent).any(axis=1)
    if not np.isfinite(widths).all() or min(int(np.count_nonzero(moved)), suspect.shape[1]) < MIN_MATRIX_SIDE:
        return None
    return (suspect, parent, widths) if moved.all() else (suspect[moved], parent[moved], widths[moved])


def _of_others(first: Float64, second: Float64) -> float:
    """The sum of the products of rows [n, m] of the one with all rows of the other but that in the same place."""
    return float(first.sum(axis=0) @ second.sum(axis=0) - np.vdot(first, second))


def _squares_of_others(products: Float64) -> float:
    """The sum of squares of products [n, n] of all pairs of rows but those of a row with itself."""
    return max(float(np.vdot(products, products) - np.square(products.diagonal()).sum()), 0.0)
