"""Linear: the weighted mean of the models ("model soup", Wortsman et al. 2022, arXiv 2203.05482).

    merged = sum_i w_i t_i / sum_i w_i        (`normalize: false` leaves the division out)

mergekit 0.1.4 adds rounded products (in 16-bit formats it rounds every step), 0.1.5 chains fused multiply-adds in the
order of the recipe, in float32 whatever `dtype` says.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.recipes.arithmetics import Arithmetic, evaluate
from modelprov.recipes.methods.choosing import steps_of
from modelprov.recipes.methods.interface import Float32, Inputs, Method, Parameter, weights_doubt
from modelprov.recipes.methods.steps import FLOAT64, Steps, stored

BLOCK = 1 << 15  # elements that stay in the processor's cache with a few models


def arithmetic_of(inputs: Inputs, step: Steps) -> Arithmetic:
    """The compiled arithmetic that a normalised linear merge runs through."""
    if step is FLOAT64:
        return Arithmetic.FLOAT64
    if inputs.arithmetic in ("mergekit-0.1.5", "float32-fused"):
        return Arithmetic.FLOAT32_FUSED
    return Arithmetic.FLOAT32 if step.dtype is DType.F32 else Arithmetic.STEPWISE


def merge(inputs: Inputs) -> Float32:
    """The weighted mean of `inputs.tensors`, in blocks; weights may have any sum, also with `normalize: false`."""
    step = steps_of(inputs)
    arithmetic = arithmetic_of(inputs, step)
    weights = np.array([model["weight"] for model in inputs.models], np.float64)
    normalize = bool(inputs.options.get("normalize", True))
    if normalize and arithmetic is Arithmetic.FLOAT64:
        weights = weights / weights.sum()
    order = np.arange(len(weights))
    code = (step.dtype if arithmetic is Arithmetic.STEPWISE else _direct(inputs.out_dtype)).code
    if not normalize and arithmetic is Arithmetic.STEPWISE:
        arithmetic = Arithmetic.STEPWISE_UNNORMALISED
    single = weights.astype(np.float32)
    compiled = normalize or arithmetic not in (Arithmetic.FLOAT32, Arithmetic.FLOAT32_FUSED)
    merged = np.empty(len(inputs.tensors[0]), np.float32)
    parents = np.empty((len(weights), min(BLOCK, len(merged))), np.float32)
    for at in range(0, len(merged), BLOCK):
        out = merged[at : at + BLOCK]
        part = parents[:, : len(out)]
        for row, tensor in zip(part, inputs.tensors, strict=True):
            values = tensor[at : at + BLOCK]
            row[:] = values if step.dtype in (DType.F32, DType.F64) else _cast(values, step.dtype)
        if compiled:
            evaluate(int(arithmetic), part, weights, order, code, out)
        else:
            from modelprov.recipes.methods.loops import weighted_sum

            weighted_sum(part, single, arithmetic is Arithmetic.FLOAT32_FUSED, out)
    return merged if compiled and arithmetic is not Arithmetic.STEPWISE else stored(merged, inputs.out_dtype)


def _direct(dtype: DType | None) -> DType:
    return DType.F32 if dtype is None or dtype is DType.F64 else dtype


def _cast(values: Float32, dtype: DType) -> Any:
    return Steps(np.float32, dtype)(values)


METHOD = Method(
    "linear",
    needs_base=False,
    elementwise=True,
    random=False,
    parameters=(
        Parameter("weight", None, True, "factor of this model"),
        Parameter("normalize", True, False, "divide by the sum of the weights"),
    ),
    merge=merge,
    doubt=weights_doubt("normalize"),
)
