"""Weights by layer in steps of bf16 are named by the bits of each layer; nothing is fitted to what no merge made."""

from __future__ import annotations

from typing import Any

import pytest

from modelprov.checkpoints.layouts.alignment import align
from modelprov.demo.writing import Weights
from modelprov.forensics.search.methods import graded
from modelprov.forensics.search.methods.find import _looks, find
from modelprov.forensics.search.methods.gradients import setting
from modelprov.forensics.search.methods.remake import Made
from modelprov.forensics.search.methods.whole import Wholes
from modelprov.recipes.gradients import resolve
from tests.forensics.methods.making import family, merged, negatives
from tests.memory import checkpoint, judge


def proposed(*models: Weights) -> list[Made]:
    wholes = Wholes(align([checkpoint(f"model {number}", one) for number, one in enumerate(models)]), 0, 512 << 20)
    loaded = [whole for row in wholes.rows if (whole := wholes.load(row)) is not None]
    return list(graded.graded(lambda: iter(loaded), _looks(wholes)))


@pytest.mark.parametrize("distance", [1e-4, 2e-3])
@pytest.mark.parametrize("weights", [[0.2, 0.8], [0.1, 0.9, 0.3], [{"filter": "mlp", "value": 0.3}, {"value": 0.6}]])
def test_the_weights_of_each_layer_come_back(distance: float, weights: list[Any]) -> None:
    first, second, base = family(distance=distance)
    rest = graded._with(lambda _: Made("linear", (0, 1)), weights).each[1]["weight"]
    suspect = merged("linear", [first, second], each={"weight": [weights, rest]}, arithmetic="mergekit-0.1.4")
    (found,) = proposed(suspect, first, second, base)
    assert (found.method, found.models) == ("linear", (0, 1))
    for name in ("layers.1.self_attn.q", "layers.1.mlp.up", "model.norm"):
        assert resolve(name, found.each[0]["weight"], 1 / 3) == pytest.approx(resolve(name, weights, 1 / 3))


def test_a_task_vector_with_another_weight_in_each_layer_is_named() -> None:
    first, second, base = family()
    suspect = merged("task_arithmetic", [first], base, each={"weight": [[0.3, 0.9]]}, arithmetic="mergekit-0.1.4")
    assert [(one.models, one.base, one.each) for one in proposed(suspect, first, second, base)] == [
        ((0,), 2, ({"weight": [0.3, 0.9]},))
    ]


def test_the_verdict_names_a_gradient_between_close_parents() -> None:
    first, second, _ = family(distance=1e-4)
    weights = [[0.2, 0.8], [0.8, 0.2]]
    found = judge(
        merged("linear", [first, second], each={"weight": weights}, arithmetic="mergekit-0.1.4"), first, second
    )
    assert (str(found.verdict.class_), found.verdict.rule) == ("merge", "method")
    assert "S is linear of P1 (weight [0.2, 0.8]) and P2 (weight [0.8, 0.2])." in found.verdict.summary


@pytest.mark.parametrize("distance", [1e-4, 2e-3])
def test_what_no_merge_made_has_no_weights_by_layer(distance: float) -> None:
    first, second, base = family(distance=distance)
    for _, make in negatives():
        assert proposed(make(), first, second, base) == []


def test_what_is_not_given_yet_is_looked_at_first_and_where_all_is_given_nothing_is_read() -> None:
    first, second, base = family()
    made = [checkpoint(label, one) for label, one in zip("SAB", (first, second, base), strict=True)]
    wholes = Wholes(align(made), 0, 512 << 20)
    left = wholes.decisive[-1]
    known = frozenset(wholes.decisive) - {left}
    assert _looks(wholes, known)[0].row == left
    again = Wholes(align(made), 0, 512 << 20, on_bytes=lambda _: pytest.fail("read"))
    assert find(again, again.decisive) is None


def test_no_tensor_that_says_anything_allows_no_setting() -> None:
    assert setting([]) is None
