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
from modelprov.recipes.methods.interface import PRESETS, Float32, Inputs, MergeBlock, Method, Passes, Whole
from modelprov.recipes.methods.selection import ranked
from modelprov.recipes.methods.steps import FLOAT32, FLOAT64, Real, Steps, based, rows_block, stored

QUARTILES = (0.25, 0.5, 0.75)


def merge(inputs: Inputs) -> Float32:
    """The base, with the important differences added; nothing moves where importances are all equal to zero."""
    step = steps_of(inputs)
    importance = _importance(inputs, step)
    quartiles = np.quantile(importance, QUARTILES, method="lower")
    return _taken(inputs, importance, _threshold(quartiles, inputs, step), step)


def look(whole: Whole) -> MergeBlock:
    """The quartiles, by counting."""
    about, step = whole.about, steps_of(whole.about)
    places = [int(np.floor((whole.count - 1) * np.float64(share))) for share in QUARTILES]
    found = ranked(lambda: ([_importance(block, step)] for _, block in whole.blocks(0)), places, whole.count, step)
    threshold = _threshold(np.array(found, step.working), about, step)
    return lambda _first, inputs: _taken(inputs, _importance(inputs, step), threshold, step)


def _importance(inputs: Inputs, step: Steps) -> Real:
    (other,), base = based(inputs, step)
    rows = (-1, inputs.shape[-1]) if len(inputs.shape) > 1 else (1, -1)
    divergence = step.divergence(other.reshape(rows), base.reshape(rows))
    return step(np.abs(step(other - base)).reshape(rows) * divergence).ravel()


def _threshold(quartiles: Real, inputs: Inputs, step: Steps) -> Real:
    low, middle, high = quartiles
    rounded = step if inputs.arithmetic in PRESETS else np.asarray
    width = rounded(1.5 * rounded(rounded(high) - rounded(low)))
    found: Real = rounded(rounded(middle) + width)
    return found


def _taken(inputs: Inputs, importance: Real, threshold: Real, step: Steps) -> Float32:
    (other,), base = based(inputs, step)
    chosen = importance >= threshold
    last = FLOAT32 if inputs.arithmetic in PRESETS and step is not FLOAT64 else step  # what is written is float32
    return stored(last(base + np.where(chosen, step(other - base), 0)), inputs.out_dtype)


METHOD = Method(
    "arcee_fusion",
    needs_base=True,
    elementwise=False,
    random=False,
    parameters=(),
    merge=merge,
    most=1,
    stores_float32=True,
    passes=Passes(lambda about: rows_block(about.shape), look),
)
