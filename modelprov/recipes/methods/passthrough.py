"""Passthrough: a copy of one model's tensor, times an optional factor. Layer stacking is made of these.

merged = scale t
"""

from __future__ import annotations

from modelprov.recipes.methods.choosing import steps_of
from modelprov.recipes.methods.interface import Float32, Inputs, Method, Parameter
from modelprov.recipes.methods.steps import loaded, stored


def merge(inputs: Inputs) -> Float32:
    """The only tensor, times its `scale`, which is not rounded to a 16-bit format first."""
    step = steps_of(inputs)
    ((tensor,), _) = loaded(inputs, step)
    scale = inputs.models[0].get("scale", 1.0)
    return stored(tensor if scale in (None, 1.0) else step(tensor * step.exact(scale)), inputs.out_dtype)


METHOD = Method(
    "passthrough",
    needs_base=False,
    elementwise=True,
    random=False,
    parameters=(Parameter("scale", 1.0, True, "factor of the copy"),),
    merge=merge,
    most=1,
)
