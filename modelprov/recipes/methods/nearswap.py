"""NearSwap: the base where the models differ, the other model where they nearly agree (sample code by Alchemonaut).

w = min(1, t / |base - other|),   merged = w other + (1 - w) base
"""

from __future__ import annotations

import numpy as np

from modelprov.recipes.methods.choosing import steps_of
from modelprov.recipes.methods.interface import Float32, Inputs, Method, Parameter
from modelprov.recipes.methods.steps import based, stored


def merge(inputs: Inputs) -> Float32:
    """Every element moves by about `t` at most; where the models are equal they stay.

    As measured in mergekit the weight is the reciprocal of the distance, times t, each rounded.
    """
    step = steps_of(inputs)
    (other,), base = based(inputs, step)
    with np.errstate(divide="ignore", over="ignore"):
        weight = step(step(1 / step(np.abs(step(base - other)))) * step.exact(inputs.options["t"]))
    weight = np.clip(np.nan_to_num(weight, nan=1.0, posinf=1.0), 0, 1)
    return stored(step(step(other * weight) + step(base * step(1 - weight))), inputs.out_dtype)


METHOD = Method(
    "nearswap",
    needs_base=True,
    elementwise=True,
    random=False,
    parameters=(Parameter("t", None, False, "distance below which to take the other model", low=0),),
    merge=merge,
    most=1,
)
