"""SCE: select, calculate, erase (Wan et al. 2024, FuseChat, arXiv 2408.07990).

keep the elements where the models' task vectors vary most (`select_topk`: share of those that vary at all)
w_i = mean(delta_i^2) / sum_j mean(delta_j^2)      over the tensor
vote on signs with the plain sum; merged = base + sum w_i delta_i / sum w_i over what agrees
"""

from __future__ import annotations

import numpy as np

from modelprov.recipes.methods.choosing import steps_of
from modelprov.recipes.methods.interface import Float32, Inputs, Method, Parameter
from modelprov.recipes.methods.steps import based, stored


def merge(inputs: Inputs) -> Float32:
    """Weights come from what the selection left; task vectors that are all zero give the base."""
    step = steps_of(inputs)
    tensors, base = based(inputs, step)
    deltas = [step(tensor - base) for tensor in tensors]
    topk = float(inputs.options.get("select_topk", 1.0))
    if topk < 1:
        spread = step.variance(deltas)
        chosen = step.top(spread, int(topk * np.count_nonzero(spread)))
        deltas = [step(np.where(chosen, delta, 0)) for delta in deltas]
    sizes = [step.mean(step(delta * delta)) for delta in deltas]
    total = step.add(sizes)
    weights = [step.divide(size, total) for size in sizes]
    positive = step.add(deltas) >= 0
    agreeing = [np.where(positive, delta > 0, delta < 0) for delta in deltas]
    parts = step.add(agree * weight for agree, weight in zip(agreeing, weights, strict=True))
    changes = (np.where(agree, step(delta * w), 0) for agree, delta, w in zip(agreeing, deltas, weights, strict=True))
    return stored(step(base + step.divide(step.add(changes), parts)), inputs.out_dtype)


METHOD = Method(
    "sce",
    needs_base=True,
    elementwise=False,
    random=False,
    parameters=(
        Parameter("select_topk", 1.0, False, "share of the elements that vary, those of largest variance", 0, 1),
    ),
    merge=merge,
)
