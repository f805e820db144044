"""Slerp: the point at share t of the great circle between two tensors (Shoemake 1985), each tensor as one vector.

    merged = sin((1-t) a) / sin(a) base + sin(t a) / sin(a) other,   cos(a) = <base, other> / (|base| |other|)

Nearly parallel tensors (|cos| > 0.9995) are interpolated on the straight line instead. Computed in float32 with one
final rounding, in every `dtype`. mergekit 0.1.4 takes lengths and sums from numpy, and so do we for its preset; all
other arithmetics add in float64, so that blocks do not matter.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.recipes.methods.choosing import program_steps, steps_of
from modelprov.recipes.methods.interface import Float32, Inputs, Method, Parameter
from modelprov.recipes.methods.steps import FLOAT32, FLOAT64, Real, Steps, based, stored

BLOCK = 1 << 20
PARALLEL = 0.9995
SMALLEST = 1e-8


def merge(inputs: Inputs) -> Float32:
    """`t = 0` gives the base, `t = 1` the other model; the directions are normalised, the lengths are not."""
    chosen = steps_of(inputs)
    stepwise = inputs.arithmetic == "bf16-stepwise"
    step = chosen if stepwise or chosen is FLOAT64 else FLOAT32
    tensors, base = based(inputs, step)
    if not stepwise and chosen is not step:  # the program reads in its dtype and computes in float32
        tensors = [chosen(tensor) for tensor in tensors]
        base = chosen(base)
    (other,), t = tensors, float(inputs.options["t"])
    if inputs.arithmetic == "mergekit-0.1.4" and step is FLOAT32:
        cosine = _numpy_cosine(base, other)
    elif inputs.arithmetic == "mergekit-0.1.5" and step is FLOAT32:
        program = program_steps(DType.F32)
        cosine = _cosine(base, other, program, lambda values: _chunked_length(values, program))
    else:
        cosine = _cosine(base, other, step, step.norm)
    if abs(cosine) > PARALLEL:
        return stored(_straight(base, other, t, step, inputs.arithmetic), inputs.out_dtype)
    around = program_steps(DType.F32) if inputs.arithmetic == "mergekit-0.1.5" and step is FLOAT32 else step
    angle = around.arccosine(step.exact([cosine]))
    sine, part = around.sine(angle), step(angle * step.exact(t))
    first, second = step(around.sine(step(angle - part)) / sine), step(around.sine(part) / sine)
    return stored(step(step(first * base) + step(second * other)), inputs.out_dtype)


def _chunked_length(values: Real, step: Steps) -> Real:
    """The length as mergekit 0.1.5 takes it: float32 lengths of chunks of 2**20 elements, combined in float64."""
    chunks = (step.norm(values[at : at + BLOCK]) for at in range(0, len(values), BLOCK))
    return FLOAT32(np.sqrt(sum(float(length[0]) ** 2 for length in chunks)).reshape(1))


def _cosine(base: Real, other: Real, step: Steps, length_of: Callable[[Real], Real]) -> float:
    lengths = length_of(base), length_of(other)
    first, second = (
        step(values / length) if float(length[0]) > SMALLEST else values
        for values, length in zip((base, other), lengths, strict=True)
    )
    return float(step.dot(first, second, halved=False)[0])


def _numpy_cosine(base: Real, other: Real) -> float:
    """The same with numpy's float32 lengths and sum, whose rounding (and BLAS) mergekit 0.1.4 inherits."""
    first, second = (
        values / length if length > SMALLEST else values
        for values, length in ((one, np.linalg.norm(one)) for one in (base, other))
    )
    return float(np.sum(first * second))


def _straight(base: Real, other: Real, t: float, step: Steps, arithmetic: str) -> Real:
    """The straight line, both ends weighed; mergekit 0.1.5 takes 1 - t from t in float32."""
    share = step.exact(t)
    if arithmetic == "mergekit-0.1.5":
        return step(step(step(1 - share) * base) + step(share * other))
    return step(step(step.exact(1 - t) * base) + step(share * other))


METHOD = Method(
    "slerp",
    needs_base=True,
    elementwise=False,
    random=False,
    parameters=(Parameter("t", None, False, "0 gives the base, 1 the other model"),),
    merge=merge,
    most=1,
)
