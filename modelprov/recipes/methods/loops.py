"""Loops of merge methods in numba, which importing this imports: methods do it where they first need one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from modelprov.checkpoints.formats.compiled import round_all, store, to_bf16
from modelprov.recipes.arithmetics_compiled import fma32


@njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator]
def weighted_sum(parents: Any, weights: Any, fused: bool, out: Any) -> None:
    """Fill `out` float32 [m] with the sum of `parents` float32 [k, m] times `weights` float32 [k], in their order."""
    for i in range(len(out)):
        out[i] = parents[0, i] * weights[0]
    for j in range(1, len(weights)):
        if fused:
            for i in range(len(out)):
                out[i] = fma32(parents[j, i], weights[j], out[i])
        else:
            for i in range(len(out)):
                out[i] = out[i] + np.float32(parents[j, i] * weights[j])


@njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator]
def fill_bf16(values: Any, out: Any) -> None:
    """Fill `out` float32 [n] with `values` rounded to bf16; what is not finite stays as it is."""
    for i in range(len(values)):
        value = values[i]
        out[i] = to_bf16(value) if abs(value) < np.inf else value


@njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator]
def lane_squares(rows: Any, out: Any) -> None:
    """Fill `out` float32 [k] with the sums of squares of `rows` float32 [k, n] as eight float32 lanes add them."""
    for row in range(len(rows)):
        values = rows[row]
        lanes = np.zeros(8, np.float32)
        whole = len(values) - len(values) % 8
        for i in range(0, whole, 8):
            for j in range(8):
                lanes[j] += np.float32(values[i + j] * values[i + j])
        total = np.float32(0)
        for j in range(8):
            total = np.float32(total + lanes[j])
        for i in range(whole, len(values)):
            total = np.float32(total + np.float32(values[i] * values[i]))
        out[row] = total


@njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator]
def add_squares(values: Any, lanes: Any) -> None:
    """Add the squares of `values` float32 [8 n] to `lanes` float32 [8], each to the lane of its place."""
    for i in range(0, len(values), 8):
        for j in range(8):
            lanes[j] += np.float32(values[i + j] * values[i + j])


@njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator]
def add_in_levels(values: Any, levels: Any, at: int, power: int, wide: bool) -> int:
    """Add `values` float32 to `levels` float32 [4, 4, 8] as torch's cascaded sum does; the number of steps so far.

    A step is four vectors of eight numbers, or of eight pairs that are added first (`wide`). After every 2**power
    steps a level is added to the next one; the last steps, too few for that, stay in the first.
    """
    vector = 16 if wide else 8
    whole = 1 << power
    for first in range(0, len(values), 4 * vector):
        for k in range(4):
            row = first + k * vector
            for lane in range(8):
                value = values[row + lane]
                if wide:
                    value = np.float32(value + values[row + 8 + lane])
                levels[0, k, lane] += value
        at += 1
        if at % whole == 0:
            for j in range(1, 4):
                for k in range(4):
                    for lane in range(8):
                        levels[j, k, lane] += levels[j - 1, k, lane]
                        levels[j - 1, k, lane] = 0
                if at & ((whole - 1) << (j * power)):
                    break
    return at


@njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator]
def count_bits(values: Any, shift: int, known: int, bins: Any) -> None:
    """Add to `bins` int64 [65536] how often each 16 bits from `shift` on are among those of `values` float32.

    Bits are those of whole numbers in the order of the values (`selection`), 0 and -0 one; `known` are the higher bits
    of what counts, -1 for everything.
    """
    top = np.uint32(0x80000000)
    for i in range(len(values)):
        bits = np.float32(values[i] + np.float32(0)).view(np.uint32)
        key = np.int64(np.uint32(bits | top)) if bits < top else np.int64(np.uint32(~bits))
        if known < 0 or (key >> (shift + 16)) == known:
            bins[(key >> shift) & 0xFFFF] += 1


@njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator]
def fill_between(delta: Any, first: int, inside: Any, outside: Any, out: Any) -> None:
    """Fill `out` with those of `delta` float32 whose sizes are kept `inside` and not `outside`, 0 elsewhere.

    Either is (cut, last): sizes above the cut, and those equal to it up to the place `last`; `first` is the place of
    the first element.
    """
    for i in range(len(delta)):
        size, place = abs(delta[i]), first + i
        kept = size > inside[0] or (size == inside[0] and place <= inside[1])
        dropped = size > outside[0] or (size == outside[0] and place <= outside[1])
        out[i] = delta[i] if kept and not dropped else np.float32(0)


@njit(nogil=True, cache=True, error_model="numpy")  # type: ignore[untyped-decorator]
def fill_moved(  # noqa: PLR0912  (one pass; each branch is a step of the method)
    base: Any, deltas: Any, weights: Any, vote: bool, normalize: bool, scale: float, code: int, out_code: int, out: Any
) -> None:
    """Fill `out` float32 [n] as `combining.moved` does: `base` [n], `deltas` [k, n], `weights` [k], all float32.

    `code` is the format that every operation is rounded to, `out_code` the stored one, both within float32.
    """
    models, tiny, one, zero = len(weights), np.float32(1e-8), np.float32(1), np.float32(0)
    whole = weights[0]
    for j in range(1, models):
        whole = np.float32(whole + weights[j])
    whole = store(whole, code)
    factor, size = np.float32(scale), 2048  # loops over short rows, which the compiler turns into vector instructions
    shares, total, divisor = (
        np.empty((models, size), np.float32),
        np.empty(size, np.float32),
        np.empty(size, np.float32),
    )
    for first in range(0, len(base), size):
        n = min(size, len(base) - first)
        for j in range(models):
            delta, weight, share = deltas[j, first : first + n], weights[j], shares[j, :n]
            for i in range(n):
                share[i] = np.float32(delta[i] * weight)
            round_all(share, code)
            if j == 0:
                total[:n] = share
            else:
                for i in range(n):
                    total[i] = np.float32(total[i] + share[i])
        round_all(total[:n], code)
        if vote:
            for i in range(n):
                divisor[i] = one if total[i] >= 0 else -one
                total[i] = zero
            for j in range(models):
                share = shares[j, :n]
                for i in range(n):
                    agrees = np.float32(share[i] * divisor[i]) > 0
                    share[i] = share[i] if agrees else zero
                    total[i] = np.float32(total[i] + share[i])
            if normalize:
                divisor[:n] = 0
                for j in range(models):
                    weight, share = weights[j], shares[j, :n]
                    for i in range(n):
                        divisor[i] = np.float32(divisor[i] + (weight if share[i] != 0 else zero))
            round_all(total[:n], code)
            round_all(divisor[:n], code)
        else:
            divisor[:n] = whole
        if normalize:
            for i in range(n):
                total[i] = np.float32(total[i] / (one if abs(divisor[i]) < tiny else divisor[i]))
            round_all(total[:n], code)
        if scale != 1:
            for i in range(n):
                total[i] = np.float32(total[i] * factor)
            round_all(total[:n], code)
        made = out[first : first + n]
        for i in range(n):
            made[i] = np.float32(base[first + i] + total[i])
        round_all(made, code)
        round_all(made, out_code)
