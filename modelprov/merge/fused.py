"""The compiled loop of weighted sums: stored bytes in, stored bytes out, in one pass over cache-sized chunks.

The arithmetic itself is `modelprov.recipes.arithmetics.evaluate`; here are only decoding and encoding around it.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.recipes.arithmetics import evaluate

CHUNK = 4096
CODES = {DType.BF16: 0, DType.F16: 1, DType.F32: 2}
FORMATS = CODES | {DType.F64: 3}


@njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def f16_value(bits):
    """IEEE half precision bits as float32, exactly."""
    sign = np.uint32(np.uint32(bits & np.uint16(0x8000)) << np.uint32(16))
    exponent = np.uint32(np.uint32(bits >> np.uint16(10)) & np.uint32(0x1F))
    fraction = np.uint32(bits & np.uint16(0x3FF))
    if exponent == 0:
        value = np.float32(fraction) * np.float32(2.0**-24)
        return -value if sign else value
    if exponent == 31:
        return np.uint32(sign | np.uint32(0x7F800000) | np.uint32(fraction << np.uint32(13))).view(np.float32)
    high = np.uint32(np.uint32(exponent + np.uint32(112)) << np.uint32(23))
    return np.uint32(sign | high | np.uint32(fraction << np.uint32(13))).view(np.float32)


@njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def f16_bits(value):
    """A float32 that is a half precision number as its bits."""
    word = np.float32(value).view(np.uint32)
    sign = np.uint16(np.uint32(word >> np.uint32(16)) & np.uint32(0x8000))
    magnitude = np.uint32(word & np.uint32(0x7FFFFFFF))
    if magnitude >= np.uint32(0x7F800000):
        quiet = np.uint16(0x7E00) if magnitude > np.uint32(0x7F800000) else np.uint16(0x7C00)
        return np.uint16(sign | quiet)
    if magnitude < np.uint32(0x38800000):  # subnormal: a multiple of 2**-24
        return np.uint16(sign | np.uint16(np.uint32(magnitude).view(np.float32) * np.float32(2.0**24)))
    return np.uint16(sign | np.uint16(np.uint32(magnitude - np.uint32(0x38000000)) >> np.uint32(13)))


@njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def decode_row(raw, code, first, m, out):
    """`m` elements from element `first` of `raw` uint8 [bytes] to float32; the rest of `out` becomes 0."""
    if code == 0:
        bits = raw.view(np.uint16)[first : first + m]
        words = out.view(np.uint32)
        for i in range(m):
            words[i] = np.uint32(bits[i]) << np.uint32(16)
    elif code == 1:
        halves = raw.view(np.uint16)[first : first + m]
        for i in range(m):
            out[i] = f16_value(halves[i])
    else:
        singles = raw.view(np.float32)[first : first + m]
        for i in range(m):
            out[i] = singles[i]
    for i in range(m, len(out)):
        out[i] = 0


@njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def encode_row(values, code, first, m, raw):
    """`m` values that are representable in the format as its bytes, from element `first` of `raw`; NaN stays NaN."""
    if code == 0:
        bits = raw.view(np.uint16)[first : first + m]
        words = values.view(np.uint32)
        for i in range(m):
            bits[i] = np.uint16(words[i] >> np.uint32(16))
    elif code == 1:
        halves = raw.view(np.uint16)[first : first + m]
        for i in range(m):
            halves[i] = f16_bits(values[i])
    else:
        singles = raw.view(np.float32)[first : first + m]
        for i in range(m):
            singles[i] = values[i]


@njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def any_nonfinite(raw, code, count):
    """Whether an infinity or NaN is among the first `count` elements of `raw`: a number whose exponent is all ones."""
    largest = np.uint64(0)
    if code <= 1:
        mask = np.uint16(0x7F80 if code == 0 else 0x7C00)
        halves, high = raw.view(np.uint16), np.uint16(0)
        for i in range(count):
            high = max(high, np.uint16(halves[i] & mask))
        return high == mask
    if code == 2:
        words, highest = raw.view(np.uint32), np.uint32(0)
        for i in range(count):
            highest = max(highest, np.uint32(words[i] & np.uint32(0x7F800000)))
        return highest == np.uint32(0x7F800000)
    longs = raw.view(np.uint64)
    for i in range(count):
        largest = max(largest, longs[i] & np.uint64(0x7FF0000000000000))
    return largest == np.uint64(0x7FF0000000000000)


@njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def weighted(arithmetic, raw, codes, weights, order, out_code, count, parents, row, out):
    """Merge `count` elements: `raw` uint8 [k, bytes] of formats `codes` [k] into `out` uint8 [bytes].

    `weights` float64 [k], `order` int64 [k]; `parents` float32 [k, CHUNK] and `row` float32 [CHUNK] are scratch.
    """
    for first in range(0, count, CHUNK):
        m = min(CHUNK, count - first)
        for j in range(len(codes)):
            decode_row(raw[j], codes[j], first, m, parents[j])
        evaluate(arithmetic, parents, weights, order, out_code, row)
        encode_row(row, out_code, first, m, out)
