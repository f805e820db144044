"""Arcee Fusion: takes over the changes that matter most (Arcee AI; described in mergekit's documentation).

    importance = |other - base| KL(softmax(other row) || softmax(base row))
    merged = other where importance >= median + 1.5 (Q3 - Q1), else base

The quartiles and the median are values that occur: where one falls between two, the lower (measured on 60 tensors).
mergekit computes the softmax in the tensors' format and writes F32 whatever was asked for. Rows of a matrix, or the
whole of a vector. The divergences are tiny, so their last digits (and a few elements at the threshold) depend on the
exponential of the library that computes them: torch in the presets where it is installed, else they are float64.
In tensors of a million elements mergekit's two versions differ in their quartiles, as estimates would; ours are exact.
"""

from __future__ import annotations

import numpy as np

from modelprov.recipes.methods.choosing import steps_of
from modelprov.recipes.methods.interface import PRESETS, Float32, Inputs, Method
from modelprov.recipes.methods.steps import FLOAT32, FLOAT64, based, stored


def merge(inputs: Inputs) -> Float32:
    """The base, with the important differences added; nothing moves where importances are all equal to zero."""
    step = steps_of(inputs)
    (other,), base = based(inputs, step)
    delta = step(other - base)
    rows = _rows(inputs.shape)
    divergence = step.divergence(other.reshape(rows), base.reshape(rows))
    importance = step(np.abs(delta).reshape(rows) * divergence).ravel()
    low, middle, high = np.quantile(importance, (0.25, 0.5, 0.75), method="lower")
    rounded = step if inputs.arithmetic in PRESETS else np.asarray
    width = rounded(1.5 * rounded(rounded(high) - rounded(low)))
    chosen = importance >= rounded(rounded(middle) + width)
    last = FLOAT32 if inputs.arithmetic in PRESETS and step is not FLOAT64 else step  # what is written is float32
    return stored(last(base + np.where(chosen, delta, 0)), inputs.out_dtype)


def _rows(shape: tuple[int, ...]) -> tuple[int, int]:
    return (-1, shape[-1]) if len(shape) > 1 else (1, -1)


METHOD = Method(
    "arcee_fusion",
    needs_base=True,
    elementwise=False,
    random=False,
    parameters=(),
    merge=merge,
    most=1,
    stores_float32=True,
)
