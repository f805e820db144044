"""Karcher: the equally weighted mean on the sphere (Riemannian centre of mass, Karcher 1977), times the mean length.

    repeat: v = 1/N sum_i a_i / sin(a_i) (u_i - cos(a_i) m),   m <- cos|v| m + sin|v| v / |v|
    merged = m 1/N sum_i |t_i|

u_i are the directions of the tensors, a_i their angles to m, which starts at their normalised mean; at most `max_iter`
steps, until |v| < `tol`. In 16-bit formats the vectors are rounded after each operation, single numbers are not.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from modelprov.merge.methods.interface import Float32, Inputs, Method, Parameter
from modelprov.merge.methods.steps import FLOAT32, FLOAT64, Real, Steps, loaded, steps_of, stored

SMALLEST = 1e-12


def merge(inputs: Inputs) -> Float32:
    """Every tensor is one vector. Zero tensors do not count; opposite ones start at the first."""
    step = steps_of(inputs)
    scalar = FLOAT64 if step is FLOAT64 else replace(FLOAT32, lanes=step.lanes)
    tensors, _ = loaded(inputs, step)
    pairs = [(tensor, scalar.norm(tensor)) for tensor in tensors]
    pairs = [(tensor, norm) for tensor, norm in pairs if float(norm[0]) > SMALLEST]
    if not pairs:
        return stored(np.zeros_like(tensors[0]), inputs.out_dtype)
    units = [step(tensor / norm) for tensor, norm in pairs]
    size = scalar(scalar.add(norm for _, norm in pairs) / scalar.exact(len(pairs)))
    if inputs.arithmetic != "mergekit-0.1.4":
        size = step(size)
    mean = _walk(units, step, scalar, int(inputs.options.get("max_iter", 10)), float(inputs.options.get("tol", 1e-5)))
    return stored(step(size * mean), inputs.out_dtype)


def _walk(units: list[Real], step: Steps, scalar: Steps, steps: int, tolerance: float) -> Real:
    """The mean direction; `step` rounds vectors, `scalar` single numbers (float32 where vectors are bf16)."""
    share = scalar.exact(1 / len(units))
    mean = step.add(step(share * unit) for unit in units)
    length = scalar.norm(mean)
    mean = step(mean / length) if float(length[0]) > SMALLEST else units[0]
    for _ in range(steps):
        way = np.zeros_like(mean)
        for unit in units:
            cosine = np.clip(scalar.dot(mean, unit), -1, 1)
            angle = scalar(np.arccos(cosine))
            if float(angle[0]) < tolerance:
                continue
            factor = scalar(share * scalar.divide(angle, scalar(np.sin(angle))))
            way = step(way + step(factor * step(unit - step(cosine * mean))))
        length = scalar.norm(way)
        if float(length[0]) < tolerance:
            break
        along = step(scalar(scalar(np.sin(length)) / length) * way)
        mean = step(step(scalar(np.cos(length)) * mean) + along)
    return mean


METHOD = Method(
    "karcher",
    needs_base=False,
    elementwise=False,
    random=False,
    parameters=(
        Parameter("max_iter", 10, False, "most steps"),
        Parameter("tol", 1e-5, False, "step length at which to stop"),
    ),
    merge=merge,
    fewest=2,
)
