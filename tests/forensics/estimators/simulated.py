"""Simulated checkpoints with a known recipe, in bf16: what the tests of the estimators measure. Seeds are arguments."""

from __future__ import annotations

import numpy as np

from modelprov.checkpoints.formats.dtypes import DType, Float64, round_bf16, round_to
from modelprov.forensics.sampling.sample import Sample, from_values


def merged(
    n: int,
    distance: float,
    weights: tuple[float, ...] = (0.565,),
    sigma: float = 0.0,
    seed: int = 1,
) -> Sample:
    """bf16(sum w_i P_i + N(0, sigma)) in float32; the reference N(0, 0.02) takes the rest of the weights."""
    rng = np.random.default_rng(seed)
    base = round_to(rng.normal(0, 0.02, n), DType.BF16)
    parents = [round_to(base + rng.normal(0, distance, n), DType.BF16) for _ in weights] + [base]
    mixed = np.zeros(n, np.float32)
    rest = np.float32(1) - np.float32(sum(weights))
    for weight, parent in zip((*weights, rest), parents, strict=True):
        mixed = mixed + np.float32(weight) * parent.astype(np.float32)
    suspect = round_to(mixed.astype(np.float64) + sigma * rng.normal(size=n), DType.BF16)
    return from_values(suspect, parents, DType.BF16)


def bf16_stepwise(weight: float, parent: Float64, base: Float64) -> Float64:
    """Weights, products and their sum each rounded to bf16, then divided by the bf16 sum of the weights."""

    def rounded(x: Float64) -> Float64:
        return round_bf16(x.astype(np.float32)).astype(np.float64)

    w = rounded(np.array([weight, 1 - weight]))
    total = rounded(rounded(w[0] * parent) + rounded(w[1] * base))
    return rounded(total / rounded(w.sum(keepdims=True)))


def least_squares_alpha(sample: Sample) -> float:
    """Plain least squares, by numpy."""
    return float(np.linalg.lstsq(sample.deltas.T, sample.delta)[0][0])
