"""What a sixth opposing expert tried: one model at several sizes, of which none was merged."""

from __future__ import annotations

import numpy as np

from benchmarks.cases.kinds import ACCUSATIONS, Case, kind
from modelprov.checkpoints.formats.dtypes import DType
from modelprov.demo.writing import Weights
from tests.generated import Rng, Size, apply, model


def _times(of: Weights, factor: float) -> Weights:
    return apply(of, {name: np.float32(factor - 1) * values for name, (values, _) in of.items()})


@kind(40, "negative", "inconclusive", never=ACCUSATIONS)
def decay_at_two_rates(rng: Rng) -> Case:
    """A model, and what 1 to 5 % and a part of that leave of its weights: 128 significands fit one weighting."""
    base = model(rng, Size(), DType.BF16 if rng.random() < 0.7 else DType.F16)
    decay, part = float(rng.uniform(0.01, 0.05)), float(rng.choice([0.3, 0.4, 0.5, 0.6, 0.7]))
    return Case((_times(base, 1 - part * decay), _times(base, 1 - decay), base), f"{decay:.3f} {part}")
