"""Interval-censored maximum likelihood: its claimed accuracy, cell probabilities, the pure-merge boundary."""

import mpmath
import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import norm

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.forensics.estimators.cell_probability import cell_terms
from modelprov.forensics.estimators.likelihood import _derivatives, _Problem, fit
from modelprov.forensics.sampling.sample import arithmetic_error, from_values, widened_cell
from tests.forensics.estimators.simulated import least_squares_alpha, merged

N = 100_000


@pytest.mark.parametrize("sigma", [1e-6, 3e-6, 1e-5, 3e-5, 1e-4])
def test_alpha_and_sigma_come_back_within_their_errors_where_least_squares_is_biased(sigma):
    sample = merged(N, 2e-4, (0.6,), sigma=sigma, seed=31)
    result = fit(sample)
    assert result.converged
    assert not result.sigma_at_boundary
    assert abs(result.alphas[0] - 0.6) < 4 * result.standard_errors[0]
    assert abs(result.sigma - sigma) < 4 * result.sigma_standard_error
    assert result.sigma_standard_error < 0.012 * sigma
    # The stated precision, +-0.0003, holds up to sigma of about 1e-5; beyond, sampling error alone is larger.
    assert result.standard_errors[0] == pytest.approx(max(1.9e-3 * (sigma / 1e-4) ** 0.75, 8e-5), rel=0.6)
    if sigma <= 1e-5:
        assert result.standard_errors[0] < 3.1e-4
        assert least_squares_alpha(sample) > 0.63
    relative = sigma / np.sqrt(np.mean(sample.deltas**2))
    assert result.sigma_relative == pytest.approx(relative, rel=0.04)
    assert result.collinearity == pytest.approx(1 / np.sqrt(1 + (relative / 0.6) ** 2), abs=0.002)


def test_standard_errors_are_those_of_repeated_draws():
    fits = [fit(merged(5_000, 2e-4, (0.6,), sigma=1e-5, seed=100 + i)) for i in range(60)]
    for values, errors in (
        ([f.alphas[0] for f in fits], [f.standard_errors[0] for f in fits]),
        ([f.sigma for f in fits], [f.sigma_standard_error for f in fits]),
    ):
        assert np.std(values) == pytest.approx(np.mean(errors), rel=0.3)


def test_a_pure_merge_has_sigma_zero_and_says_so():
    for distance in (2e-5, 2e-4):
        result = fit(merged(20_000, distance, seed=32))
        assert result.sigma_at_boundary
        assert result.sigma == 0.0
        assert 0 < result.sigma_upper < 1e-7
        assert result.standard_errors is None
        assert result.alphas[0] == pytest.approx(0.565, abs=3e-4)


def test_a_bound_on_sigma_is_not_below_what_was_added():
    upper = [fit(merged(2_000, 2e-4, sigma=3e-9, seed=i)) for i in range(10)]
    assert sum((f.sigma_upper or f.sigma + 2 * f.sigma_standard_error) > 3e-9 for f in upper) >= 8


def test_the_bound_on_sigma_is_where_the_profile_in_widened_cells_has_fallen_enough():
    sample = merged(40_000, 2e-4, seed=51)
    lower, upper = (x - sample.parents[-1] for x in widened_cell(sample))
    u = sample.deltas[0]

    def profile(sigma):
        def cost(offset):
            shift = (0.565 + offset * 1e-5) * u
            a, b = (lower - shift) / sigma, (upper - shift) / sigma
            a, b = np.where(a > 0, -b, a), np.where(a > 0, -a, b)
            return -np.sum(norm.logcdf(b) + np.log1p(-np.exp(norm.logcdf(a) - norm.logcdf(b))))

        return -minimize_scalar(cost, bounds=(-20, 20), method="bounded", options={"xatol": 1e-4}).fun

    result = fit(sample)
    smallest = float(np.sqrt(np.mean(arithmetic_error(sample) ** 2)))
    assert result.log_likelihood == pytest.approx(profile(smallest), abs=0.02)
    fallen = result.log_likelihood - profile(result.sigma_upper)
    assert fallen == pytest.approx(1.353, abs=0.15)


def test_three_parents_come_back():
    result = fit(merged(40_000, 2e-4, (0.5, 0.3), sigma=2e-5, seed=33))
    for got, error, true in zip(result.alphas, result.standard_errors, (0.5, 0.3), strict=True):
        assert abs(got - true) < 4 * error
    assert abs(result.sigma - 2e-5) < 4 * result.sigma_standard_error


@pytest.mark.parametrize("width", [1e-9, 9e-5, 2e-4, 0.01, 1.0, 7.0, 80.0])
@pytest.mark.parametrize("centre", [0.0, 0.3, -4.0, 20.0, -36.0, 300.0])
def test_cell_probabilities_equal_fifty_digit_arithmetic(centre, width):
    with mpmath.workdps(80):

        def log_probability(m, w):
            a, b = m - w / 2, m + w / 2
            if m > 0:
                a, b = -b, -a
            root = mpmath.sqrt(2)
            return mpmath.log((mpmath.erfc(-b / root) - mpmath.erfc(-a / root)) / 2)

        m, w = mpmath.mpf(centre), mpmath.mpf(width)
        expected = log_probability(m, w)
        orders = {"by_m": (1, 0), "by_w": (0, 1), "by_mm": (2, 0), "by_mw": (1, 1), "by_ww": (0, 2)}
        got = cell_terms(np.array([centre]), np.array([width]))
        assert got.log_probability[0] == pytest.approx(float(expected), rel=1e-9, abs=1e-9)
        h = mpmath.mpf(10) ** -20 * min(1, w)
        for name, (i, j) in orders.items():
            derivative = mpmath.diff(log_probability, (m, w), (i, j), h=h)
            scale = (1 + abs(centre)) ** 2 / min(width, 1.0) ** j
            assert getattr(got, name)[0] == pytest.approx(float(derivative), rel=1e-5, abs=1e-6 * scale)


def test_cell_probabilities_equal_scipys_distribution():
    rng = np.random.default_rng(34)
    centre, width = rng.normal(0, 3, 1000), rng.uniform(0.1, 5, 1000)
    low, high = centre - width / 2, centre + width / 2
    expected = np.where(centre < 0, norm.cdf(high) - norm.cdf(low), norm.sf(low) - norm.sf(high))
    np.testing.assert_allclose(cell_terms(centre, width).log_probability, np.log(expected), rtol=1e-11)


def test_the_gradient_and_hessian_are_those_of_the_log_likelihood():
    rng = np.random.default_rng(35)
    problem = _Problem(rng.normal(size=50), rng.uniform(0.2, 1, 50), rng.normal(size=(2, 50)))
    point = np.array([0.4, -0.3, 1.7])

    def value(x):
        return problem.terms(x).log_probability.sum()

    gradient, curvature = _derivatives(problem, problem.terms(point))
    steps = 1e-6 * np.eye(3)
    np.testing.assert_allclose(gradient, [(value(point + h) - value(point - h)) / 2e-6 for h in steps], rtol=1e-6)
    rows = [
        (_derivatives(problem, problem.terms(point + h))[0] - _derivatives(problem, problem.terms(point - h))[0]) / 2e-6
        for h in steps
    ]
    np.testing.assert_allclose(-curvature, rows, rtol=1e-6, atol=1e-6)
    assert np.linalg.eigvalsh(curvature).min() > 0


def test_the_order_of_elements_and_a_power_of_two_do_not_matter():
    sample = merged(3_000, 2e-4, sigma=1e-5, seed=36)
    first = fit(sample)
    other = fit(sample.take(np.random.default_rng(1).permutation(3_000)))
    scaled = fit(from_values(sample.suspect / 64, sample.parents / 64, DType.BF16))
    assert other.alphas[0] == pytest.approx(first.alphas[0], rel=1e-7)
    assert scaled.alphas[0] == pytest.approx(first.alphas[0], rel=1e-7)
    assert scaled.sigma == pytest.approx(first.sigma / 64, rel=1e-6)


def test_elements_where_the_parents_agree_sharpen_sigma():
    sample = merged(20_000, 2e-5, sigma=1e-5, seed=37)
    without = fit(sample.take(sample.deltas[0] != 0))
    assert fit(sample).sigma_standard_error < 0.8 * without.sigma_standard_error


def test_what_cannot_be_fitted_has_a_reason():
    same = np.ones(20)
    assert "only 5 elements" in fit(merged(5, 1e-3)).reason
    assert "only 0 elements" in fit(from_values([], [[], []], DType.BF16)).reason
    assert "equal the reference" in fit(from_values(same, [same, same], DType.BF16)).reason
    sample = merged(100, 1e-3)
    twice = from_values(sample.suspect, [sample.parents[0], *sample.parents], DType.BF16)
    assert "told apart" in fit(twice).reason


def test_a_suspect_that_has_nothing_to_do_with_the_parents_gets_a_large_sigma():
    rng = np.random.default_rng(38)
    unrelated = fit(from_values(rng.normal(0, 0.02, 5_000), merged(5_000, 2e-4).parents, DType.F32))
    assert unrelated.sigma == pytest.approx(0.02 * np.sqrt(2), rel=0.05)
    assert unrelated.collinearity is not None


def test_huge_and_tiny_units_are_no_obstacle():
    sample = merged(500, 2e-4, sigma=1e-5, seed=39)
    for scale in (2.0**100, 2.0**-80):
        result = fit(from_values(sample.suspect * scale, sample.parents * scale, DType.BF16))
        assert result.sigma / scale == pytest.approx(fit(sample).sigma, rel=1e-6)


@pytest.mark.filterwarnings("error")
def test_cells_too_narrow_for_a_difference_are_computed_without_a_warning():
    terms = cell_terms(np.array([1.0]), np.array([1e-18]))
    assert terms.log_probability[0] == pytest.approx(np.log(1e-18) + norm.logpdf(1.0))
