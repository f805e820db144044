"""Plain floats in compiled loops (numba): decoded, encoded, rounded. No arithmetic of merges.

Whatever compiles a loop over weights takes these; numpy's versions in `dtypes` are their oracle. Importing this imports
numba. Formats are numbers here (`DType.code`); every function but `any_nonfinite` is for formats within float32.
"""

from __future__ import annotations

import numpy as np
from numba import njit

import modelprov.compiled  # noqa: F401  (says where compiled code is kept, before any of it is made)
from modelprov.checkpoints.formats.dtypes import DType

BF16, F16, F32 = DType.BF16.code, DType.F16.code, DType.F32.code


@njit(inline="always")
def low_bf16(word):
    """The first of two bf16 numbers in a little-endian word uint32, as float32."""
    return np.uint32(word << np.uint32(16)).view(np.float32)


@njit(inline="always")
def high_bf16(word):
    """The second of them."""
    return np.uint32(word & np.uint32(0xFFFF0000)).view(np.float32)


@njit(nogil=True, _nrt=False)
def _decode_bf16(raw, out):
    bits = out.view(np.uint32)
    for i in range(len(raw)):
        bits[i] = np.uint32(raw[i]) << np.uint32(16)


@njit(nogil=True, _nrt=False)
def _decode_f16(raw, out):
    """Times a power of two, which is exact for subnormal numbers too; what is not finite keeps its bits."""
    words = out.view(np.uint32)
    for i in range(len(raw)):
        half = np.uint32(raw[i])
        shifted = np.uint32(np.uint32(half & np.uint32(0x7FFF)) << np.uint32(13))
        word = np.float32(np.uint32(shifted).view(np.float32) * np.float32(2.0**112)).view(np.uint32)
        if np.uint32(half & np.uint32(0x7C00)) == np.uint32(0x7C00):
            word = np.uint32(shifted | np.uint32(0x7F800000))
        words[i] = np.uint32(word | np.uint32(np.uint32(half & np.uint32(0x8000)) << np.uint32(16)))


@njit(nogil=True, _nrt=False)
def _copy(raw, out):
    for i in range(len(raw)):
        out[i] = raw[i]


@njit(nogil=True, _nrt=False)
def size_of(code):
    """Bytes per element."""
    return 4 if code == F32 else 2


@njit(nogil=True, cache=True, _nrt=False)
def decode_into(raw, code, out):
    """The stored bytes `raw` uint8, whole elements, as float32 at the front of `out`; exact."""
    if code == F32:
        _copy(raw.view(np.float32), out)
    elif code == F16:
        _decode_f16(raw.view(np.uint16), out)
    else:
        _decode_bf16(raw.view(np.uint16), out)


@njit(nogil=True, _nrt=False)
def _f16_bits(value):
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
def encode_into(values, code, raw):
    """`values` float32 that are numbers of the format as its bytes, at the front of `raw`; a quiet NaN stays NaN."""
    if code == BF16:
        bits, words = raw.view(np.uint16), values.view(np.uint32)
        for i in range(len(words)):
            bits[i] = np.uint16(words[i] >> np.uint32(16))
    elif code == F16:
        halves = raw.view(np.uint16)
        for i in range(len(values)):
            halves[i] = _f16_bits(values[i])
    else:
        _copy(values, raw.view(np.float32))


@njit(nogil=True, _nrt=False)
def bf16_bits(value):
    """float32 rounded to bf16 (nearest, ties to even), as the bits of the float32 that holds it; NaN stays NaN."""
    bits = np.float32(value).view(np.uint32)
    odd = np.uint32(np.uint32(bits >> np.uint32(16)) & np.uint32(1))
    rounded = np.uint32(bits + np.uint32(0x7FFF) + odd)
    # A NaN is made quiet instead, which the cut leaves: rounding could carry it into a number.
    if np.uint32(bits & np.uint32(0x7FFFFFFF)) > np.uint32(0x7F800000):
        rounded = np.uint32(bits | np.uint32(0x00400000))
    return np.uint32(rounded & np.uint32(0xFFFF0000))


@njit(nogil=True, _nrt=False)
def to_bf16(value):
    """float32 rounded to bf16, as float32; NaN stays NaN."""
    return np.uint32(bf16_bits(value)).view(np.float32)


@njit(nogil=True, _nrt=False)
def to_f16(value):
    """Finite float32 rounded to IEEE half precision (nearest, ties to even), as float32."""
    magnitude = abs(value)
    if magnitude >= np.float32(65520.0):
        return np.float32(np.inf) if value > 0 else np.float32(-np.inf)
    if magnitude < np.float32(6.103515625e-05):  # subnormal: a multiple of 2**-24
        # Adding and subtracting 0.5 makes float32 round at bit 2**-24, to nearest, ties to even.
        rounded = np.float32(np.float32(magnitude + np.float32(0.5)) - np.float32(0.5))
        return rounded if np.uint32(np.float32(value).view(np.uint32) >> np.uint32(31)) == 0 else -rounded
    bits = np.float32(value).view(np.uint32)
    odd = np.uint32(np.uint32(bits >> np.uint32(13)) & np.uint32(1))
    return np.uint32(np.uint32(bits + np.uint32(0xFFF) + odd) & np.uint32(0xFFFFE000)).view(np.float32)


@njit(nogil=True, _nrt=False)
def store(value, code):
    """float32 rounded to the storage format with this code, as float32."""
    if code == BF16:
        return to_bf16(value)
    if code == F16:
        return to_f16(value)
    return value


@njit(nogil=True, _nrt=False)
def to_bf16_once(value):
    """Finite float64 rounded once to bf16, as float32: by way of float32 rounded to odd (Boldo & Melquiond 2008)."""
    single = np.float32(value)
    bits = single.view(np.uint32)
    inexact = np.uint32(np.float64(single) != value)
    even = np.uint32(np.uint32(~bits) & np.uint32(1))
    outward = np.uint32(abs(np.float64(single)) < abs(value))
    # An inexact even result moves one step towards the true value, which makes it odd: +1 outward, -1 inward.
    step = np.uint32(np.uint32(inexact & even) * np.uint32(np.uint32(2) * outward - np.uint32(1)))
    return to_bf16(np.uint32(bits + step).view(np.float32))


@njit(nogil=True, _nrt=False)
def round_all(values, code):
    """Round float32 [m] in place to the storage format with this code."""
    if code == BF16:
        for i in range(len(values)):
            values[i] = to_bf16(values[i])
    elif code == F16:
        for i in range(len(values)):
            values[i] = to_f16(values[i])


@njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def any_nonfinite(raw, code, count):
    """Whether an infinity or NaN is among the first `count` elements of `raw`, in any format."""
    largest = np.uint64(0)
    if code in (BF16, F16):
        mask = np.uint16(0x7F80 if code == BF16 else 0x7C00)
        halves, high = raw.view(np.uint16), np.uint16(0)
        for i in range(count):
            high = max(high, np.uint16(halves[i] & mask))
        return high == mask
    if code == F32:
        words, highest = raw.view(np.uint32), np.uint32(0)
        for i in range(count):
            highest = max(highest, np.uint32(words[i] & np.uint32(0x7F800000)))
        return highest == np.uint32(0x7F800000)
    longs = raw.view(np.uint64)
    for i in range(count):
        largest = max(largest, longs[i] & np.uint64(0x7FF0000000000000))
    return largest == np.uint64(0x7FF0000000000000)
