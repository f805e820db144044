"""Histories that weights alone cannot tell from a merge, kept apart and counted in the open."""

from __future__ import annotations

import numpy as np

from benchmarks.cases.kinds import Case, kind
from benchmarks.cases.making import family, log_uniform, sharing, walk
from modelprov.checkpoints.formats.dtypes import DType
from tests.generated import Rng, Size, apply, model


@kind(60, "limit", "on-line", "inconclusive", "same-origin")
def straight_even_run(rng: Rng) -> Case:
    """A stage of a run that goes straight (random part 1 to 10 %) and at one pace in all layers."""
    return walk(rng, rng.uniform(0.01, 0.1), 0.0, rng.uniform(0.2, 0.8))


@kind(60, "limit", "on-line", "inconclusive", "same-origin")
def almost_the_same_training(rng: Rng) -> Case:
    """Siblings whose changes have a cosine of 0.95 to 0.999."""
    parent, base = family(rng, low=1e-4)
    return sharing(rng, parent, base, 1 - log_uniform(rng, 1e-3, 5e-2))


@kind(40, "negative", "on-line", "inconclusive", "same-origin")
def one_change_at_a_tenth(rng: Rng) -> Case:
    """A change of a few bf16 steps, and a tenth of it, each rounded: really trained runs at a tenth of the rate."""
    base, size = model(rng, Size(), DType.BF16), log_uniform(rng, 2e-5, 2e-4)
    drawn = {name: rng.standard_normal(values.shape, dtype=np.float32) for name, (values, _) in base.items()}
    small, whole = (
        {name: np.float32(scale * size if values.ndim == 2 else 0) * values for name, values in drawn.items()}
        for scale in (0.1, 1.0)
    )
    return Case((apply(base, small), apply(base, whole), base), f"{size:.1g}")
