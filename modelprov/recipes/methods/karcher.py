"""Karcher: the equally weighted mean on the sphere (Riemannian centre of mass, Karcher 1977), times the mean length.

    repeat: v = 1/N sum_i a_i / sin(a_i) (u_i - cos(a_i) m),   m <- cos|v| m + sin|v| v / |v|
    merged = m 1/N sum_i |t_i|

u_i are the directions of the tensors, a_i their angles to m, which starts at their normalised mean; at most `max_iter`
steps, until |v| < `tol`. In 16-bit formats vectors, cosines and angles are rounded after each operation, lengths not.
"""

from __future__ import annotations

import numpy as np

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.recipes.methods.choosing import program_steps, steps_of
from modelprov.recipes.methods.interface import PRESETS, Float32, Inputs, Method, Parameter
from modelprov.recipes.methods.steps import FLOAT32, FLOAT64, Real, Steps, loaded, stored

SMALLEST = 1e-12


def merge(inputs: Inputs) -> Float32:
    """Every tensor is one vector. Zero tensors do not count; opposite ones start at the first."""
    step = steps_of(inputs)
    scalar = step if step is FLOAT64 else program_steps(DType.F32) if inputs.arithmetic in PRESETS else FLOAT32
    tensors, _ = loaded(inputs, step)
    pairs = [(tensor, scalar.norm(tensor)) for tensor in tensors]
    pairs = [(tensor, norm) for tensor, norm in pairs if float(norm[0]) > SMALLEST]
    if not pairs:
        return stored(np.zeros_like(tensors[0]), inputs.out_dtype)
    units = [step(tensor / norm) for tensor, norm in pairs]
    size = _mean_size([norm for _, norm in pairs], inputs.arithmetic, step, scalar)
    mean = _walk(units, step, scalar, int(inputs.options.get("max_iter", 10)), float(inputs.options.get("tol", 1e-5)))
    return stored(step(size * mean), inputs.out_dtype)


def _mean_size(norms: list[Real], arithmetic: str, step: Steps, scalar: Steps) -> Real:
    """The mean length: mergekit 0.1.4 adds in float64, everything else as it computes, rounded like a vector."""
    if arithmetic == "mergekit-0.1.4":
        return scalar.exact([sum(float(norm[0]) for norm in norms) / len(norms)])
    return step(scalar(scalar.add(norms) / scalar.exact(len(norms))))


def _walk(units: list[Real], step: Steps, scalar: Steps, steps: int, tolerance: float) -> Real:
    """The mean direction; `step` rounds vectors and angles, `scalar` lengths (float32 where vectors are bf16)."""
    share = scalar.exact(1 / len(units))
    mean = np.zeros_like(units[0])
    for unit in units:
        mean = step(mean + step(share * unit))
    length = scalar.norm(mean)
    mean = step(mean / length) if float(length[0]) > SMALLEST else units[0]
    for _ in range(steps):
        way = np.zeros_like(mean)
        for unit in units:
            cosine = np.clip(step.vector_dot(mean, unit), -1, 1)
            angle = step.arccosine(cosine)
            if float(angle[0]) < tolerance:
                continue
            factor = step(share * step.divide(angle, step.sine(angle)))
            way = step(way + step(factor * step(unit - step(cosine * mean))))
        length = scalar.norm(way)
        if float(length[0]) < tolerance:
            break
        along = step(step(scalar.sine(length)) * step(way / length))
        mean = step(step(step(scalar.cosine(length)) * mean) + along)
        mean = step(mean / scalar.norm(mean))
    return mean


METHOD = Method(
    "karcher",
    needs_base=False,
    elementwise=False,
    random=False,
    parameters=(
        Parameter("max_iter", 10, False, "most steps", low=0, high=10_000),
        Parameter("tol", 1e-5, False, "step length at which to stop", low=0),
    ),
    merge=merge,
    fewest=2,
)
