"""Merges that were trained afterwards, by a little or by much."""

from __future__ import annotations

from benchmarks.cases.kinds import Case, kind
from benchmarks.cases.making import family, ratio, trained
from tests.generated import Rng, apply, change, distance, layer_of, merge


def _merge_trained(rng: Rng, share: float, low_rank: float) -> Case:
    parents = family(rng, low=1e-4)
    alpha = ratio(rng, 0.2, 0.8)
    suspect = trained(merge(parents, [alpha, 1 - alpha]), parents, rng, share, low_rank)
    return Case((suspect, *parents), f"{alpha} {share} {distance(*parents):.1g}")


@kind(60, "positive", "on-line", "merge")
def trained_half_percent(rng: Rng) -> Case:
    """0.5 % of the parents' distance: often below one rounding cell, then nothing is left of it."""
    return _merge_trained(rng, 0.005, float(rng.choice([0.0, 0.5])))


@kind(80, "positive", "on-line")
def trained_1_percent(rng: Rng) -> Case:
    """1 % of the parents' distance."""
    return _merge_trained(rng, 0.01, float(rng.choice([0.0, 0.5])))


@kind(80, "positive", "on-line")
def trained_3_percent(rng: Rng) -> Case:
    """3 % of the parents' distance, dense or half of it low-rank."""
    return _merge_trained(rng, 0.03, float(rng.choice([0.0, 0.5])))


@kind(60, "positive", "on-line", "inconclusive")
def trained_10_percent(rng: Rng) -> Case:
    """10 % of the parents' distance: recognised for ratios near a half."""
    return _merge_trained(rng, 0.1, float(rng.choice([0.0, 0.5])))


@kind(40, "positive", "inconclusive", "on-line")
def trained_30_percent(rng: Rng) -> Case:
    """30 %: the history is no longer in the weights."""
    return _merge_trained(rng, 0.3, float(rng.choice([0.0, 0.5])))


@kind(40, "positive", "merge")
def only_some_layers_trained(rng: Rng) -> Case:
    """An exact merge, then the attention of the last layer trained by as much as the parents are apart."""
    parents = family(rng, low=2e-4)
    alpha, last = ratio(rng, 0.2, 0.8), max(layer_of(name) or 0 for name in parents[0])
    merged = merge(parents, [alpha, 1 - alpha])
    extra = change(merged, rng, distance(*parents), only=lambda name: f"layers.{last}.self_attn.q" in name)
    return Case((apply(merged, extra), *parents), f"{alpha}")


@kind(30, "positive", "on-line", "inconclusive")
def three_parents_trained(rng: Rng) -> Case:
    """0.5, 0.3 and 0.2 of three parents, trained by 1 to 3 %."""
    parents = family(rng, 2, low=2e-4)
    return Case((trained(merge(parents, [0.5, 0.3, 0.2]), parents, rng, rng.uniform(0.01, 0.03)), *parents))
