"""The exact arithmetics of known merging programs: one function per arithmetic, the same bits as the program.

An arithmetic turns the parents' values and their weights into the merged value, rounding where the program rounds.
They are compiled (numba) without fast-math, since contraction or reordering changes the last bit, and are shared by
whatever makes merges and whatever recognises them. Reads no files, judges nothing. Formulas: `docs/method.md`.

Every function takes `parents` float32 [k, m] (the reference last), `weights` float64 [k] that belong to them and
`order` int64 [k], the order in which the program adds; it fills `out` float32 [m] with the merged value as stored.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit, types
from numba.extending import intrinsic

from modelprov.checkpoints.dtypes import DType

Float32 = npt.NDArray[np.float32]
DTYPE_CODES = {DType.BF16: 0, DType.F16: 1, DType.F32: 2}


class Arithmetic(IntEnum):
    """How a weighted sum was computed; the numbers are those of the compiled kernels."""

    FLOAT32 = 0
    FLOAT32_FUSED = 1
    FLOAT32_DELTA = 2
    FLOAT32_DELTA_FUSED = 3
    FLOAT64 = 4
    STEPWISE = 5
    STEPWISE_UNNORMALISED = 6
    STEPWISE_DELTA = 7
    FLOAT32_LERP = 8


@dataclass(frozen=True)
class Description:
    """The public name of an arithmetic, one line of explanation, and whether the order of the parents matters."""

    name: str
    formula: str
    ordered: bool


DESCRIPTIONS = {
    Arithmetic.FLOAT32: Description(
        "float32", "each product and each sum rounded to float32, one final rounding", False
    ),
    Arithmetic.FLOAT32_FUSED: Description("float32-fused", "acc = fma(tensor, weight, acc) in float32", True),
    Arithmetic.FLOAT32_DELTA: Description("float32-delta", "reference + sum of weight * (parent - reference)", False),
    Arithmetic.FLOAT32_DELTA_FUSED: Description("float32-delta-fused", "the same with fused multiply-add", False),
    Arithmetic.FLOAT64: Description("float64", "weighted sum in float64, one final rounding", False),
    Arithmetic.STEPWISE: Description(
        "bf16-stepwise", "weights, products and sum each rounded, divided by the sum", False
    ),
    Arithmetic.STEPWISE_UNNORMALISED: Description("bf16-stepwise-unnormalised", "the same without the division", False),
    Arithmetic.STEPWISE_DELTA: Description("bf16-delta", "difference, product and sum each rounded", False),
    Arithmetic.FLOAT32_LERP: Description("float32-lerp", "interpolation from the nearer end, in float32", False),
}


@intrinsic
def fma32(_context: Any, a: Any, b: Any, c: Any) -> Any:
    """a * b + c in float32 with one rounding (IEEE 754 fusedMultiplyAdd)."""

    def generate(_ctx: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return types.float32(types.float32, types.float32, types.float32), generate


@njit(nogil=True, _nrt=False)
def bf16_bits(value):
    """Finite float32 rounded to bf16 (nearest, ties to even), as the bits of the float32 that holds it."""
    bits = np.float32(value).view(np.uint32)
    odd = np.uint32(np.uint32(bits >> np.uint32(16)) & np.uint32(1))
    return np.uint32(np.uint32(bits + np.uint32(0x7FFF) + odd) & np.uint32(0xFFFF0000))


@njit(nogil=True, _nrt=False)
def to_bf16(value):
    """Finite float32 rounded to bf16, as float32."""
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
def store(value, dtype):
    """float32 rounded to the storage format with code `dtype`, as float32."""
    if dtype == 0:
        return to_bf16(value)
    if dtype == 1:
        return to_f16(value)
    return value


@njit(nogil=True, _nrt=False)
def store_double(value, dtype):
    """float64 rounded once to the storage format, as float32: by way of float32 rounded to odd."""
    single = np.float32(value)
    if dtype == 2 or np.float64(single) == value:
        return store(single, dtype)
    bits = single.view(np.uint32)
    if np.uint32(bits & np.uint32(1)) == 0:
        outward = abs(np.float64(single)) < abs(value)
        odd = np.uint32(bits + np.uint32(1)) if outward else np.uint32(bits - np.uint32(1))
        return store(np.uint32(odd).view(np.float32), dtype)
    return store(single, dtype)


@njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def _weighted_sum(parents, weights, order, fused, dtype, out):
    total = np.float32(0)
    for j in order:
        total = np.float32(total + np.float32(weights[j]))
    for step in range(len(order)):
        row = parents[order[step]]
        weight = np.float32(weights[order[step]])
        if step == 0:
            for i in range(len(out)):
                out[i] = row[i] * weight
        elif fused:
            for i in range(len(out)):
                out[i] = fma32(row[i], weight, out[i])
        else:
            for i in range(len(out)):
                out[i] = np.float32(row[i] * weight) + out[i]
    if total != np.float32(1):
        for i in range(len(out)):
            out[i] = out[i] / total
    for i in range(len(out)):
        out[i] = store(out[i], dtype)


@njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def _reference_plus_deltas(parents, weights, order, fused, dtype, out):
    reference = parents[len(parents) - 1]
    last = len(parents) - 1
    single = len(parents) == 2
    for i in range(len(out)):
        total = np.float32(0)
        for j in order:
            if j == last:
                continue
            delta = np.float32(parents[j, i] - reference[i])
            if fused and single:
                total = fma32(delta, np.float32(weights[j]), reference[i])
            elif fused:
                total = fma32(delta, np.float32(weights[j]), total)
            else:
                total = np.float32(total + np.float32(delta * np.float32(weights[j])))
        if not (fused and single):
            total = np.float32(reference[i] + total)
        out[i] = store(total, dtype)


@njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def _double(parents, weights, order, dtype, out):
    for i in range(len(out)):
        total = 0.0
        for j in order:
            total += np.float64(parents[j, i]) * weights[j]
        out[i] = store_double(total, dtype)


@njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def _stepwise(parents, weights, order, normalise, dtype, out):
    total = np.float32(0)
    for j in order:
        total = np.float32(total + store(np.float32(weights[j]), dtype))
    total = store(total, dtype)
    for i in range(len(out)):
        value = np.float32(0)
        for j in order:
            weight = store(np.float32(weights[j]), dtype)
            value = np.float32(value + store(np.float32(parents[j, i] * weight), dtype))
        value = store(value, dtype)
        if normalise:
            value = store(np.float32(value / total), dtype)
        out[i] = value


@njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def _stepwise_delta(parents, weights, order, dtype, out):
    last = len(parents) - 1
    for i in range(len(out)):
        total = np.float32(0)
        for j in order:
            if j != last:
                delta = store(np.float32(parents[j, i] - parents[last, i]), dtype)
                total = np.float32(total + store(np.float32(delta * store(np.float32(weights[j]), dtype)), dtype))
        out[i] = store(np.float32(parents[last, i] + store(total, dtype)), dtype)


@njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def _lerp(parents, weights, dtype, out):
    weight = np.float32(weights[0])
    rest = np.float32(np.float32(1) - weight)
    for i in range(len(out)):
        delta = np.float32(parents[0, i] - parents[1, i])
        if weight < np.float32(0.5):
            value = np.float32(parents[1, i] + np.float32(weight * delta))
        else:
            value = np.float32(parents[0, i] - np.float32(delta * rest))
        out[i] = store(value, dtype)


@njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def evaluate(arithmetic, parents, weights, order, dtype, out):
    """Fill `out` float32 [m] with the merge of `parents` float32 [k, m] as `arithmetic` computes and stores it.

    `weights` float64 [k], `order` int64 [k], `dtype` one of `DTYPE_CODES`. Non-finite parents give undefined values.
    """
    if arithmetic == 0 or arithmetic == 1:
        _weighted_sum(parents, weights, order, arithmetic == 1, dtype, out)
    elif arithmetic == 2 or arithmetic == 3:
        _reference_plus_deltas(parents, weights, order, arithmetic == 3, dtype, out)
    elif arithmetic == 4:
        _double(parents, weights, order, dtype, out)
    elif arithmetic == 5 or arithmetic == 6:
        _stepwise(parents, weights, order, arithmetic == 5, dtype, out)
    elif arithmetic == 7:
        _stepwise_delta(parents, weights, order, dtype, out)
    else:
        _lerp(parents, weights, dtype, out)
