"""Model Stock: between the base and the mean of the models, as far as their angle says (Jang et al. 2024, 2403.19522).

    t = N cos / (1 + (N - 1) cos),   merged = t mean + (1 - t) base

cos is the mean cosine between the N task vectors; of the whole tensor, or of each row with `filter_wise`.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from modelprov.recipes.methods.choosing import steps_of
from modelprov.recipes.methods.interface import Float32, Inputs, Method, Parameter
from modelprov.recipes.methods.steps import Real, Steps, based, stored


def merge(inputs: Inputs) -> Float32:
    """Task vectors at right angles give the base, parallel ones the mean. A zero task vector has cosine 0."""
    step = steps_of(inputs)
    tensors, base = based(inputs, step)
    rows = bool(inputs.options.get("filter_wise", False)) and len(inputs.shape) > 1
    count = inputs.shape[0] if rows else 1
    shaped = [tensor.reshape(count, -1) for tensor in tensors]
    origin = base.reshape(count, -1)
    t = _ratio([step(tensor - origin) for tensor in shaped], step)
    mean = shaped[0]
    for tensor in shaped[1:]:
        mean = step(mean + tensor)
    mean = step(mean / step.exact(len(shaped)))
    return stored(step(step(t * mean) + step(step(1 - t) * origin)), inputs.out_dtype)


def _ratio(deltas: list[Real], step: Steps) -> Real:
    """The interpolation ratio [rows, 1] from the task vectors [rows, columns]."""
    norms = [step.norm(delta) for delta in deltas]
    cosines = [
        np.clip(step.divide(step.dot(deltas[i], deltas[j]), step(norms[i] * norms[j])), -1, 1)
        for i, j in combinations(range(len(deltas)), 2)
    ]
    n = len(deltas)
    cosine = step(sum(cosines) / step.exact(len(cosines)))
    return step.divide(step(step.exact(n) * cosine), step(1 + step(step.exact(n - 1) * cosine)))


METHOD = Method(
    "model_stock",
    needs_base=True,
    elementwise=False,
    random=False,
    parameters=(Parameter("filter_wise", False, False, "one ratio for each row instead of each tensor"),),
    merge=merge,
    fewest=2,
)
