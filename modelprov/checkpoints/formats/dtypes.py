"""Plain floats: names, codes, sizes, decoding, rounding, and the rounding cell of a stored value. In numpy or C.

A stored value stands for every real number that rounds to it; the estimators need that cell (its `lower` and `upper`
bound), not the value alone. Everything here is exact: no result depends on how float32 rounds on the way. Compiled
loops have their own versions in `compiled`, held against these.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from modelprov.native import native

Bytes = npt.NDArray[np.uint8]
Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]
Floats = TypeVar("Floats", Float32, Float64)

_EXPONENT, _MANTISSA = np.uint64(0x7FF0000000000000), np.uint64(0x000FFFFFFFFFFFFF)
_SIZE = {"BF16": 2, "F16": 2, "F32": 4, "F64": 8}
_SMALLEST = {"BF16": 2.0**-133, "F16": 2.0**-24, "F32": 2.0**-149, "F64": 2.0**-1074}
_NUMPY = {"F16": "<f2", "F32": "<f4", "F64": "<f8"}


class DType(StrEnum):
    """The float formats that can be compared, by their safetensors names; their order gives their codes."""

    BF16 = "BF16"
    F16 = "F16"
    F32 = "F32"
    F64 = "F64"

    @property
    def size(self) -> int:
        """Bytes per element."""
        return _SIZE[self]

    @property
    def mantissa_bits(self) -> int:
        """Stored mantissa bits: one unit in the last place is 2 to the minus this, relative to the binade."""
        return {"BF16": 7, "F16": 10, "F32": 23, "F64": 52}[self]

    @property
    def code(self) -> int:
        """Its number wherever formats are kept in arrays: plans, samples, compiled loops, accelerators."""
        return CODES[self]

    @property
    def torch_name(self) -> str:
        """What torch, configs and recipes call it."""
        return {"BF16": "bfloat16", "F16": "float16", "F32": "float32", "F64": "float64"}[self]


FORMATS = tuple(DType)
"""The formats by their codes."""
CODES = {dtype: code for code, dtype in enumerate(FORMATS)}
"""The codes of the formats."""
SIZES = np.array([dtype.size for dtype in FORMATS])
"""Bytes per element, by code."""
PIECE = 1 << 14
"""Elements that fit a processor's cache with whatever is computed of them: several times as fast as all at once."""
WITHIN_FLOAT32 = (DType.BF16, DType.F16, DType.F32)
"""The formats whose every number is one of float32, which arithmetics of merges compute in. Coarsest first."""

# Sizes in bytes of every other dtype the safetensors format names: headers with them are valid, comparing is refused.
OTHER_SIZES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E5M2": 1, "F8_E4M3": 1, "F8_E8M0": 1, "F8_E4M3FNUZ": 1, "F8_E5M2FNUZ": 1,
    "I16": 2, "U16": 2, "I32": 4, "U32": 4, "I64": 8, "U64": 8, "C64": 8,
}  # fmt: skip


def present(codes: npt.NDArray[np.integer]) -> list[int]:
    """The codes that occur among some, in order; mostly there is one, which takes no sort to see."""
    if not codes.size:
        return []
    least, most = int(codes.min()), int(codes.max())
    return [least] if least == most else np.flatnonzero(np.bincount(codes.ravel())).tolist()


def decode(raw: Bytes, dtype: DType, out: Float64 | None = None) -> Float64:
    """Stored little-endian bytes as float64, exactly, in `out` if that is given, contiguous and of their number.

    `raw` is uint8 of any length that is whole elements. Raises `ValueError` where it is not, or `out` is of another.
    """
    library = native()
    if library is not None and raw.size % dtype.size == 0:
        found = np.empty(raw.size // dtype.size) if out is None else out
        if found.size * dtype.size != raw.size:
            raise ValueError(f"{raw.size} bytes are not {found.size} elements of {dtype.name}")
        library.widen(np.ascontiguousarray(raw), dtype.code, found)
        return found
    data = np.ascontiguousarray(raw).tobytes()
    if dtype is DType.BF16:
        values = (np.frombuffer(data, "<u2").astype(np.uint32) << np.uint32(16)).view(np.float32)
    else:
        values = np.frombuffer(data, _NUMPY[dtype])
    with np.errstate(invalid="ignore"):  # a signalling NaN is still a NaN
        if out is None:
            return values.astype(np.float64)
        out[:] = values
    return out


def decode_single(raw: Bytes, dtype: DType, out: Float32) -> None:
    """Fill `out` float32 with the stored numbers of a format within float32, exactly."""
    if dtype is DType.BF16:
        bits = out.view(np.uint32)
        bits[:] = raw.view("<u2")
        np.left_shift(bits, np.uint32(16), out=bits)
    else:
        out[:] = raw.view(_NUMPY[dtype])


def encode(values: npt.ArrayLike, dtype: DType) -> Bytes:
    """Real numbers (float64) as stored bytes, rounded once to nearest, ties to even."""
    return pack(round_to(np.asarray(values, np.float64), dtype), dtype)


def encode_single(values: Float32, dtype: DType) -> Bytes:
    """float32 values as stored bytes, rounded once to nearest, ties to even; of any shape, in C order."""
    return pack(store(values, dtype), dtype)


def pack(values: npt.NDArray[np.floating], dtype: DType) -> Bytes:
    """Values of any precision that are numbers of `dtype` as its bytes, in C order; a quiet NaN stays NaN."""
    if dtype is DType.BF16:
        words = np.ascontiguousarray(values, np.float32).view(np.uint32) >> np.uint32(16)
        return words.astype("<u2").view(np.uint8).ravel()
    return np.ascontiguousarray(values, _NUMPY[dtype]).view(np.uint8).ravel()


def pack_into(values: Float32, dtype: DType, out: Bytes) -> None:
    """The same into `out` uint8; the values of bf16 are lost, since their own memory is worked in."""
    if dtype is DType.BF16:
        words = values.view(np.uint32)
        np.right_shift(words, np.uint32(16), out=words)
        out.view("<u2")[:] = words
    else:
        out.view(_NUMPY[dtype])[:] = values


def round_to(values: Float64, dtype: DType) -> Float64:
    """Each real number rounded once to nearest (ties to even) in `dtype`, as float64.

    For bf16 the way over float32 would round twice, so float32 is rounded to odd first (Boldo & Melquiond 2008).
    """
    if dtype is DType.F64:
        return np.asarray(values, np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        if dtype is DType.F16:
            return values.astype(np.float16).astype(np.float64)
        if dtype is DType.F32:
            return np.asarray(values, np.float64).astype(np.float32).astype(np.float64)
        given = np.asarray(values, np.float64)
        rounded = np.empty(given.shape)
        found, flat = rounded.reshape(-1), given.reshape(-1)
        for start in range(0, flat.size, PIECE):
            found[start : start + PIECE] = round_bf16(_to_odd(flat[start : start + PIECE]))
        return rounded


def _to_odd(values: Float64) -> Float32:
    """float64 as float32, rounded to odd: what is no float32 becomes that neighbour whose last bit is 1."""
    single = values.astype(np.float32)
    near, bits = single.astype(np.float64), single.view(np.uint32)
    moved = (near != values) & np.isfinite(single) & ((bits & np.uint32(1)) == 0)
    outward = np.abs(values) > np.abs(near)  # one further from zero is one more, whatever the sign
    odd: Float32 = (bits + (moved & outward).astype(np.uint32) - (moved & ~outward).astype(np.uint32)).view(np.float32)
    return odd


def store(values: Float32, dtype: DType) -> Float32:
    """float32 values as `dtype` holds them: rounded once to nearest, ties to even; float32 out, same shape."""
    if dtype is DType.BF16:
        return round_bf16(values)
    return values.astype(np.float16).astype(np.float32) if dtype is DType.F16 else values


def round_bf16(values: Float32) -> Float32:
    """float32 rounded to bf16 (nearest, ties to even), kept as float32; infinities and NaN pass through."""
    bits = values.view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) & np.uint32(0xFFFF0000)
    return np.where(np.isfinite(values), rounded.view(np.float32), values)


def finite_or_zero(values: Floats) -> Floats:
    """The values themselves where all are finite, which looking at them shows fastest; else with 0 for those not."""
    return values if np.isfinite(values).all() else np.nan_to_num(values, posinf=0.0, neginf=0.0)


def _unit_in_last_place(values: Float64, dtype: DType) -> tuple[Float64, float]:
    """Distance to the next number outward, and the smallest such distance of the format."""
    smallest = _SMALLEST[dtype]
    leading = (_bits(values) & _EXPONENT).view(np.float64)  # the power of two at or below; nothing of a subnormal
    return np.maximum(leading * 2.0**-dtype.mantissa_bits, smallest), smallest


def _bits(values: Float64) -> npt.NDArray[np.uint64]:
    """The bits of float64."""
    return np.asarray(values, np.float64).view(np.uint64)


def is_even(values: Float64, dtype: DType) -> npt.NDArray[np.bool_]:
    """Whether the last mantissa bit of numbers of `dtype` is 0: the side that a tie is rounded to."""
    ulp, _ = _unit_in_last_place(values, dtype)
    return np.asarray(np.abs(values) / ulp % 2 == 0, np.bool_)


def rounding_cell(values: Float64, dtype: DType) -> tuple[Float64, Float64]:
    """Lower and upper bound of the real numbers that `dtype` stores as `values`; finite input, float64 out.

    Both bounds are midpoints to the neighbouring representable numbers; whether the midpoint itself belongs to the
    cell (ties to even) is not distinguished. For F64 the cell is half an ulp on either side, as float64 can show it.
    """
    given = np.asarray(values, np.float64)
    lower, upper = np.empty(given.shape), np.empty(given.shape)
    library = native()
    if library is not None:
        library.rounding_cells(np.ascontiguousarray(given), 2.0**-dtype.mantissa_bits, _SMALLEST[dtype], lower, upper)
        return lower, upper
    below, above, flat = lower.reshape(-1), upper.reshape(-1), given.reshape(-1)
    for start in range(0, flat.size, PIECE):
        part, own = flat[start : start + PIECE], slice(start, start + PIECE)
        ulp, smallest = _unit_in_last_place(part, dtype)
        half = np.multiply(ulp, 0.5)
        np.subtract(part, half, out=below[own])
        np.add(part, half, out=above[own])
        # Just below a power of two the spacing halves: the half-ulp towards zero is a quarter there.
        powers = np.flatnonzero(((_bits(part) & _MANTISSA) == 0) & (ulp > smallest))
        middle, quarter = part[powers], half[powers] / 2
        positive = middle > 0
        below[start + powers[positive]] = (middle - quarter)[positive]
        above[start + powers[~positive]] = (middle + quarter)[~positive]
    return lower, upper


def rounding_cells(values: Float64, codes: npt.NDArray[np.uint8]) -> tuple[Float64, Float64]:
    """The rounding cells of values stored in one or several formats, `codes` [n]."""
    found = present(codes)
    if len(found) == 1:
        return rounding_cell(values, FORMATS[found[0]])
    lower, upper = np.empty_like(values), np.empty_like(values)
    for code in found:
        chosen = codes == code
        lower[chosen], upper[chosen] = rounding_cell(values[chosen], FORMATS[code])
    return lower, upper
