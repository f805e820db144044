"""The interval of a reproduced recipe is the set of weights that give its bits: held against brute force."""

from __future__ import annotations

import numpy as np
import pytest

from modelprov.forensics.sampling.sample import from_values
from modelprov.forensics.search.recipes import Scored, Scorer
from modelprov.forensics.search.same_bits import bounds_in, settle
from modelprov.forensics.search.weighted_sum import WeightedSum
from modelprov.native import native, why_not
from modelprov.recipes.arithmetics import Arithmetic
from tests.forensics.recipe_oracle import DTYPES, merged, ratio_set, recipe

Parents = tuple[np.ndarray, np.ndarray]


def settled(arithmetic: Arithmetic, nominal: float, found: float, apart: float = 2e-3) -> tuple[Scored, Parents]:
    """What a recipe with the weight `found` becomes on a bf16 merge by `nominal` of these parents."""
    parents = recipe("bf16", 7, 300, apart)
    sample = from_values(merged(parents, nominal, arithmetic, "bf16"), list(parents), DTYPES["bf16"])
    scorer = Scorer(sample, np.zeros(sample.elements, np.int64))
    given = WeightedSum(arithmetic, (0, 1), np.array([[found, 1 - found]]))
    return settle(Scored(given, scorer.share(given), scorer.elements), scorer, 0), parents


@pytest.mark.parametrize("nominal", [0.3, 0.55, 0.7])
@pytest.mark.parametrize(
    "arithmetic", [Arithmetic.STEPWISE, Arithmetic.STEPWISE_UNNORMALISED, Arithmetic.STEPWISE_DELTA]
)
def test_the_interval_of_a_stepwise_merge_is_the_run_of_ratios_with_its_bits(
    arithmetic: Arithmetic, nominal: float
) -> None:
    found, parents = settled(arithmetic, nominal, nominal)
    suspect = merged(parents, nominal, arithmetic, "bf16")
    runs = ratio_set(suspect, parents, arithmetic, "bf16", nominal - 0.02, nominal + 0.02)
    low, high = next((a, b) for a, b in runs if a <= nominal <= b)
    assert found.low is not None
    assert found.high is not None
    width = high - low
    assert found.low[0, 0] == pytest.approx(low, abs=0.01 * width)
    assert found.high[0, 0] == pytest.approx(high, abs=0.01 * width)
    assert low <= found.low[0, 0] <= nominal <= found.high[0, 0] <= high


@pytest.mark.parametrize("nominal", [0.3, 0.55, 0.7])
@pytest.mark.parametrize("arithmetic", [Arithmetic.TORCH_SUM, Arithmetic.TORCH_DELTA, Arithmetic.TORCH_ALPHA])
def test_the_interval_with_unrounded_weights_ends_where_the_bits_do(arithmetic: Arithmetic, nominal: float) -> None:
    found, parents = settled(arithmetic, nominal, nominal)
    suspect = merged(parents, nominal, arithmetic, "bf16")
    assert found.low is not None
    assert found.high is not None
    low, high = float(found.low[0, 0]), float(found.high[0, 0])
    assert low <= nominal <= high
    for ratio in np.linspace(low, high, 50):
        assert merged(parents, ratio, arithmetic, "bf16").tobytes() == suspect.tobytes()
    for ratio in (low - 0.01 * (high - low), high + 0.01 * (high - low)):
        assert merged(parents, ratio, arithmetic, "bf16").tobytes() != suspect.tobytes()


def test_the_recipe_shows_the_number_that_a_person_would_have_typed() -> None:
    found, _ = settled(Arithmetic.STEPWISE, 0.7, 0.69921875)
    assert found.recipe.weights.tolist() == [[0.7, 0.3]]
    assert found.low is not None
    assert found.low[0, 0] < 0.69921875


def test_an_interval_of_float32_arithmetic_is_narrow_and_holds_the_ratio() -> None:
    found, _ = settled(Arithmetic.FLOAT32, 0.565, 0.565, 5e-3)
    assert found.low is not None
    assert found.high is not None
    assert found.low[0, 0] <= 0.565 <= found.high[0, 0]
    assert found.high[0, 0] - found.low[0, 0] < 1e-2


def test_a_recipe_that_does_not_reproduce_is_left_as_it_is() -> None:
    found, _ = settled(Arithmetic.STEPWISE, 0.7, 0.5)
    assert found.low is None
    assert found.recipe.weights.tolist() == [[0.5, 0.5]]


@pytest.mark.skipif(native() is None, reason=f"no C kernels: {why_not()}")
@pytest.mark.parametrize("dtype", list(DTYPES))
@pytest.mark.parametrize("arithmetic", list(Arithmetic))
def test_bits_counted_in_c_are_those_counted_in_numpy(
    arithmetic: Arithmetic, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parents = recipe(dtype, 7, 3001, 2e-3)
    sample = from_values(merged(parents, 0.6, arithmetic, dtype), list(parents), DTYPES[dtype])
    scorer = Scorer(sample, np.zeros(sample.elements, np.int64))
    order = np.array([1, 0], np.int64)
    some = scorer.of_elements(np.arange(0, sample.elements, 3))
    tried = [np.array([alpha, 1 - alpha]) for alpha in (0.6, 0.6001, 0.61, 0.3)]
    found = [[bits.count(int(arithmetic), order, weights) for weights in tried] for bits in (scorer, some)]
    assert found[0][0] > found[0][-1]
    least = found[0][0]
    assert [scorer.count(int(arithmetic), order, weights, least) >= least for weights in tried] == [
        count >= least for count in found[0]
    ]
    monkeypatch.setattr("modelprov.forensics.search.recipes.native", lambda: None)
    fresh = Scorer(sample, np.zeros(sample.elements, np.int64))
    some = fresh.of_elements(np.arange(0, sample.elements, 3))
    assert found == [[bits.count(int(arithmetic), order, weights) for weights in tried] for bits in (fresh, some)]


@pytest.mark.skipif(native() is None, reason=f"no C kernels: {why_not()}")
@pytest.mark.parametrize("arithmetic", list(Arithmetic))
@pytest.mark.parametrize("nominal", [0.0, 0.3, 0.7, 1.2])
def test_ends_that_are_looked_for_in_c_are_those_of_one_weight_after_another(
    arithmetic: Arithmetic, nominal: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ends() -> list[object]:
        found, _ = settled(arithmetic, nominal, nominal)
        part = Scorer(sample, np.zeros(sample.elements, np.int64)).of_elements(np.arange(0, sample.elements, 2))
        assert found.low is not None
        assert found.high is not None
        return [found.low.tolist(), found.high.tolist(), found.recipe.weights.tolist(), bounds_in(found, part, 0)]

    parents = recipe("bf16", 7, 300, 2e-3)
    sample = from_values(merged(parents, nominal, arithmetic, "bf16"), list(parents), DTYPES["bf16"])
    in_c = ends()
    monkeypatch.setattr("modelprov.forensics.search.recipes.native", lambda: None)
    assert ends() == in_c
