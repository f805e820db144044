"""Sums of a run of elements in numba: differences, the Gram matrix, whether float32 was enough. For `numba_loops.py`.

Float32 lanes inside chunks of 1,024 elements, float64 across.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from modelprov.forensics.sums.kernels.bf16 import CHUNK
from modelprov.forensics.sums.moments import FIRST_PAIR

LANES = {"reassoc", "contract", "nsz"}
TINY = np.float32(1e-27)  # below this, squares may have been lost to underflow: add in float64 instead


@njit(nogil=True, _nrt=False)
def in_range(part, n, m, gram, run, one_format):
    """Whether the float32 sums of a run can be trusted: all finite, and no sum of squares lost to underflow.

    A delta's squares may add up to nothing only where all its elements are equal, by the counts in `run`; those are
    taken in the suspect's format, so with several formats (not `one_format`) they prove nothing.
    """
    for c in range(gram):
        if not np.isfinite(part[c]):
            return False
    column, pair = 0, FIRST_PAIR - 1
    for i in range(n):
        pair += n - 1 - i  # the column that counts where checkpoint i equals the last
        if part[column] < TINY and (i == n - 1 or part[column] != 0 or run[pair] != m or not one_format):
            return False
        column += n + 1 - i
    return m > 0


@njit(nogil=True, _nrt=False)
def jackknife(part, n, first):
    """Products of a run's own sums: <u_i,u_i>, <u_i,v>."""
    row = n + 1
    for parent in range(1, n - 1):
        a, c = part[row], part[parent]
        part[first + 3 * (parent - 1)] = a * a
        part[first + 3 * (parent - 1) + 1] = a * c
        part[first + 3 * (parent - 1) + 2] = c * c
        row += n + 1 - parent


@njit(nogil=True, _nrt=False)
def subtract(values, m, deltas):
    """Fill the first m columns of `deltas` with each row of `values` less the last one."""
    last = len(values) - 1
    for i in range(last):
        a, r, d = values[i, :m], values[last, :m], deltas[i, :m]
        for j in range(m):
            d[j] = a[j] - r[j]


@njit(nogil=True, fastmath=LANES, _nrt=False)
def _dot_lanes(a, b):
    total = np.float32(0)
    for i in range(len(a)):
        total += a[i] * b[i]
    return total


@njit(nogil=True, _nrt=False)
def _dot(a, b):
    total = 0.0
    for first in range(0, len(a), CHUNK):
        total += _dot_lanes(a[first : first + CHUNK], b[first : first + CHUNK])
    return total


@njit(nogil=True, fastmath=LANES, _nrt=False)
def _sum_lanes(a):
    total = np.float32(0)
    for i in range(len(a)):
        total += a[i]
    return total


@njit(nogil=True, _nrt=False)
def _sum(a):
    total = 0.0
    for first in range(0, len(a), CHUNK):
        total += _sum_lanes(a[first : first + CHUNK])
    return total


@njit(nogil=True, _nrt=False)
def gram(deltas, reference, m, part):
    """Fill `part` with products of deltas, reference and ones: the upper triangle by rows, without the last entry."""
    n = len(deltas) + 1
    column = 0
    for i in range(n):
        a = deltas[i, :m] if i < n - 1 else reference[:m]
        for j in range(i, n):
            part[column] = _dot(a, deltas[j, :m] if j < n - 1 else reference[:m])
            column += 1
        part[column] = _sum(a)
        column += 1


@njit(nogil=True, _nrt=False)
def gram_double(values, m, part):
    """The same of the values themselves, in float64 throughout."""
    n = len(values)
    column = 0
    for i in range(n):
        for j in range(i, n + 1):
            total = 0.0
            for t in range(m):
                r = np.float64(values[n - 1, t])
                a = np.float64(values[i, t]) - r if i < n - 1 else r
                b = 1.0
                if j < n:
                    b = np.float64(values[j, t]) - r if j < n - 1 else r
                total += a * b
            part[column] = total
            column += 1
