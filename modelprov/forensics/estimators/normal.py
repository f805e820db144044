"""Normal and Student distributions, no more of them than the estimators need. Estimates nothing.

`scipy.special` has them too, and importing it costs more than a whole likelihood: the tests hold these against it.
"""

from __future__ import annotations

import math

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.native import native

TERMS = 12
LARGE = 400
"""Degrees of freedom from which the quantile's expansion in their inverse is exact in float64."""
_PROBABILITY = 0.975


def cumulative(values: Float64) -> Float64:
    """Phi, the share of the standard normal distribution below each value of float64 [n]; relative error 1e-15."""
    out = np.empty(values.shape)
    library = native()
    if library is not None:
        library.cumulative(np.ascontiguousarray(values, np.float64), out)
    else:
        from modelprov.forensics.estimators.normal_compiled import fill_cumulative

        fill_cumulative(np.ascontiguousarray(values), out)
    return out


def scaled_tail(values: Float64) -> Float64:
    """exp(x**2) erfc(x) of values x >= 20, float64 [n], by the asymptotic series (Abramowitz and Stegun 7.1.23)."""
    step = -0.5 / np.square(values)
    term = total = np.ones_like(values)
    for k in range(1, TERMS):
        term = term * step * (2 * k - 1)
        total = total + term
    return np.asarray(total / (values * math.sqrt(math.pi)), np.float64)


def student_95(freedom: int) -> float:
    """The quantile 0.975 of Student's t with so many degrees of freedom (at least 1); relative error below 1e-12.

    Newton's method on the closed form of the distribution (Abramowitz and Stegun 26.7.3 and 26.7.4); for many degrees
    the expansion of Fisher and Cornish (26.7.5).
    """
    from statistics import NormalDist

    x = NormalDist().inv_cdf(_PROBABILITY)
    if freedom >= LARGE:
        return x + sum(_powers(x, order) / freedom**order for order in (1, 2, 3, 4))
    t = math.tan(math.pi * (_PROBABILITY - 0.5)) if freedom == 1 else x
    for _ in range(100):
        density = math.exp(
            math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)
            - (freedom + 1) / 2 * math.log1p(t * t / freedom)
        ) / math.sqrt(freedom * math.pi)  # fmt: skip
        step = (_within(t, freedom) - (2 * _PROBABILITY - 1)) / (2 * density)
        t -= step  # the distribution is concave here: from below, Newton's steps never go beyond the quantile
        if abs(step) <= 1e-15 * t:
            break
    return t


def _powers(x: float, order: int) -> float:
    """The polynomial in the normal quantile that belongs to this power of the inverse degrees of freedom."""
    return (
        (x**3 + x) / 4,
        (5 * x**5 + 16 * x**3 + 3 * x) / 96,
        (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384,
        (79 * x**9 + 776 * x**7 + 1482 * x**5 - 1920 * x**3 - 945 * x) / 92160,
    )[order - 1]


def _within(t: float, freedom: int) -> float:
    """Probability that |T| <= t."""
    angle = math.atan(t / math.sqrt(freedom))
    sine, cosine = math.sin(angle), math.cos(angle)
    term = total = cosine if freedom % 2 else 1.0
    for k in range(3 if freedom % 2 else 2, freedom - 1, 2):
        term *= (k - 1) / k * cosine**2
        total += term
    if freedom % 2 == 0:
        return sine * total
    return 2 / math.pi * (angle + (sine * total if freedom > 1 else 0.0))
