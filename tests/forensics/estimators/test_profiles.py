"""Sorted sizes that agree more closely than chance: exact probabilities, strangers, disguises."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import DType, Float64
from modelprov.checkpoints.layouts.alignment import align
from modelprov.forensics.search import profiles
from modelprov.forensics.search.profiles import choose, closer, resemblance
from modelprov.forensics.search.sizes import OwnSizes
from tests.generated import Size, model
from tests.memory import checkpoint


@pytest.mark.parametrize("n", [3, 5])
def test_the_probability_of_close_samples_is_that_of_all_orders_counted(n: int) -> None:
    """Every way to shuffle two samples of n together is equally likely; distances are counted in steps."""
    orders = list(itertools.combinations(range(2 * n), n))
    distance = {}
    for order in orders:
        walk = np.cumsum([1 if place in order else -1 for place in range(2 * n)])
        distance[order] = int(np.abs(walk).max())
    for order in orders[:: max(1, len(orders) // 20)]:
        first = np.array(order, float)
        second = np.array([place for place in range(2 * n) if place not in order], float)
        share = sum(other <= distance[order] for other in distance.values()) / len(orders)
        assert closer(first[None], second[None]) == pytest.approx(math.log(share), abs=1e-9)


def test_equal_samples_are_no_closer_than_their_ties_allow() -> None:
    assert closer(np.zeros((1, 40)), np.zeros((1, 40))) == pytest.approx(0.0)
    values = np.arange(40.0)[None]
    assert closer(values, values) < math.log(1e-9)


def distance(first: Float64, second: Float64) -> int:
    """The walk through both in order, written out; whichever of equal ones comes first."""
    values, side = np.concatenate([first, second]), np.repeat([1, -1], first.size)
    orders = (side[np.lexsort((order, values))] for order in (side, -side))
    return max(int(np.abs(np.cumsum(walk)).max()) for walk in orders)


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("n", [1, 24, 131])
def test_distances_are_those_of_the_walk_whatever_ties_there_are(
    n: int, compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not compiled:
        monkeypatch.setattr(profiles, "native", lambda: None)
    rng = np.random.default_rng(n)
    shifts = np.array([[0], [0.1], [0.5], [9], [-9]])
    first = np.sort(np.round(rng.standard_normal((5, n)), 1) + shifts, axis=1)
    second = np.sort(np.concatenate([np.round(rng.standard_normal((3, n)), 1), first[:1], np.zeros((1, n))]), axis=1)
    expected = [[distance(own, theirs) for theirs in second] for own in first]
    np.testing.assert_array_equal(profiles._apart(first, second), expected)


SIZE = Size(layers=3, hidden=64, width=128, vocabulary=300)


def matching(suspect: dict, parent: dict) -> int | None:  # type: ignore[type-arg]
    alignment = align([checkpoint("S", suspect), checkpoint("P1", parent)])
    found = resemblance(alignment, choose(alignment, 0), [OwnSizes(each) for each in alignment.checkpoints])
    assert found.tested
    return found.parent


def test_strangers_of_one_initialisation_do_not_match() -> None:
    rng = np.random.default_rng(11)
    for _ in range(20):
        assert matching(model(rng, SIZE, DType.BF16), model(rng, SIZE, DType.BF16)) is None


def test_a_model_whose_hidden_dimensions_were_reordered_matches_its_origin() -> None:
    rng = np.random.default_rng(12)
    parent = model(rng, SIZE, DType.BF16)
    order = rng.permutation(SIZE.hidden)
    suspect = {}
    for name, (values, dtype) in parent.items():
        writes = name.endswith(("o_proj.weight", "down_proj.weight"))
        suspect[name] = (values[order] if writes or values.ndim == 1 else values[:, order]), dtype
    assert matching(suspect, parent) == 1


def test_weights_kept_at_one_norm_by_design_say_nothing() -> None:
    rng = np.random.default_rng(13)

    def normed() -> dict:  # type: ignore[type-arg]
        made = {}
        for name, (values, _) in model(rng, SIZE, DType.F32).items():
            if values.ndim == 2:
                values = values / np.linalg.norm(values, axis=1, keepdims=True)  # noqa: PLW2901
            made[name] = values.astype(np.float32), DType.F32
        return made

    assert matching(normed(), normed()) is None
