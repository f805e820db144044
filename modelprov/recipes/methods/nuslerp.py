"""NuSLERP: slerp with weights, of tensors or of task vectors, as one vector or per row or column (mergekit's variant).

    t = w_2 / (w_1 + w_2),   merged = (sin((1-t) a) x + sin(t a) y) / sin(a),   a the angle between x and y

With a base model, x and y are differences from it and the base is added back. Parallel vectors: the straight line.
"""

from __future__ import annotations

import numpy as np

from modelprov.errors import UsageError
from modelprov.recipes.methods.choosing import steps_of
from modelprov.recipes.methods.interface import Float32, Inputs, Method, Parameter, weights_doubt
from modelprov.recipes.methods.steps import Real, Steps, loaded, stored

SMALLEST = 1e-8


def merge(inputs: Inputs) -> Float32:
    """Two tensors (or task vectors), flattened to one vector unless `nuslerp_flatten: false`.

    Then, as measured in mergekit, there is one angle for every row of a matrix, and with `nuslerp_row_wise: true` one
    for every column. Raises `UsageError` where the weights sum to zero.
    """
    step = steps_of(inputs)
    (first, second), base = loaded(inputs, step)
    weights = [float(model["weight"]) for model in inputs.models]
    if abs(sum(weights)) < SMALLEST:
        raise UsageError("the weights of nuslerp sum to zero", "Give weights with another sum.")
    if base is not None:
        first, second = step(first - base), step(second - base)
    columns = bool(inputs.options.get("nuslerp_row_wise", False))
    whole = bool(inputs.options.get("nuslerp_flatten", True)) or len(inputs.shape) < 2
    shape = (1, -1) if whole else (inputs.shape[0], -1) if columns else (-1, inputs.shape[-1])
    x, y = first.reshape(shape), second.reshape(shape)
    if columns and not whole:
        x, y = np.ascontiguousarray(x.T), np.ascontiguousarray(y.T)
    merged = _great_circle(x, y, weights[1] / sum(weights), step, across=columns and not whole)
    merged = (merged.T if columns and not whole else merged).reshape(-1)
    return stored(merged if base is None else step(base + merged), inputs.out_dtype)


def _great_circle(x: Real, y: Real, t: float, step: Steps, across: bool) -> Real:
    """The point at share `t` between the rows of `x` and `y` [rows, n]."""
    u, v = (step.divide(one, step.norm(one, across)) for one in (x, y))
    angle = step.arccosine(np.clip(step.dot(u, v, across), -1, 1))
    sine = step.sine(angle)
    first, second = (step.sine(step(angle * step.exact(share))) for share in (1 - t, t))
    curved = step.divide(step(step(first * x) + step(second * y)), sine)
    parallel = np.abs(sine) < SMALLEST
    if not parallel.any():
        return curved
    straight = step(step(x * step.exact(1 - t)) + step(y * step.exact(t)))
    return np.where(parallel, straight, curved)


METHOD = Method(
    "nuslerp",
    needs_base=False,
    elementwise=False,
    random=False,
    parameters=(
        Parameter("weight", None, True, "factor of this model; only the ratio of the two counts"),
        Parameter("nuslerp_flatten", True, False, "one angle for the whole tensor"),
        Parameter("nuslerp_row_wise", False, False, "one angle a column instead of one a row (as mergekit does)"),
    ),
    merge=merge,
    optional_base=True,
    fewest=2,
    most=2,
    doubt=weights_doubt("always", SMALLEST),
)
