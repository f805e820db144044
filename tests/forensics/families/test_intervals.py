"""Intervals of alpha against the weight that was mixed: overall and in every row that prints one."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.forensics.judging.findings import Findings
from modelprov.forensics.results import Measures
from modelprov.recipes.arithmetics import Arithmetic
from tests.forensics.families.family import family, named, noise
from tests.generated import apply, layer_of, merge
from tests.memory import judge

ALPHA = 0.79
STEPWISE = [Arithmetic.STEPWISE, Arithmetic.STEPWISE_UNNORMALISED, Arithmetic.STEPWISE_DELTA]


@cache
def stepwise(arithmetic: Arithmetic) -> Findings:
    parents = family(DType.BF16)[::2]
    return judge(merge(parents, [ALPHA, 1 - ALPHA], arithmetic), *parents)


def rows(found: Findings) -> list[Measures]:
    return [row for row in (*found.components, *found.layers, *found.cells) if row.low is not None]


@pytest.mark.parametrize("arithmetic", STEPWISE)
def test_every_row_of_a_reproduced_recipe_holds_what_was_mixed_and_all_that_the_whole_allows(
    arithmetic: Arithmetic,
) -> None:
    found = stepwise(arithmetic)
    mixing = found.mixing
    assert mixing.method == "same bits"
    assert mixing.low is not None
    assert mixing.high is not None
    assert mixing.low <= ALPHA <= mixing.high
    assert mixing.alpha == next(iter(found.reproduction.groups[0].weights.values()))
    assert len(rows(found)) >= 10
    for row in rows(found):
        assert row.low <= mixing.low, row.name
        assert mixing.high <= row.high, row.name
        assert row.alpha == mixing.alpha, row.name


def test_a_row_with_several_weightings_shows_their_range() -> None:
    parents = family(DType.BF16)[::2]
    by_layer = {None: 0.5, 0: 0.3, 1: 0.5, 2: 0.7}

    def weights(name: str) -> tuple[float, float]:
        alpha = by_layer[layer_of(name)]
        return alpha, 1 - alpha

    found = judge(merge(parents, weights), *parents)
    assert named(found) == ("merge", "reproduced")
    layers = {row.layer: row for row in found.layers}
    for layer in range(3):
        assert layers[layer].low == pytest.approx(by_layer[layer], abs=1e-3)
        assert layers[layer].high == pytest.approx(by_layer[layer], abs=1e-3)
    attention = next(row for row in found.components if row.component == "attention")
    assert (attention.low, attention.high) == (0.3, 0.7)
    assert attention.alpha == pytest.approx(0.5, abs=0.02)


def test_a_recipe_that_explains_most_layers_gives_the_interval_and_the_other_layer_keeps_its_own() -> None:
    parents = family(DType.BF16)[::2]
    merged = merge(parents, [ALPHA, 1 - ALPHA], Arithmetic.STEPWISE)
    added = noise(merged, 2e-4)
    trained = apply(merged, {n: v if layer_of(n) == 1 else np.zeros_like(v) for n, v in added.items()})
    found = judge(trained, *parents)
    assert found.verdict.rule == "partly-exact"
    assert found.mixing.method == "same bits"
    assert found.mixing.low is not None
    assert found.mixing.high is not None
    assert found.mixing.low <= ALPHA <= found.mixing.high
    assert found.mixing.alpha == next(iter(found.reproduction.groups[0].weights.values()))
    layers = {row.layer: row for row in found.layers}
    assert layers[0].alpha == found.mixing.alpha == layers[2].alpha
    assert layers[1].sigma_relative is not None
    assert layers[1].sigma_relative > 0.1
    assert layers[1].low < ALPHA < layers[1].high
    assert found.beyond is not None
    left = {one.layer: one.relative for one in found.beyond.layers}
    assert left[1] > 5 * max(left[0], left[2])


def test_an_interval_says_what_it_takes_for_granted() -> None:
    parents = family(DType.BF16)[::2]
    assert "nothing was added afterwards" in (stepwise(Arithmetic.STEPWISE).mixing.assumes or "")
    trained = judge(apply(merge(parents, [ALPHA, 1 - ALPHA]), noise(parents[0], 1e-5)), *parents)
    assert trained.mixing.method == "likelihood"
    assert "45 degrees" in (trained.mixing.assumes or "")
