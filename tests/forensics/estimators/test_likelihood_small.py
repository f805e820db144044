"""The likelihood on a few dozen elements, against scipy's normal distribution maximised by other means, and its guards.

Everything is computed anew from the definition: cells, probabilities, the maximum, the curvature there.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import numpy.typing as npt
import pytest
from scipy.optimize import minimize
from scipy.stats import norm

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.forensics import thresholds
from modelprov.forensics.estimators import likelihood
from modelprov.forensics.estimators.likelihood import ONE_SIDED_95, Likelihood, fit
from modelprov.forensics.sampling.sample import Sample, arithmetic_error, from_values
from tests.forensics.estimators.simulated import merged

N = 60
Float64 = npt.NDArray[np.float64]


@functools.cache
def trained(parents: int = 1) -> Sample:
    return merged(N, 2e-3, (0.5, 0.3)[:parents], sigma=1e-3, seed=5)


def log_likelihood(sample: Sample, alphas: Float64, sigma: float, wider: Float64 | float = 0.0) -> float:
    """The definition: the log of the probability of every cell, from scipy's normal distribution."""
    middle = sample.parents[-1] + alphas @ sample.deltas
    return float(np.log(norm.cdf((sample.upper + wider - middle) / sigma)
                        - norm.cdf((sample.lower - wider - middle) / sigma)).sum())  # fmt: skip


def maximum(sample: Sample) -> tuple[Float64, float, float]:
    """Alphas, sigma and the value at the maximum, by Nelder and Mead's simplex in (alphas, log sigma)."""
    k = len(sample.deltas)

    def cost(point: Float64) -> float:
        with np.errstate(divide="ignore"):
            return -log_likelihood(sample, point[:-1], math.exp(point[-1]))

    start = np.append(np.full(k, 0.5), math.log(1e-3))
    options = {"xatol": 1e-9, "fatol": 1e-11, "maxiter": 4000, "maxfev": 4000}
    found = minimize(cost, start, method="Nelder-Mead", options=options)
    return found.x[:-1], math.exp(found.x[-1]), -float(found.fun)


def information(sample: Sample, alphas: Float64, sigma: float) -> Float64:
    """The observed information in (alphas, sigma), by second differences."""
    point = np.append(alphas, sigma)
    steps = np.diag(1e-4 * np.append(np.ones(len(alphas)), sigma))

    def value(at: Float64) -> float:
        return log_likelihood(sample, at[:-1], float(at[-1]))

    return -np.array([
        [(value(point + a + b) - value(point + a - b) - value(point - a + b) + value(point - a - b))
         / (4 * a.sum() * b.sum()) for a in steps] for b in steps
    ])  # fmt: skip


@pytest.mark.parametrize("parents", [1, 2])
def test_the_fit_is_the_maximum_of_the_definition(parents: int) -> None:
    sample = trained(parents)
    alphas, sigma, best = maximum(sample)
    found = fit(sample)
    assert found.alphas == pytest.approx(alphas, abs=1e-4)
    assert found.sigma == pytest.approx(sigma, rel=1e-4)
    assert found.log_likelihood == pytest.approx(best, abs=1e-6)
    assert found.log_likelihood == pytest.approx(
        log_likelihood(sample, np.array(found.alphas), found.sigma or 0.0), rel=1e-9
    )
    assert (found.converged, found.sigma_at_boundary, found.elements) == (True, False, N)
    assert (found.reason, found.sigma_upper) == (None, None)


@pytest.mark.parametrize("parents", [1, 2])
def test_standard_errors_are_those_of_the_observed_information(parents: int) -> None:
    sample = trained(parents)
    found = fit(sample)
    covariance = np.linalg.inv(information(sample, np.array(found.alphas), found.sigma or 0.0))
    errors = np.sqrt(np.diagonal(covariance))
    assert found.standard_errors == pytest.approx(errors[:-1], rel=2e-3)
    assert found.sigma_standard_error == pytest.approx(errors[-1], rel=2e-3)


@pytest.mark.parametrize("parents", [1, 2])
def test_what_is_said_beside_the_maximum_follows_from_it(parents: int) -> None:
    sample = trained(parents)
    found = fit(sample)
    merged_part = np.array(found.alphas) @ sample.deltas
    signal = float(np.mean(merged_part**2))
    sigma = found.sigma or 0.0
    assert found.collinearity == pytest.approx(math.sqrt(signal / (signal + sigma**2)), rel=1e-9)
    assert found.sigma_relative == pytest.approx(sigma / math.sqrt(float(np.mean(sample.deltas**2))), rel=1e-9)


def test_elements_that_are_nought_everywhere_are_left_out_and_no_others() -> None:
    sample = trained()
    nothing = np.zeros(40)
    padded = from_values(
        np.append(sample.suspect, nothing), [np.append(row, nothing) for row in sample.parents], DType.BF16
    )
    assert fit(padded) == fit(sample)
    only_suspect = from_values(
        np.append(sample.suspect, 1e-3), [np.append(row, 0.0) for row in sample.parents], DType.BF16
    )
    assert fit(only_suspect).elements == N + 1
    only_parent = from_values(
        np.append(sample.suspect, 0.0), [np.append(sample.parents[0], 1e-3), np.append(sample.parents[1], 0.0)],
        DType.BF16,
    )  # fmt: skip
    assert fit(only_parent).elements == N + 1


def test_cells_finer_than_the_parents_keep_their_own_width() -> None:
    sample = from_values(trained().suspect, trained().parents, DType.F32)
    found = fit(sample)
    expected = log_likelihood(sample, np.array(found.alphas), found.sigma or 0.0)
    assert found.log_likelihood == pytest.approx(expected, abs=1)  # a few near 0 are finer than anything that counts


def test_the_fewest_elements_are_those_of_the_threshold() -> None:
    least = thresholds.LIKELIHOOD_LEAST
    few = trained().take(slice(0, least - 1))
    assert fit(few) == Likelihood(
        elements=least - 1, reason=f"only {least - 1} elements; {least} are needed", converged=False
    )
    assert fit(trained().take(slice(0, least))).alphas is not None
    nothing = np.zeros(2 * least)
    padding = from_values(nothing, [nothing, nothing], DType.BF16)
    assert fit(padding).reason == f"only 0 elements; {least} are needed"


def test_parents_that_say_nothing_or_the_same_have_a_reason() -> None:
    values = np.linspace(1.0, 2.0, 20)
    equal = fit(from_values(values, [values, values], DType.F32))
    assert equal == Likelihood(elements=20, reason="the parents equal the reference in every element")
    base = merged(40, 1e-3)
    rows = list(base.parents)
    dependent = "the parents' deltas are linearly dependent: they cannot be told apart"
    for other in (rows[0], rows[-1]):  # twice the same; one that is the reference
        found = fit(from_values(base.suspect, [other, *rows], DType.BF16))
        assert found == Likelihood(elements=40, reason=dependent)


def test_the_scales_of_the_parents_do_not_make_them_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    base, deltas = rng.normal(size=40), rng.normal(size=(2, 40)) * [[1.0], [1e-6]]
    sample = from_values(base + 0.5 * deltas[0] + 0.1 * rng.normal(size=40), [*(base + deltas), base], DType.F64)
    assert fit(sample).reason is None
    half, base = np.repeat([0.5, -0.5], 8), np.round(4 * base[:16]) / 4
    sample = from_values(base + half / 2 + 0.1 * rng.normal(size=16), [base + half, base], DType.F64)
    monkeypatch.setattr(likelihood, "SINGULAR", 1.0)  # the condition of a parent alone
    assert fit(sample).reason is None


def test_too_few_steps_are_said_not_to_have_converged() -> None:
    assert not fit(trained(), iterations=1).converged
    assert fit(trained(), iterations=40).converged


def problem(sample: Sample) -> likelihood._Problem:
    lower, upper = sample.lower - sample.parents[-1], sample.upper - sample.parents[-1]
    return likelihood._Problem((lower + upper) / 2, upper - lower, sample.deltas)


def gradient(found: likelihood._Problem, point: Float64) -> Float64:
    return likelihood._derivatives(found, found.terms(point))[0] * point[-1]


@pytest.mark.parametrize(
    ("added", "precision", "steps"),
    [
        (1e-3, 0.1, 7), (1e-3, 1.0, 5), (1e-3, 1e2, 7), (1e-3, 1e5, 10),
        (1e-5, 0.1, 9), (1e-5, 1.0, 10), (1e-5, 1e2, 12), (1e-5, 1e5, 16),
    ],
)  # fmt: skip
def test_the_one_maximum_is_found_from_any_start_in_few_steps(added: float, precision: float, steps: int) -> None:
    climbed = problem(merged(N, 2e-3, (0.5, 0.3), sigma=added, seed=5))
    for alpha in (-3.0, 0.5, 5.0):
        start = np.array([alpha, alpha, 1.0]) * precision / added
        point, terms, converged = likelihood._newton(climbed, start, steps, math.inf)
        assert converged
        # the climb ends where a step gains less than 1e-8, which leaves gradients of the root of 2e-8 curvatures
        assert gradient(climbed, point) == pytest.approx(np.zeros(3), abs=1e-2)
        np.testing.assert_array_equal(terms.log_probability, climbed.terms(point).log_probability)


def test_a_climb_ends_at_its_ceiling_and_a_sigma_that_is_held_stays_where_it_is() -> None:
    climbed = problem(trained())
    top, _, _ = likelihood._newton(climbed, np.array([0.0, 1e3]), 60, math.inf)
    for share in (0.1, 0.5, 0.99):
        ceiling = share * top[-1]
        start = np.array([0.0, ceiling / 3])
        point, _, converged = likelihood._newton(climbed, start, 60, ceiling)
        assert (point[-1], converged) == (pytest.approx(ceiling), True)
        start = np.array([0.0, ceiling])
        point, _, converged = likelihood._newton(climbed, start, 60)
        assert (point[-1], converged) == (ceiling, True)
        assert gradient(climbed, point)[0] == pytest.approx(0.0, abs=1e-3)
        assert gradient(climbed, point)[1] > 1


def test_a_pure_merge_is_at_the_boundary_with_a_bound_where_the_profile_has_fallen() -> None:
    sample = merged(N, 2e-3, (0.565,), seed=4)
    found = fit(sample)
    assert (found.sigma, found.sigma_relative, found.sigma_at_boundary) == (0.0, 0.0, True)
    assert (found.standard_errors, found.sigma_standard_error) == (None, None)
    assert (found.collinearity, found.converged, found.elements, found.reason) == (1.0, True, N, None)
    error = arithmetic_error(sample)

    def profile(sigma: float) -> float:
        def cost(at: Float64) -> float:
            with np.errstate(divide="ignore"):
                return -log_likelihood(sample, found.alphas[0] + at * 1e-3, sigma, error)  # type: ignore[index]

        tried = [minimize(cost, np.array([start]), method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-9}).fun
                 for start in (-1.0, 0.0, 1.0)]  # fmt: skip
        return -min(tried)

    assert found.sigma_upper is not None
    smallest = float(np.sqrt(np.mean(error**2)))
    assert found.sigma_upper > smallest
    fallen = (found.log_likelihood or 0.0) - profile(found.sigma_upper)
    assert fallen == pytest.approx(ONE_SIDED_95, abs=0.03)
    assert found.log_likelihood == pytest.approx(profile(smallest), abs=1e-3)


def test_weights_of_either_sign_are_those_of_a_pure_merge_of_several_parents() -> None:
    sample = merged(N, 2e-3, (0.5, 0.125, -0.25), seed=8)
    found = fit(sample)
    assert found.sigma_at_boundary
    assert found.alphas == pytest.approx((0.5, 0.125, -0.25), abs=3e-4)
    assert found.collinearity == 1.0
    error = arithmetic_error(sample)  # the smallest sigma is its root mean square
    expected = log_likelihood(sample, np.array(found.alphas), float(np.sqrt(np.mean(error**2))), error)
    assert expected < -1
    assert found.log_likelihood == pytest.approx(expected, rel=1e-3)


def test_the_bound_is_the_half_of_a_chi_squared_quantile() -> None:
    from scipy.stats import chi2

    assert pytest.approx(chi2.ppf(0.9, 1) / 2, abs=1e-4) == ONE_SIDED_95


def test_units_do_not_matter() -> None:
    sample = trained()
    first = fit(sample)
    for scale in (2.0**40, 2.0**-40):
        other = fit(from_values(sample.suspect * scale, sample.parents * scale, DType.BF16))
        assert other.alphas == pytest.approx(first.alphas, rel=1e-7)
        assert other.sigma == pytest.approx((first.sigma or 0.0) * scale, rel=1e-6)
        assert other.sigma_standard_error == pytest.approx((first.sigma_standard_error or 0.0) * scale, rel=1e-5)
        assert other.log_likelihood == pytest.approx(first.log_likelihood, rel=1e-9)
    pure = merged(N, 2e-3, (0.565,), seed=4)
    scaled = fit(from_values(pure.suspect * 2.0**40, pure.parents * 2.0**40, DType.BF16))
    assert scaled.sigma_upper == pytest.approx((fit(pure).sigma_upper or 0.0) * 2.0**40, rel=0.02)


def test_a_suspect_that_is_the_reference_has_no_collinearity_to_speak_of() -> None:
    assert likelihood._collinearity(np.zeros(5), 1.0) is None
    assert likelihood._collinearity(np.full(5, 3.0), 4.0) == 0.6
    assert likelihood._collinearity(np.full(5, 1e-9), 0.0) == 1.0


def test_errors_that_the_curvature_does_not_give_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    point = np.array([0.5, 2.0])
    assert likelihood._standard_errors(np.diag([4.0, 9.0]), point) == pytest.approx(
        (math.sqrt(0.25 / 4 + 0.125**2 / 9), 0.25 / 3)
    )
    assert likelihood._standard_errors(np.diag([1e-20, 1e20]), point) == pytest.approx((0.5e10, 0.25e-10))
    assert likelihood._standard_errors(np.diag([4.0, 9.0]), np.array([0.5, 1e200])) is None  # 0 would be certainty
    assert likelihood._standard_errors(np.array([[1.0, 1.0], [1.0, 1.0]]), point) is None
    assert likelihood._standard_errors(np.diag([0.0, 1.0]), point) is None
    assert likelihood._standard_errors(np.diag([-1.0, 1.0]), point) is None
    assert likelihood._standard_errors(np.array([[1.0, 3.0], [3.0, 1.0]]), point) is None
    monkeypatch.setattr(likelihood, "SINGULAR", 1.0)  # the condition of a diagonal, exactly
    assert likelihood._standard_errors(np.diag([4.0, 9.0]), point) is not None
