"""All merge methods by their recipe name. Each algorithm is one file; the contract is `interface`."""

from __future__ import annotations

from modelprov.recipes.methods import (
    arcee_fusion,
    karcher,
    linear,
    model_stock,
    multislerp,
    nearswap,
    nuslerp,
    passthrough,
    sce,
    slerp,
)
from modelprov.recipes.methods.interface import ARITHMETICS, PRESETS, Inputs, Method, Parameter
from modelprov.recipes.methods.task_vectors import TASK_VECTOR_METHODS

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        linear.METHOD,
        slerp.METHOD,
        nuslerp.METHOD,
        multislerp.METHOD,
        karcher.METHOD,
        *TASK_VECTOR_METHODS,
        model_stock.METHOD,
        sce.METHOD,
        nearswap.METHOD,
        arcee_fusion.METHOD,
        passthrough.METHOD,
    )
}

__all__ = ["ARITHMETICS", "METHODS", "PRESETS", "Inputs", "Method", "Parameter"]
