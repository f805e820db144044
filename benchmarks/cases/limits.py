"""Histories that weights alone cannot tell from a merge, kept apart and counted in the open."""

from __future__ import annotations

from benchmarks.cases.kinds import Case, kind
from benchmarks.cases.making import family, log_uniform, sharing, walk
from tests.generated import Rng


@kind(60, "limit", "on-line", "inconclusive", "same-origin")
def straight_even_run(rng: Rng) -> Case:
    """A stage of a run that goes straight (random part 1 to 10 %) and at one pace in all layers."""
    return walk(rng, rng.uniform(0.01, 0.1), 0.0, rng.uniform(0.2, 0.8))


@kind(60, "limit", "on-line", "inconclusive", "same-origin")
def almost_the_same_training(rng: Rng) -> Case:
    """Siblings whose changes have a cosine of 0.95 to 0.999."""
    parent, base = family(rng, low=1e-4)
    return sharing(rng, parent, base, 1 - log_uniform(rng, 1e-3, 5e-2))
