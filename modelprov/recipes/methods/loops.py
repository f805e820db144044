"""Loops of merge methods in numba, which importing this imports: methods do it where they first need one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from modelprov.checkpoints.formats.compiled import to_bf16
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
