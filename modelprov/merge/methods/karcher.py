"""Karcher: the equally weighted mean on the sphere (Riemannian centre of mass, Karcher 1977), times the mean length.

    repeat: v = 1/N sum_i a_i / sin(a_i) (u_i - cos(a_i) m),   m <- cos|v| m + sin|v| v / |v|
    merged = m 1/N sum_i |t_i|

u_i are the directions of the tensors, a_i their angles to m, which starts at their normalised mean; at most `max_iter`
steps, until |v| < `tol`.
"""

from __future__ import annotations

import numpy as np

from modelprov.merge.methods.interface import Float32, Inputs, Method, Parameter
from modelprov.merge.methods.steps import Real, Steps, loaded, steps_of, stored

SMALLEST = 1e-12


def merge(inputs: Inputs) -> Float32:
    """Every tensor is one vector. Zero tensors do not count; opposite ones start at the first."""
    step = steps_of(inputs)
    tensors, _ = loaded(inputs, step)
    pairs = [(tensor, step.norm(tensor)) for tensor in tensors]
    pairs = [(tensor, norm) for tensor, norm in pairs if float(norm[0]) > SMALLEST]
    if not pairs:
        return stored(np.zeros_like(tensors[0]), inputs.out_dtype)
    share = step.exact(1 / len(pairs))
    units = [step(tensor / norm) for tensor, norm in pairs]
    size = step.add(step(share * norm) for _, norm in pairs)
    tolerance = float(inputs.options.get("tol", 1e-5))
    mean = _walk(units, share, step, int(inputs.options.get("max_iter", 10)), tolerance)
    return stored(step(size * mean), inputs.out_dtype)


def _walk(units: list[Real], share: Real, step: Steps, steps: int, tolerance: float) -> Real:
    mean = step.add(step(share * unit) for unit in units)
    length = step.norm(mean)
    mean = step(mean / length) if float(length[0]) > SMALLEST else units[0]
    for _ in range(steps):
        way = np.zeros_like(mean)
        for unit in units:
            cosine = np.clip(step.dot(mean, unit), -1, 1)
            angle = step(np.arccos(cosine))
            if float(angle[0]) < tolerance:
                continue
            factor = step(share * step.divide(angle, step(np.sin(angle))))
            way = step(way + step(factor * step(unit - step(cosine * mean))))
        length = step.norm(way)
        if float(length[0]) < tolerance:
            break
        mean = step(step(step(np.cos(length)) * mean) + step(step(np.sin(length)) * step(way / length)))
        mean = step(mean / step.norm(mean))
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
