"""What the estimators compute themselves, since importing scipy costs more than using it: scipy is the oracle here."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import erfcx, ndtr
from scipy.stats import binom, t

from modelprov.forensics.estimators.binomial import tails
from modelprov.forensics.estimators.least_squares import fit_many
from modelprov.forensics.estimators.normal import cumulative, scaled_tail, student_95
from modelprov.forensics.estimators.root import root


def test_the_normal_distribution_is_that_of_scipy_in_both_tails_and_beyond_them() -> None:
    values = np.concatenate([np.linspace(-37, 9, 5001), [-40.0, -1e308, 1e308, -np.inf, np.inf]])
    np.testing.assert_allclose(cumulative(values), ndtr(values), rtol=3e-13, atol=0)
    assert cumulative(np.zeros(0)).shape == (0,)
    assert np.isnan(cumulative(np.array([np.nan]))).all()


def test_the_scaled_tail_is_that_of_scipy_wherever_it_is_asked_for() -> None:
    values = np.geomspace(20, 1e150, 2001)
    np.testing.assert_allclose(scaled_tail(values), erfcx(values), rtol=2e-15)


@pytest.mark.parametrize("trials", [1, 2, 3, 50, 384])
@pytest.mark.parametrize("scale", [0.01, 1.0, 30.0, 600.0])
def test_the_binomial_tails_are_those_of_scipy(trials: int, scale: float) -> None:
    log_chances = np.sort(-scale * np.random.default_rng(0).random(trials) ** 3)
    expected = binom.sf(np.arange(trials), trials, np.exp(log_chances))
    np.testing.assert_allclose(tails(log_chances), expected, rtol=1e-11, atol=1e-300)


def test_what_always_happens_happens_more_often_than_never_and_no_trials_have_no_tails() -> None:
    np.testing.assert_array_equal(tails(np.array([0.0, 1e-18, 0.0])), [1, 1, 1])
    assert tails(np.zeros(0)).shape == (0,)


@pytest.mark.parametrize("freedom", [*range(1, 60), 398, 399, 400, 401, 1000, 94_999])
def test_students_quantile_is_that_of_scipy(freedom: int) -> None:
    assert student_95(freedom) == pytest.approx(float(t.ppf(0.975, freedom)), rel=1e-12)


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_root_is_found_in_the_same_place_as_by_scipy_and_as_fast(power: float, sign: int) -> None:
    asked: list[float] = []
    for place in np.linspace(-0.29, 0.69, 41):

        def function(x: float, place: float = float(place)) -> float:
            asked.append(x)
            return sign * math.copysign(abs(x - place) ** power, x - place)

        found = root(function, (-0.3, function(-0.3)), (0.7, function(0.7)), 0.01)
        ours = len(asked)
        assert found == pytest.approx(brentq(function, -0.3, 0.7, xtol=0.01), abs=1e-12)
        assert ours <= len(asked) - ours
        asked.clear()


def test_a_root_at_an_end_of_the_bracket_is_that_end() -> None:
    assert root(lambda x: x, (0.0, 0.0), (1.0, 1.0), 0.01) == 0.0
    assert root(lambda x: x, (-1.0, -1.0), (0.0, 0.0), 0.01) == 0.0


@pytest.mark.parametrize(("cross", "share"), [(-1.0, 0.0), (0.0, 0.0), (1.0, 0.25), (4.0, 1.0), (9.0, 1.0)])
def test_the_share_of_a_single_parent_is_kept_between_nothing_and_all(cross: float, share: float) -> None:
    assert fit_many(np.array([[4.0]]), np.array([cross]), 50.0).simplex == (share,)
