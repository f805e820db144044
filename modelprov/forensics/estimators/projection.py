"""Whether a matrix is another one with directions taken out of what it reads, and nothing else. Judges nothing.

The nearest matrix of a lower rank (C. Eckart and G. Young 1936) is one: what was taken off stands at right angles to
all that is left, in every row. What was trained stands at right angles to nothing.
"""

from __future__ import annotations

import math

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.checkpoints.types import MIN_MATRIX_SIDE
from modelprov.forensics.thresholds import PROJECTED, SCALED_MOVED, SCALED_ROUNDED

CLEARLY = 1 + 1e-9
"""Further than sums of squares are off."""


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
    if not moved.all():
        suspect, change, widths = suspect[moved], change[moved], widths[moved]
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


def _of_others(first: Float64, second: Float64) -> float:
    """The sum of the products of rows [n, m] of the one with all rows of the other but that in the same place."""
    return float(first.sum(axis=0) @ second.sum(axis=0) - np.vdot(first, second))


def _squares_of_others(products: Float64) -> float:
    """The sum of squares of products [n, n] of all pairs of rows but those of a row with itself."""
    return max(float(np.vdot(products, products) - np.square(products.diagonal()).sum()), 0.0)
