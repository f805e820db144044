"""Sums of another scale are named with what a person typed; nothing is proposed for what no merge made."""

from __future__ import annotations

from typing import Any

import pytest

from modelprov.checkpoints.layouts.alignment import align
from modelprov.demo.writing import Weights
from modelprov.forensics.search.methods import summed
from modelprov.forensics.search.methods.find import FoundMethod, _looks, find
from modelprov.forensics.search.methods.remake import Made
from modelprov.forensics.search.methods.whole import Wholes
from tests.forensics.methods.making import family, merged, negatives
from tests.memory import checkpoint, judge


def wholes_of(*models: Weights) -> Wholes:
    return Wholes(align([checkpoint(f"model {number}", one) for number, one in enumerate(models)]), 0, 512 << 20)


def proposed(*models: Weights) -> list[Made]:
    wholes = wholes_of(*models)
    loaded = [whole for row in wholes.rows if (whole := wholes.load(row)) is not None]
    return list(summed.summed(lambda: iter(loaded), _looks(wholes)))


def found(*models: Weights) -> FoundMethod:
    best = find(wholes_of(*models))
    assert best is not None
    return best


@pytest.mark.parametrize("arithmetic", ["mergekit-0.1.4", "mergekit-0.1.5"])
@pytest.mark.parametrize("weights", [(0.6, 0.5), (0.7, 0.2), (0.45, 0.45)])
def test_a_linear_merge_that_is_not_divided_by_its_weights_is_named(
    arithmetic: str, weights: tuple[float, ...]
) -> None:
    first, second, _ = family()
    each = {"weight": list(weights)}
    suspect = merged("linear", [first, second], each=each, options={"normalize": False}, arithmetic=arithmetic)
    best = found(suspect, first, second)
    assert (best.made.method, best.made.models, best.made.options) == ("linear", (0, 1), {"normalize": False})
    assert tuple(own["weight"] for own in best.made.each) == weights
    assert best.bits.missed == 0
    verdict = judge(suspect, first, second).verdict
    assert (str(verdict.class_), verdict.rule) == ("merge", "method")


@pytest.mark.parametrize(
    "options", [{"normalize": True, "lambda": 0.8}, {"normalize": True, "lambda": 1.2}, {"lambda": 0.6}]
)
def test_task_arithmetic_that_is_divided_or_enlarged_in_steps_of_16_bits_is_named(options: dict[str, Any]) -> None:
    first, second, base = family(distance=1e-3)
    suspect = merged("task_arithmetic", [first, second], base, each={"weight": [0.7, 0.5]}, options=options)
    best = found(suspect, first, second, base)
    assert (best.made.method, best.made.options, best.bits.missed) == ("task_arithmetic", options, 0)
    assert [own["weight"] for own in best.made.each] == [0.7, 0.5]


def test_task_arithmetic_of_two_with_weights_by_layer_is_named() -> None:
    first, second, base = family(distance=1e-3)
    each = {"weight": [[0.2, 1.0], [1.0, 0.1]]}
    best = found(merged("task_arithmetic", [first, second], base, each=each), first, second, base)
    assert [own["weight"] for own in best.made.each] == each["weight"]
    assert best.bits.missed == 0


@pytest.mark.parametrize("distance", [1e-4, 2e-3])
def test_what_no_merge_made_is_no_sum(distance: float) -> None:
    first, second, base = family(distance=distance)
    for _, make in negatives():
        assert proposed(make(), first, second, base) == []
