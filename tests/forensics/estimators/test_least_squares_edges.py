"""Least squares on sums small enough to solve by hand: every guard on both sides, every number in closed form."""

from __future__ import annotations

import math

import numpy as np
import pytest

from modelprov.forensics import thresholds
from modelprov.forensics.estimators import least_squares
from modelprov.forensics.estimators.least_squares import (
    BlockSums,
    CoefficientSum,
    ManyParents,
    OneParent,
    coefficient_sum,
    fit_many,
    fit_one,
)

PARENT_IS_REFERENCE = "the parent equals the reference in every element"
SUSPECT_IS_REFERENCE = "the suspect equals the reference in every element"
NOT_FINITE = "the sums are not finite"
DEPENDENT = "the parents' deltas are linearly dependent: they cannot be told apart"


def test_one_parent_in_closed_form() -> None:
    assert fit_one(4.0, 3.0, 9.0, 25) == OneParent(0.75, 0.5, 2.5, None, None)
    assert fit_one(4.0, -3.0, 9.0, 25) == OneParent(-0.75, -0.5, -2.5, None, None)


def test_the_least_sums_that_can_be_solved_are_solved() -> None:
    assert fit_one(1.0, 1.0, 1.0, 1) == OneParent(1.0, 1.0, 1.0)
    assert fit_one(0.25, 0.125, 0.25, 4) == OneParent(0.5, 0.5, 1.0)
    assert fit_one(1.0, 0.25, 0.25, 4) == OneParent(0.25, 0.5, 1.0)
    assert fit_one(1.0, 1.0, 1.0, 0) == OneParent(reason="no elements")
    assert fit_one(0.0, 0.0, 1.0, 4) == OneParent(reason=PARENT_IS_REFERENCE)
    assert fit_one(-1.0, 0.0, 1.0, 4) == OneParent(reason=PARENT_IS_REFERENCE)
    for vv in (0.0, -1.0):
        assert fit_one(2.0, 0.5, vv, 4) == OneParent(0.25, reason=SUSPECT_IS_REFERENCE)


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_no_sum_may_be_infinite(place: int, value: float) -> None:
    sums = [1.0, 1.0, 1.0]
    sums[place] = value
    assert fit_one(sums[0], sums[1], sums[2], 5) == OneParent(reason=NOT_FINITE)


def test_a_cosine_stays_between_minus_one_and_one_whatever_the_last_digit() -> None:
    assert fit_one(1.0, 1.0 + 1e-15, 1.0, 4).collinearity == 1.0
    assert fit_one(1.0, -1.0 - 1e-15, 1.0, 4).collinearity == -1.0
    assert fit_one(1.0, 1.0 + 1e-15, 1.0, 4).z == 2.0


def test_the_standard_error_is_that_of_the_blocks_from_the_eighth_on() -> None:
    least = thresholds.JACKKNIFE_LEAST
    blocks = BlockSums(least, aa=40.0, ac=26.0, cc=30.0)
    # alpha = 3/4: cc - 2 alpha ac + alpha^2 aa = 30 - 39 + 22.5
    expected = math.sqrt(least / (least - 1) * 13.5) / 4
    assert fit_one(4.0, 3.0, 9.0, 25, blocks).standard_error == pytest.approx(expected, rel=1e-14)
    assert fit_one(4.0, 3.0, 0.0, 25, blocks).standard_error == pytest.approx(expected, rel=1e-14)
    assert fit_one(4.0, 3.0, 9.0, 25, BlockSums(least - 1, 40.0, 26.0, 30.0)).standard_error is None
    assert fit_one(4.0, 3.0, 9.0, 25, BlockSums(least, 1.0, 1.0, 0.9)).standard_error == 0.0  # below 0 by rounding
    rounded_up = BlockSums(least, aa=1.0, ac=0.75, cc=0.5625 + 0.25)
    assert fit_one(1.0, 0.75, 1.0, 9, rounded_up).standard_error == pytest.approx(math.sqrt(least / (least - 1)) / 2)


def test_two_orthogonal_parents_in_closed_form() -> None:
    found = fit_many(np.diag([4.0, 9.0]), np.array([1.0, 3.0]), 2.0)
    assert found == ManyParents(
        pytest.approx((0.25, 1 / 3)), pytest.approx((0.25, 1 / 3)), pytest.approx(0.625),
        pytest.approx(math.sqrt(0.625)), pytest.approx(1.0), None,
    )  # fmt: skip


def test_the_share_explained_stays_between_nought_and_one() -> None:
    assert fit_many(np.eye(1), np.ones(1), 1.0 - 1e-12).r_squared == 1.0
    assert fit_many(np.eye(1), np.zeros(1), 1.0).collinearity == 0.0
    half = fit_many(np.eye(1), np.full(1, 0.5), 0.5)
    assert (half.r_squared, half.collinearity) == (pytest.approx(0.5), pytest.approx(math.sqrt(0.5)))


@pytest.mark.parametrize("vv", [0.0, math.nan, math.inf, -1.0])
def test_a_suspect_without_a_delta_has_no_weights(vv: float) -> None:
    reason = SUSPECT_IS_REFERENCE if vv == 0 else NOT_FINITE
    assert fit_many(np.eye(2), np.zeros(2), vv) == ManyParents(condition_number=1.0, reason=reason)


@pytest.mark.parametrize(("cross", "expected"), [(-1.0, 0.0), (0.0, 0.0), (1.0, 0.25), (4.0, 1.0), (7.0, 1.0)])
def test_one_weight_is_cut_off_at_nought_and_at_one(cross: float, expected: float) -> None:
    (weight,) = fit_many(np.full((1, 1), 4.0), np.full(1, cross), 50.0).simplex or ()
    assert weight == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("unit", [1.0, 1e-40, 1e12])
def test_the_simplex_is_that_of_a_fine_grid(unit: float) -> None:
    rng = np.random.default_rng(3)
    grid = np.array([(a, b) for a in np.linspace(0, 1, 201) for b in np.linspace(0, 1, 201) if a + b <= 1 + 1e-9])
    for target in ((0.3, 0.2), (-0.4, 0.6), (0.9, 0.8), (1.4, -0.2), (-0.5, -0.5), (0.5, 0.5)):
        u = rng.normal(size=(2, 12))
        v = np.array(target) @ u + 0.05 * rng.normal(size=12)
        u, v = u * unit, v * unit
        found = np.array(fit_many(u @ u.T, u @ v, float(v @ v)).simplex)
        best = grid[np.argmin(((v - grid @ u) ** 2).sum(axis=1))]
        assert ((v - found @ u) ** 2).sum() <= ((v - best @ u) ** 2).sum() * (1 + 1e-9)
        np.testing.assert_allclose(found, best, atol=0.02)


def pair(condition: float) -> np.ndarray:
    """A matrix of correlations whose condition number is this."""
    other = (condition - 1) / (condition + 1)
    return np.array([[1.0, other], [other, 1.0]])


def test_parents_are_told_apart_up_to_the_threshold() -> None:
    for share, solved in ((0.99, True), (1.01, False)):
        condition = share * thresholds.SINGULAR
        found = fit_many(pair(condition), np.array([0.5, 0.5]), 1.0)
        assert found.condition_number == pytest.approx(condition, rel=1e-4)
        assert (found.alphas is not None) == solved
        assert found.reason == (None if solved else DEPENDENT)
        assert coefficient_sum(pair(condition), np.array([0.5, 0.5])).reason == found.reason
    assert fit_many(pair(3.0), np.ones(2), 9.0).condition_number == pytest.approx(3.0)


def test_parents_at_the_threshold_itself_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(least_squares, "SINGULAR", 1.0)  # the condition of parents at right angles, exactly
    assert fit_many(np.eye(2), np.ones(2), 9.0).reason is None


def test_scales_of_the_parents_do_not_count_in_the_condition() -> None:
    scale = np.array([1e-4, 1e5])
    found = fit_many(pair(3.0) * np.outer(scale, scale), np.ones(2) * scale, 9.0)
    assert found.condition_number == pytest.approx(3.0)
    assert found.alphas == pytest.approx(tuple(np.linalg.solve(pair(3.0), np.ones(2)) / scale))


def test_exactly_dependent_parents_have_an_infinite_condition() -> None:
    found = fit_many(np.array([[1.0, -1.0], [-1.0, 1.0]]), np.ones(2), 1.0)
    assert found.reason == DEPENDENT
    assert found.condition_number is not None
    assert found.condition_number > thresholds.SINGULAR
    assert fit_many(np.array([[1.0, 2.0], [2.0, 1.0]]), np.ones(2), 1.0).condition_number == math.inf


def test_every_useless_sum_has_its_reason() -> None:
    with_zeros = np.diag([0.0, 1.0, 0.0])
    for cross, gram, reason in (
        (np.zeros(0), np.zeros((0, 0)), "no parent besides the reference"),
        (np.array([np.nan]), np.eye(1), NOT_FINITE),
        (np.array([1.0]), np.full((1, 1), np.inf), NOT_FINITE),
        (np.ones(3), with_zeros, "parent 1, 3 equals the reference in every element"),
        (np.ones(1), np.full((1, 1), -1.0), "parent 1 equals the reference in every element"),
    ):
        assert fit_many(gram, cross, 1.0) == ManyParents(reason=reason)
        assert coefficient_sum(gram, cross) == CoefficientSum(reason=reason)


def test_the_coefficient_sum_in_closed_form() -> None:
    gram, cross = np.diag([4.0, 25.0]), np.array([1.0, 5.0])  # b = 1/4 of the delta, b0 = 1/5 of the reference
    found = coefficient_sum(gram, cross)
    assert found == CoefficientSum(pytest.approx(1.2), pytest.approx((0.25, 0.95)), None, None)
    found = coefficient_sum(gram, cross, 5.25, 12)  # residual 5.25 - 1/4 - 1 over 10 degrees, by 1/25
    assert found.standard_error == pytest.approx(math.sqrt(4.0 / 10) / 5)
    assert coefficient_sum(gram, cross, 1.25 - 1e-12, 12).standard_error == 0.0
    assert coefficient_sum(gram, cross, 2.25, 3).standard_error == pytest.approx(1 / 5)  # one degree is enough
    for vv, n in ((5.25, 2), (None, 12), (5.25, None), (None, None)):
        assert coefficient_sum(gram, cross, vv, n).standard_error is None


def test_the_error_of_the_sum_is_that_of_textbook_regression() -> None:
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(3, 40)) * [[1.0], [3.0], [0.2]] + 0.5 * rng.normal(size=40)
    v = np.array([0.2, 0.1, -0.3]) @ rows + rng.normal(size=40)
    found = coefficient_sum(rows @ rows.T, rows @ v, float(v @ v), 40)
    solution, residual, *_ = np.linalg.lstsq(rows.T, v)
    covariance = residual[0] / 37 * np.linalg.inv(rows @ rows.T)
    assert found.total == pytest.approx(1 + solution[-1], rel=1e-10)
    assert found.standard_error == pytest.approx(math.sqrt(covariance[-1, -1]), rel=1e-9)
    assert found.coefficients == pytest.approx((*solution[:-1], found.total - solution[:-1].sum()), rel=1e-10)
