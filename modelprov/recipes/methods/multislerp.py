"""MultiSLERP: a weighted mean on the sphere, by one step in the tangent space at the normalised mean direction.

    u_i = t_i / |t_i|,   m = sum w_i u_i / |sum w_i u_i|,   v = sum w_i (u_i - <u_i, m> m)
    merged = (cos|v| m + sin|v| v / |v|) sum w_i |t_i|

With a base model the t_i are task vectors and the base is added back (Goddard 2024, mergekit's documentation).
"""

from __future__ import annotations

import numpy as np

from modelprov.recipes.methods.choosing import steps_of
from modelprov.recipes.methods.interface import Float32, Inputs, Method, Parameter, weights_doubt
from modelprov.recipes.methods.steps import Real, Steps, loaded, stored


def merge(inputs: Inputs) -> Float32:
    """Every tensor is one vector; weights are divided by their sum unless `normalize_weights: false`."""
    step = steps_of(inputs)
    vectors, base = loaded(inputs, step)
    if base is not None:
        vectors = [step(vector - base) for vector in vectors]
    weights = [step(float(model["weight"])) for model in inputs.models]
    if inputs.options.get("normalize_weights", True):
        total = step.add(weights)
        weights = [step.divide(weight, total) for weight in weights]
    merged = _tangent_mean(vectors, weights, step, float(inputs.options.get("eps", 1e-8)))
    return stored(merged if base is None else step(merged + base), inputs.out_dtype)


def _tangent_mean(vectors: list[Real], weights: list[Real], step: Steps, eps: float) -> Real:
    norms = [step.norm(vector) for vector in vectors]
    units = [step(vector / step(norm + step.exact(eps))) for vector, norm in zip(vectors, norms, strict=True)]
    mean = step.add(step(weight * unit) for weight, unit in zip(weights, units, strict=True))
    length = step.norm(mean)
    if float(length[0]) <= eps:  # opposite directions: the sphere has no mean, the plain one is all there is
        return step.add(step(weight * vector) for weight, vector in zip(weights, vectors, strict=True))
    mean = step(mean / length)
    cosines = step.dot(np.stack(units), mean[None])
    tangent = step.add(
        step(weight * step(unit - step(cosine * mean)))
        for weight, unit, cosine in zip(weights, units, cosines, strict=True)
    )
    size = step.add(step(weight * norm) for weight, norm in zip(weights, norms, strict=True))
    angle = step.norm(tangent)
    if float(angle[0]) <= eps:
        return step(mean * size)
    cosine, sine = step.cosine(angle), step(step.sine(angle) / angle)
    return step(step(step(mean * cosine) + step(tangent * sine)) * size)


METHOD = Method(
    "multislerp",
    needs_base=False,
    elementwise=False,
    random=False,
    parameters=(
        Parameter("weight", None, True, "factor of this model"),
        Parameter("normalize_weights", True, False, "divide the weights by their sum"),
        Parameter("eps", 1e-8, False, "length below which a direction does not count", low=0),
    ),
    merge=merge,
    optional_base=True,
    fewest=2,
    doubt=weights_doubt("normalize_weights"),
)
