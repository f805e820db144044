"""Tails of binomial distributions, no more of them than the estimators need. Estimates nothing.

`scipy.stats` has them too, and importing it costs more than a whole comparison: the tests hold these against it.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float64


@lru_cache
def log_factorials(most: int) -> Float64:
    """Logarithms of the factorials of 0 to `most`, float64 [most + 1]."""
    found = np.array([math.lgamma(n + 1) for n in range(most + 1)])
    found.flags.writeable = False
    return found


def tails(log_chances: Float64) -> Float64:
    """P(X > i) of X binomial with n trials of probability exp(log_chances[..., i]) each, i = 0 ... n - 1, [..., n].

    Each a sum of its terms; relative error 1e-11. A probability above 1 counts as 1.
    """
    n = log_chances.shape[-1]
    factorials, more = log_factorials(n), np.arange(n + 1)
    ways = factorials[n] - factorials - factorials[::-1]
    chance = np.minimum(log_chances, 0.0)[..., None]
    with np.errstate(divide="ignore", invalid="ignore"):  # of a chance of 0 or 1
        against = np.where(chance < -1, np.log1p(-np.exp(chance)), np.log(-np.expm1(chance)))
        terms = np.exp(ways + more * chance + (n - more) * against)
    counted = np.arange(n)[:, None] < more
    found = np.where(chance[..., 0] == 0, 1.0, np.sum(terms, axis=-1, where=counted))
    return np.minimum(found, 1.0)
