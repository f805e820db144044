"""Arcee Fusion: takes over the changes that matter most (Arcee AI; described in mergekit's documentation).

    importance = |other - base| KL(softmax(other row) || softmax(base row))
    merged = other where importance >= median + 1.5 (Q3 - Q1), else base

mergekit computes the softmax in the tensors' format and writes F32 whatever was asked for. Rows of a matrix, or the
whole of a vector. The divergences are tiny, so their last digits (and a few elements at the threshold) depend on the
exponential of the library that computes them; here they are float64.
"""

from __future__ import annotations

import numpy as np

from modelprov.merge.methods.interface import Float32, Inputs, Method
from modelprov.merge.methods.steps import Real, Steps, based, steps_of, stored


def merge(inputs: Inputs) -> Float32:
    """The base, with the important differences added; nothing moves where importances are all equal to zero."""
    step = steps_of(inputs)
    (other,), base = based(inputs, step)
    delta = step(other - base)
    importance = step(np.abs(delta).reshape(_rows(inputs.shape)) * _divergence(other, base, inputs.shape, step)).ravel()
    low, middle, high = np.quantile(importance, (0.25, 0.5, 0.75))
    chosen = importance >= middle + 1.5 * (high - low)
    return stored(step(base + np.where(chosen, delta, 0)), inputs.out_dtype)


def _rows(shape: tuple[int, ...]) -> tuple[int, int]:
    return (-1, shape[-1]) if len(shape) > 1 else (1, -1)


def _divergence(other: Real, base: Real, shape: tuple[int, ...], step: Steps) -> Real:
    """Kullback-Leibler divergence of the softmax of each row [rows, 1]."""
    p, q = (_softmax(one.reshape(_rows(shape)), step) for one in (other, base))
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where((p > 0) & (q > 0), p * np.log(p / q), 0.0)
    return step(terms.sum(-1, keepdims=True))


def _softmax(rows: Real, step: Steps) -> Real:
    powers = np.exp(rows.astype(np.float64) - rows.max(-1, keepdims=True))
    return step(powers / powers.sum(-1, keepdims=True)).astype(np.float64)


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
