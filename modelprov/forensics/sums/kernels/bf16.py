"""Inner loops for three bf16 checkpoints, two elements a 32-bit word. Called by `numba_loops.py` on a run."""

from __future__ import annotations

import numpy as np
from numba import njit

from modelprov.checkpoints.formats.compiled import bf16_bits, high_bf16, low_bf16
from modelprov.recipes.arithmetics_compiled import fma32

CHUNK = 1024  # elements: three streams of 2 KiB stay in the first-level cache between the loops


@njit(nogil=True, fastmath={"reassoc", "contract", "nsz"}, _nrt=False)
def sums_bf16(a, p, r, part):
    """Gram of (v, u, R, 1) of one chunk added to `part`; words uint32 [m / 2] of suspect, parent, reference."""
    vv = vu = vr = sv = uu = ur = su = rr = sr = np.float32(0)
    for i in range(len(a)):
        z = low_bf16(r[i])
        v = low_bf16(a[i]) - z
        u = low_bf16(p[i]) - z
        z2 = high_bf16(r[i])
        v2 = high_bf16(a[i]) - z2
        u2 = high_bf16(p[i]) - z2
        vv += v * v
        vu += v * u
        vr += v * z
        sv += v
        uu += u * u
        ur += u * z
        su += u
        rr += z * z
        sr += z
        vv += v2 * v2
        vu += v2 * u2
        vr += v2 * z2
        sv += v2
        uu += u2 * u2
        ur += u2 * z2
        su += u2
        rr += z2 * z2
        sr += z2
    part[0] += vv
    part[1] += vu
    part[2] += vr
    part[3] += sv
    part[4] += uu
    part[5] += ur
    part[6] += su
    part[7] += rr
    part[8] += sr


@njit(inline="always")
def _order(bits):
    """int16 in the order of the bf16 with these bits; -0 comes just below +0."""
    signed = np.int16(bits)
    return np.int16(signed ^ np.int16(np.uint16(np.int16(signed >> np.int16(15))) >> np.uint16(1)))


@njit(nogil=True, _nrt=False)
def counts_bf16(a, p, r, counts):
    """Equality and betweenness of one run added to `counts`; bits uint16 [m], m <= 4096 so that int16 suffices."""
    sp = sr = pr = everywhere = between = np.int16(0)
    for i in range(len(a)):
        x, y, z = _order(a[i]), _order(p[i]), _order(r[i])
        same_p = x == y
        same_r = x == z
        sp = np.int16(sp + np.int16(same_p))
        sr = np.int16(sr + np.int16(same_r))
        pr = np.int16(pr + np.int16(y == z))
        everywhere = np.int16(everywhere + np.int16(same_p & same_r))
        middle = max(min(y, z), min(max(y, z), x))
        between = np.int16(between + np.int16(middle == x))
    counts[0] += len(a)
    counts[3] += everywhere
    counts[4] += pr
    counts[5] += between
    counts[6] += sp
    counts[7] += sr
    counts[8] += pr


@njit(nogil=True, _nrt=False)
def recipe_bf16(a, p, r, first, second, parent_first, fused):
    """How many elements equal bf16(first * X + second * Y), X the parent if `parent_first`, else the reference."""
    if not parent_first:
        p, r = r, p
    total = np.int32(0)
    if fused:
        for i in range(len(a)):
            low = bf16_bits(fma32(low_bf16(r[i]), second, np.float32(low_bf16(p[i]) * first)))
            high = bf16_bits(fma32(high_bf16(r[i]), second, np.float32(high_bf16(p[i]) * first)))
            total += np.int32(np.uint32(low >> np.uint32(16)) == np.uint32(a[i] & np.uint32(0xFFFF)))
            total += np.int32(np.uint32(np.uint32(high ^ a[i]) & np.uint32(0xFFFF0000)) == np.uint32(0))
        return total
    for i in range(len(a)):
        low = bf16_bits(np.float32(low_bf16(p[i]) * first) + np.float32(low_bf16(r[i]) * second))
        high = bf16_bits(np.float32(high_bf16(p[i]) * first) + np.float32(high_bf16(r[i]) * second))
        total += np.int32(np.uint32(low >> np.uint32(16)) == np.uint32(a[i] & np.uint32(0xFFFF)))
        total += np.int32(np.uint32(np.uint32(high ^ a[i]) & np.uint32(0xFFFF0000)) == np.uint32(0))
    return total
