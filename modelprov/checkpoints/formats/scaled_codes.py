"""Codes of one byte that stand for a number times a scale (FP8, int8): their values and rounding cells. Reads no files.

FP8 as in the OCP specification (E4M3 without infinities, E5M2), scales of powers of two (E8M0) as in OCP MX.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from modelprov.checkpoints.formats.dtypes import Bytes, DType, Float32, Float64, decode

CODES = {"F8_E4M3": "FP8 (E4M3)", "F8_E5M2": "FP8 (E5M2)", "I8": "int8"}
"""By the names of safetensors, what they are called."""
SCALES = frozenset({*map(str, DType), "F8_E8M0"})
ROUNDED = {"BF16": 2.0**-8, "F16": 2.0**-11, "F32": 2.0**-24, "F64": 0.0, "F8_E8M0": 0.0}
"""How much a scale of each format may be off, relative, where it was rounded after it was divided by."""
QUOTIENT = 2.0**-8
"""How far a quotient may be off, relative: many quantisers divide in bf16, whatever their scale is stored in."""


def scales_of(raw: Bytes, dtype: str) -> Float64:
    """Stored scales as float64."""
    if dtype == "F8_E8M0":
        values = np.exp2(raw.astype(np.float64) - 127)
        return np.where(raw == 255, np.nan, values)
    return decode(raw, DType(dtype))


def values(codes: Bytes, code: str) -> Float32:
    """What codes stand for before they are scaled, float32 of the same shape."""
    made = np.empty(codes.shape, np.float32)
    np.take(_table(code)[0], codes, out=made, mode="clip")
    return made


def bounds(codes: Bytes, code: str) -> tuple[Float64, Float64]:
    """Lower and upper bounds of what was rounded to these codes, before scaling; NaN for codes that are no numbers."""
    _, lower, upper = _table(code)
    return np.take(lower, codes), np.take(upper, codes)


def scaled_bounds(lower: Float64, upper: Float64, scale: Float64, dtype: str) -> tuple[Float64, Float64]:
    """Bounds times their scales, widened by the rounding of these."""
    slack = ROUNDED[dtype] + QUOTIENT
    with np.errstate(all="ignore"):
        low, high = lower * scale, upper * scale
    low, high = np.minimum(low, high), np.maximum(low, high)
    return low - slack * np.abs(low), high + slack * np.abs(high)


@lru_cache(maxsize=len(CODES))
def _table(code: str) -> tuple[Float32, Float64, Float64]:
    """By code: value, and the middles to the numbers below and above; the ends reach as far outward as inward."""
    number = np.arange(256)
    if code == "I8":
        found = np.where(number < 128, number, number - 256).astype(np.float64)
    else:
        bits, bias = (3, 7) if code == "F8_E4M3" else (2, 15)
        exponent, mantissa = (number & 127) >> bits, number & ((1 << bits) - 1)
        size = np.where(
            exponent == 0,
            mantissa * 2.0 ** (1 - bias - bits),
            (1 + mantissa / (1 << bits)) * np.exp2(exponent.astype(np.float64) - bias),
        )
        no_number = (number & 127) == 127 if code == "F8_E4M3" else exponent == 31
        found = np.where(no_number, np.nan, np.where(number < 128, size, -size))
    known = np.unique(found[np.isfinite(found)])
    middles = (known[1:] + known[:-1]) / 2
    lower = np.concatenate([[known[0] - (known[1] - known[0]) / 2], middles])
    upper = np.concatenate([middles, [known[-1] + (known[-1] - known[-2]) / 2]])
    place = np.clip(np.searchsorted(known, found), 0, known.size - 1)
    nowhere = ~np.isfinite(found)
    return (
        found.astype(np.float32),
        np.where(nowhere, np.nan, lower[place]),
        np.where(nowhere, np.nan, upper[place]),
    )
