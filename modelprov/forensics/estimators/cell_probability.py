"""The logarithm of a normal cell probability, log(Phi(b) - Phi(a)), and its derivatives, in every regime of a and b.

As a function of the cell's centre m = (a + b)/2 and width w = b - a it is concave and even in m. Three ways to compute
it: differences of Phi in the lower tail; scaled complementary error functions where those underflow; the density times
the width where the cell is so narrow that the difference would cancel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.forensics.estimators.normal import cumulative, scaled_tail

_NARROW = 1e-4
_FAR = -30.0
_DENSITY = 1 / math.sqrt(2 * math.pi)
_ROOT_HALF = math.sqrt(0.5)


@dataclass(frozen=True, eq=False)
class CellTerms:
    """float64[n] each: log(Phi(b) - Phi(a)) and its first and second derivatives in the centre m and the width w."""

    log_probability: Float64
    by_m: Float64
    by_w: Float64
    by_mm: Float64
    by_mw: Float64
    by_ww: Float64


def cell_terms(centre: Float64, width: Float64) -> CellTerms:
    """Compute the terms of cells with these centres and (positive) widths, in units of the standard deviation."""
    mirrored = -np.abs(centre)
    low, high = mirrored - width / 2, mirrored + width / 2
    with np.errstate(all="ignore"):  # the elements where this underflows are replaced below
        probability = cumulative(high) - cumulative(low)
        at_high = _DENSITY * np.exp(-0.5 * high**2) / probability
        at_low = _DENSITY * np.exp(-0.5 * low**2) / probability
        log_probability = np.log(probability)
    narrow = width * (1 - mirrored) < _NARROW
    far = np.flatnonzero((high < _FAR) & ~narrow)
    if far.size:
        decay = np.exp(width[far] * mirrored[far])  # phi(a) / phi(b)
        scaled = 0.5 * (scaled_tail(-high[far] * _ROOT_HALF) - scaled_tail(-low[far] * _ROOT_HALF) * decay)
        at_high[far], at_low[far] = _DENSITY / scaled, _DENSITY * decay / scaled
        log_probability[far] = np.log(scaled) - 0.5 * high[far] ** 2
    with np.errstate(invalid="ignore"):  # of narrow cells, as above
        pull = at_high - at_low
        mean = (at_high + at_low) / 2
        first, second = high * at_high, low * at_low
        by_mm = np.minimum(-(first - second) - pull**2, 0.0)
        by_mw = -(first + second) / 2 - pull * mean
        by_ww = -(first - second) / 4 - mean**2
    at = np.flatnonzero(narrow)
    if at.size:
        log_probability[at] = np.log(width[at] * _DENSITY) - 0.5 * mirrored[at] ** 2
        pull[at], mean[at] = -mirrored[at], 1 / width[at]
        by_mm[at], by_mw[at], by_ww[at] = -1.0, 0.0, -1 / width[at] ** 2
    sign = np.where(centre > 0, -1.0, 1.0)
    return CellTerms(log_probability, sign * pull, mean, by_mm, sign * by_mw, by_ww)
