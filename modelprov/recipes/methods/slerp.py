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
from modelprov.recipes.methods import steps
from modelprov.recipes.methods.choosing import program_steps, steps_of
from modelprov.recipes.methods.combining import blended
from modelprov.recipes.methods.interface import PRESETS, Float32, Inputs, MergeBlock, Method, Parameter, Passes, Whole
from modelprov.recipes.methods.reused import Reused
from modelprov.recipes.methods.steps import FLOAT32, FLOAT64, Real, Steps, based, read, stored
from modelprov.recipes.methods.totals import length, reproducible, total, unit_products

BLOCK = 1 << 20
PARALLEL = 0.9995
SMALLEST = 1e-8
_OWN = Reused()


def merge(inputs: Inputs) -> Float32:
    """`t = 0` gives the base, `t = 1` the other model; the directions are normalised, the lengths are not."""
    step = _steps(inputs)
    base, other = _ends(inputs, step)
    if inputs.arithmetic == "mergekit-0.1.4" and step is FLOAT32:
        cosine = _numpy_cosine(base, other)
    elif inputs.arithmetic == "mergekit-0.1.5" and step is FLOAT32:
        program = program_steps(DType.F32)
        cosine = _cosine(base, other, program, lambda values: _chunked_length(values, program))
    else:
        cosine = _cosine(base, other, step, step.norm)
    return _point(base, other, cosine, inputs, step)


def look(whole: Whole) -> MergeBlock:
    """The lengths in one pass, the cosine in a second one."""
    about, step = whole.about, _steps(whole.about)
    preset = about.arithmetic == "mergekit-0.1.5" and step is FLOAT32
    program = program_steps(DType.F32) if preset else step
    squares, lengths = [0.0, 0.0], [length(step) for _ in range(2)]

    def add_squares(ends: tuple[Real, Real]) -> None:
        for n, end in enumerate(ends):
            if preset:
                chunk = length(program)
                chunk.add(end)
                squares[n] += float(chunk.result()[0]) ** 2
            else:
                lengths[n].add(end)

    whole.each(lambda _, block: _ends(block, step), add_squares)
    norms = [FLOAT32(np.sqrt(one).reshape(1)) for one in np.array(squares)] if preset else [n.result() for n in lengths]
    divisors = [norm if float(norm[0]) > SMALLEST else np.ones_like(norm) for norm in norms]
    cosine = total(program, whole.count, halved=False)

    def products(_first: int, block: Inputs) -> Real:
        base, other = _ends(block, step)
        return unit_products(base, other, divisors, program, _OWN.array("products", len(base)))

    whole.each(products, cosine.add)
    found = float(cosine.result()[0])
    return lambda _first, inputs: _point(*_ends(inputs, step), found, inputs, step)


def _block(about: Inputs) -> int:
    """Mergekit 0.1.4 takes lengths from numpy's BLAS, which adds a whole tensor in an order of its own."""
    step = _steps(about)
    if step is not FLOAT32 or about.arithmetic not in PRESETS:
        return steps.BLOCK
    by_program = (
        about.arithmetic == "mergekit-0.1.5" and steps.BLOCK == BLOCK and reproducible(program_steps(DType.F32))
    )
    return BLOCK if by_program else 0


def _steps(inputs: Inputs) -> Steps:
    chosen = steps_of(inputs)
    return chosen if inputs.arithmetic == "bf16-stepwise" or chosen is FLOAT64 else FLOAT32


def _ends(inputs: Inputs, step: Steps) -> tuple[Real, Real]:
    """The base and the other model; the program reads in its dtype and computes in float32."""
    chosen = steps_of(inputs)
    (other,), base = based(inputs, step)
    if step is chosen or inputs.arithmetic == "bf16-stepwise":
        return base, other
    return read(base, inputs, chosen), read(other, inputs, chosen)


def _point(base: Real, other: Real, cosine: float, inputs: Inputs, step: Steps) -> Float32:
    t = float(inputs.options["t"])
    if abs(cosine) > PARALLEL:
        return _blended(base, other, _shares(t, step, inputs.arithmetic), inputs, step)
    around = program_steps(DType.F32) if inputs.arithmetic == "mergekit-0.1.5" and step is FLOAT32 else step
    angle = around.arccosine(step.exact([cosine]))
    sine, part = around.sine(angle), step(angle * step.exact(t))
    first, second = step(around.sine(step(angle - part)) / sine), step(around.sine(part) / sine)
    return _blended(base, other, (first, second), inputs, step)


def _blended(base: Real, other: Real, factors: tuple[Real, Real], inputs: Inputs, step: Steps) -> Float32:
    found = blended(base, other, factors, None, inputs.out_dtype, step)
    if found is not None:
        return found
    return stored(step(step(factors[0] * base) + step(factors[1] * other)), inputs.out_dtype)


def _chunked_length(values: Real, step: Steps) -> Real:
    """The length as mergekit 0.1.5 takes it: float32 lengths of chunks of 2**20 elements, combined in float64."""
    chunks = (step.norm(values[at : at + BLOCK]) for at in range(0, len(values), BLOCK))
    return FLOAT32(np.sqrt(sum(float(chunk[0]) ** 2 for chunk in chunks)).reshape(1))


def _cosine(base: Real, other: Real, step: Steps, length_of: Callable[[Real], Real]) -> float:
    first, second = (_unit(values, length_of(values), step) for values in (base, other))
    return float(step.dot(first, second, halved=False)[0])


def _unit(values: Real, norm: Real, step: Steps) -> Real:
    return step(values / norm) if float(norm[0]) > SMALLEST else values


def _numpy_cosine(base: Real, other: Real) -> float:
    """The same with numpy's float32 lengths and sum, whose rounding (and BLAS) mergekit 0.1.4 inherits."""
    first, second = (
        values / norm if norm > SMALLEST else values
        for values, norm in ((end, np.linalg.norm(end)) for end in (base, other))
    )
    return float(np.sum(first * second))


def _shares(t: float, step: Steps, arithmetic: str) -> tuple[Real, Real]:
    """Factors of both ends on the straight line; mergekit 0.1.5 takes 1 - t from t in float32."""
    share = step.exact(t)
    return (step(1 - share) if arithmetic == "mergekit-0.1.5" else step.exact(1 - t)), share


METHOD = Method(
    "slerp",
    needs_base=True,
    elementwise=False,
    random=False,
    parameters=(Parameter("t", None, False, "0 gives the base, 1 the other model"),),
    merge=merge,
    most=1,
    passes=Passes(_block, look),
)
