"""The normal distribution of `normal.py` in numba, where there are no C kernels. Importing this imports numba."""

from __future__ import annotations

import math

from numba import njit

import modelprov.compiled  # noqa: F401  (says where compiled code is kept, before any of it is made)

_ROOT_HALF = math.sqrt(0.5)


@njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def fill_cumulative(values, out):
    """Fill `out` float64 [n] with the share below each of `values` float64 [n]."""
    for i in range(len(values)):
        scaled = values[i] * _ROOT_HALF
        if abs(scaled) < 1.0:
            out[i] = 0.5 + 0.5 * math.erf(scaled)
        elif scaled < 0.0:
            out[i] = 0.5 * math.erfc(-scaled)
        else:
            out[i] = 1.0 - 0.5 * math.erfc(scaled)
