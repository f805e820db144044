"""The exact arithmetics of `arithmetics.py` in numba, for other compiled loops, and where there are no C kernels.

Compiled without fast-math, since contraction or reordering changes the last bit. Importing this imports numba; the
same in C is `modelprov/native/arithmetics.h`. Arguments are those of `arithmetics.evaluate`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

from modelprov.checkpoints.formats.compiled import BF16, F16, F32, round_all, store, to_bf16, to_bf16_once, to_f16


@intrinsic
def fma32(_context: Any, _a: Any, _b: Any, _c: Any) -> Any:
    """Fused multiply-add in float32: the product of the first two plus the third, rounded once (IEEE 754)."""

    def generate(_ctx: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return types.float32(types.float32, types.float32, types.float32), generate


@njit(nogil=True, _nrt=False)
def _taken(order):
    """How many parents a recipe takes: behind them stands -1."""
    taken = 0
    while taken < len(order) and order[taken] >= 0:
        taken += 1
    return taken


@njit(nogil=True, _nrt=False)
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
    round_all(out, dtype)


@njit(nogil=True, _nrt=False)
def _reference_plus_deltas(parents, weights, order, fused, dtype, out):
    reference = parents[order[-1]]
    single = len(order) == 2
    out[:] = 0
    for j in order[:-1]:
        row, weight = parents[j], np.float32(weights[j])
        if fused and single:
            for i in range(len(out)):
                out[i] = fma32(np.float32(row[i] - reference[i]), weight, reference[i])
        elif fused:
            for i in range(len(out)):
                out[i] = fma32(np.float32(row[i] - reference[i]), weight, out[i])
        else:
            for i in range(len(out)):
                out[i] = out[i] + np.float32(np.float32(row[i] - reference[i]) * weight)
    if not (fused and single):
        for i in range(len(out)):
            out[i] = reference[i] + out[i]
    round_all(out, dtype)


@njit(nogil=True, _nrt=False)
def _double(parents, weights, order, dtype, out):
    if len(order) == 2 and dtype == BF16:  # the usual case, in a form that vectorises
        first, second = parents[order[0]], parents[order[1]]
        a, b = weights[order[0]], weights[order[1]]
        for i in range(len(out)):
            out[i] = to_bf16_once(0.0 + np.float64(first[i]) * a + np.float64(second[i]) * b)
        return
    for i in range(len(out)):
        total = 0.0
        for j in order:
            total += np.float64(parents[j, i]) * weights[j]
        out[i] = to_bf16_once(total) if dtype == BF16 else np.float32(total)
    if dtype == F16:
        _double_f16(parents, weights, order, out)


@njit(nogil=True, _nrt=False)
def _double_f16(parents, weights, order, out):
    """Round to F16 once: where float32 is inexact, make it odd first."""
    for i in range(len(out)):
        total = 0.0
        for j in order:
            total += np.float64(parents[j, i]) * weights[j]
        single = np.float32(total)
        bits = single.view(np.uint32)
        odd = bits
        if np.float64(single) != total and np.uint32(bits & np.uint32(1)) == 0:
            outward = abs(np.float64(single)) < abs(total)
            odd = np.uint32(bits + np.uint32(1)) if outward else np.uint32(bits - np.uint32(1))
        out[i] = to_f16(np.uint32(odd).view(np.float32))


@njit(nogil=True, _nrt=False)
def _stepwise(parents, weights, order, normalise, dtype, out):
    total = np.float32(0)
    for j in order:
        total = np.float32(total + store(np.float32(weights[j]), dtype))
    total = store(total, dtype)
    out[:] = 0
    for j in order:
        row, weight = parents[j], store(np.float32(weights[j]), dtype)
        if dtype == BF16:
            for i in range(len(out)):
                out[i] = out[i] + to_bf16(np.float32(row[i] * weight))
        else:
            for i in range(len(out)):
                out[i] = out[i] + store(np.float32(row[i] * weight), dtype)
    round_all(out, dtype)
    if normalise and total != np.float32(1):
        for i in range(len(out)):
            out[i] = out[i] / total
        round_all(out, dtype)


@njit(nogil=True, _nrt=False)
def _rounded_deltas(parents, weights, order, torch, dtype, out):
    """The reference and a sum of differences: in torch weights are float32 numbers, and each sum is rounded."""
    reference = parents[order[-1]]
    out[:] = 0
    for j in order[:-1]:
        row, weight = parents[j], np.float32(weights[j])
        if not torch:
            weight = store(weight, dtype)
        for i in range(len(out)):
            delta = store(np.float32(row[i] - reference[i]), dtype)
            out[i] = out[i] + store(np.float32(delta * weight), dtype)
        if torch:
            round_all(out, dtype)
    round_all(out, dtype)
    for i in range(len(out)):
        out[i] = reference[i] + out[i]
    round_all(out, dtype)


@njit(nogil=True, _nrt=False)
def _lerp(parents, weights, order, dtype, out):
    first, second = parents[order[0]], parents[order[1]]
    weight = np.float32(weights[order[0]])
    near_parent = not weight < np.float32(0.5)
    base = first if near_parent else second
    if near_parent:
        weight = -np.float32(np.float32(1) - weight)
    for i in range(len(out)):
        out[i] = base[i] + np.float32(weight * np.float32(first[i] - second[i]))
    round_all(out, dtype)


@njit(nogil=True, _nrt=False)
def _torch_sum(parents, weights, order, alpha, from_zero, dtype, out):
    for step in range(len(order)):
        row, weight = parents[order[step]], np.float32(weights[order[step]])
        if alpha and (step or from_zero):
            weight = store(weight, dtype)
        if step == 0:
            for i in range(len(out)):
                out[i] = row[i] * weight
            if from_zero:
                for i in range(len(out)):
                    out[i] = out[i] + np.float32(0)
        elif alpha:
            for i in range(len(out)):
                out[i] = fma32(row[i], weight, out[i])
        else:
            for i in range(len(out)):
                out[i] = out[i] + store(np.float32(row[i] * weight), dtype)
        round_all(out, dtype)


@njit(nogil=True, _nrt=False)
def _torch_delta(parents, weights, order, alpha, dtype, out):
    reference = parents[order[-1]]
    for i in range(len(out)):
        out[i] = reference[i]
    for j in order[:-1]:
        row, weight = parents[j], np.float32(weights[j])
        if alpha:
            weight = store(weight, dtype)
            for i in range(len(out)):
                out[i] = fma32(store(np.float32(row[i] - reference[i]), dtype), weight, out[i])
        else:
            for i in range(len(out)):
                delta = store(np.float32(row[i] - reference[i]), dtype)
                out[i] = out[i] + store(np.float32(delta * weight), dtype)
        round_all(out, dtype)


@njit(nogil=True, _nrt=False)
def _mean(parents, weights, order, steps, dtype, out):
    unit = 0.0
    for j in order:
        unit = max(unit, abs(weights[j]))
    if unit == 0:
        unit = 1.0
    total = np.float32(0)
    out[:] = 0
    for j in order:
        row, ratio = parents[j], np.float32(weights[j] / unit)
        total = np.float32(total + ratio)
        for i in range(len(out)):
            out[i] = out[i] + store(np.float32(row[i] * ratio), steps)
        round_all(out, steps)
    for i in range(len(out)):
        out[i] = out[i] / total
    round_all(out, dtype)


@njit(nogil=True, _nrt=False)
def _torch_lerp(parents, weights, order, dtype, out):
    start, end = parents[order[0]], parents[order[1]]
    weight = np.float32(weights[order[1]])
    near_start = abs(weight) < np.float32(0.5)
    base = start if near_start else end
    if not near_start:
        weight = np.float32(weight - np.float32(1))
    for i in range(len(out)):
        out[i] = fma32(weight, np.float32(end[i] - start[i]), base[i])
    round_all(out, dtype)


@njit(nogil=True, cache=True, error_model="numpy", _nrt=False)
def evaluate(arithmetic, parents, weights, order, dtype, out):
    """Fill `out` float32 [m] with the merge of `parents` float32 [k, m] as `arithmetic` computes and stores it.

    `weights` float64 [k], `order` int64 [k], `dtype` the code of a format within float32. Non-finite parents give
    undefined values.
    """
    order = order[: _taken(order)]
    if arithmetic == 0 or arithmetic == 1:
        _weighted_sum(parents, weights, order, arithmetic == 1, dtype, out)
    elif arithmetic == 2 or arithmetic == 3:
        _reference_plus_deltas(parents, weights, order, arithmetic == 3, dtype, out)
    elif arithmetic == 4:
        _double(parents, weights, order, dtype, out)
    elif arithmetic == 5 or arithmetic == 6:
        _stepwise(parents, weights, order, arithmetic == 5, dtype, out)
    elif arithmetic == 7 or arithmetic == 15:
        _rounded_deltas(parents, weights, order, arithmetic == 15, dtype, out)
    elif arithmetic == 8:
        _lerp(parents, weights, order, dtype, out)
    elif arithmetic == 9 or arithmetic == 11 or arithmetic == 13:
        _torch_sum(parents, weights, order, arithmetic != 9, arithmetic == 13, dtype, out)
    elif arithmetic == 10 or arithmetic == 14:
        _torch_delta(parents, weights, order, arithmetic == 14, dtype, out)
    elif arithmetic == 12:
        _torch_lerp(parents, weights, order, dtype, out)
    else:
        _mean(parents, weights, order, dtype if arithmetic == 17 else F32, dtype, out)
