"""One small family of generated models that many tests share: two finetunes and their base."""

from __future__ import annotations

import functools

import numpy as np

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.demo.writing import Weights
from modelprov.forensics.judging.findings import Findings
from tests.generated import Size, apply, change, model

WEIGHTS = (0.565, 0.435)


@functools.cache
def family(dtype: DType = DType.BF16) -> tuple[Weights, Weights, Weights]:
    """Two finetunes of one base, and the base."""
    rng = np.random.default_rng(7)
    base = model(rng, Size(3, 32, 64, 200), dtype)
    return apply(base, change(base, rng, 3e-4)), apply(base, change(base, rng, 3e-4)), base


def noise(of: Weights, size: float, seed: int = 1) -> dict[str, np.ndarray]:
    return change(of, np.random.default_rng(seed), size, low_rank=0, uneven=0)


def named(found: Findings) -> tuple[str, str]:
    return str(found.verdict.class_), found.verdict.rule
