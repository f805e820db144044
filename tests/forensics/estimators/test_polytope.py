"""Several parents: the box that rounding leaves, and a plain linear program over all slabs as oracle."""

import numpy as np
import pytest
from scipy.optimize import linprog

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.forensics.estimators import polytope
from modelprov.forensics.estimators.interval import element_intervals
from modelprov.forensics.estimators.interval import fit as fit_interval
from modelprov.forensics.estimators.polytope import fit
from modelprov.forensics.sampling.sample import concatenate, from_values, widened_cell
from tests.forensics.estimators.simulated import merged


def test_the_box_holds_the_recipe_to_a_millionth_where_least_squares_is_far_off():
    sample = merged(65_536, 2e-5, (0.5, 0.3), seed=40)
    shown = np.linalg.lstsq(sample.deltas.T, sample.delta)[0]
    assert shown[1] < 0.2
    result = fit(sample)
    assert result.feasible
    assert result.coverage == 1.0
    for low, high, true in zip(result.low, result.high, (0.5, 0.3), strict=True):
        assert low <= true <= high
        assert high - low < 5e-6


@pytest.mark.parametrize("weights", [(0.5, 0.3), (0.1, 0.6, 0.2), (0.565,)])
def test_the_box_equals_a_program_over_all_slabs(weights, monkeypatch):
    monkeypatch.setattr(polytope, "_START", 5)  # most slabs that matter must be found by their violation
    monkeypatch.setattr(polytope, "_ADDED", 3)
    sample = merged(3_000, 1e-3, weights, seed=41)
    result = fit(sample)
    lower, upper = (x - sample.parents[-1] for x in widened_cell(sample))
    u, true, zoom = sample.deltas.T, np.array(weights), 1e-5
    length = np.linalg.norm(u, axis=1) * zoom
    keep = length > 0
    u, lower, upper, length = u[keep], lower[keep], upper[keep], length[keep]
    matrix = np.vstack([u, -u]) * zoom / np.tile(length, 2)[:, None]
    limits = np.concatenate([upper - u @ true, u @ true - lower]) / np.tile(length, 2)
    for i in range(true.size):
        for sign, side in ((1, result.low), (-1, result.high)):
            answer = linprog(sign * np.eye(true.size)[i], matrix, limits, bounds=(None, None), method="highs")
            assert side[i] == pytest.approx(true[i] + zoom * answer.x[i], abs=2e-11)


def test_one_delta_gives_the_interval():
    sample = merged(5_000, 5e-4, seed=42)
    interval, box = fit_interval(element_intervals(sample)), fit(sample)
    assert (box.low[0], box.high[0]) == pytest.approx((interval.low, interval.high), abs=1e-13)


def test_permutation_and_a_power_of_two_leave_the_box():
    sample = merged(2_000, 5e-4, (0.5, 0.3), seed=43)
    first = fit(sample)
    scaled = from_values(sample.suspect * 32, sample.parents * 32, DType.BF16)
    for other in (scaled, sample.take(np.random.default_rng(2).permutation(2_000))):
        result = fit(other)
        np.testing.assert_allclose(result.low, first.low, atol=1e-11)
        np.testing.assert_allclose(result.high, first.high, atol=1e-11)


def test_no_exact_merge_leaves_no_box_and_the_main_recipe_is_found_among_outliers():
    main = merged(20_000, 2e-4, (0.5, 0.3), seed=44)
    others = merged(1_500, 2e-4, (0.1, 0.1), seed=45)
    result = fit(concatenate([main, others]))
    assert not result.feasible
    assert result.low is None
    np.testing.assert_allclose(result.centre, (0.5, 0.3), atol=2e-4)
    assert 0.93 < result.coverage < 1


def test_trained_weights_have_an_empty_polytope():
    result = fit(merged(20_000, 2e-4, (0.5, 0.3), sigma=1e-5, seed=46))
    assert not result.feasible
    assert result.coverage < 0.9
    np.testing.assert_allclose(result.centre, (0.5, 0.3), atol=0.02)


def test_what_cannot_be_bounded_has_a_reason_or_no_bound():
    same = np.ones(20)
    assert "reference" in fit(from_values(same, [same, same, same], DType.BF16)).reason
    assert "reference" in fit(from_values([], [[], []], DType.BF16)).reason
    sample = merged(200, 1e-3, seed=47)
    twins = fit(from_values(sample.suspect, [sample.parents[0], *sample.parents], DType.BF16))
    assert twins.feasible
    assert twins.low == (None, None)
    assert twins.high == (None, None)


def test_fewer_than_ten_elements_still_bound():
    sample = merged(6, 1e-2, (0.5, 0.3), seed=48)
    result = fit(sample)
    assert result.feasible
    assert result.coverage == 1.0
