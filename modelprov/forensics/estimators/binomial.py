"""Tails of binomial distributions, no more of them than the estimators need. Estimates nothing.

`scipy.stats` has them too, and importing it costs more than a whole comparison: the tests hold these against it.
"""

from __future__ import annotations

import math

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float64


def log_factorials(most: int) -> Float64:
    """Logarithms of the factorials of 0 to `most`, float64 [most + 1]."""
    return np.array([math.lgamma(n + 1) for n in range(most + 1)])


def tails(log_chances: Float64) -> Float64:
    """P(X > i) of X binomial with n trials of probability exp(log_chances[i]) each, for i = 0 ... n - 1, float64 [n].

    Each a sum of its terms; relative error 1e-11. A probability above 1 counts as 1.
    """
    n = log_chances.size
    factorials, more = log_factorials(n), np.arange(n + 1)
    ways = factorials[n] - factorials - factorials[::-1]
    found = np.zeros(n)
    for i, chance in enumerate(np.minimum(log_chances, 0.0).tolist()):
        if chance == 0:
            found[i] = 1
            continue
        against = math.log1p(-math.exp(chance)) if chance < -1 else math.log(-math.expm1(chance))
        own = slice(i + 1, None)
        found[i] = np.exp(ways[own] + more[own] * chance + (n - more[own]) * against).sum()
    return np.minimum(found, 1.0)
