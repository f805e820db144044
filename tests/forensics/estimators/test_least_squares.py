"""Least squares from sums, against numpy and an explicit jackknife."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from modelprov.forensics.estimators.least_squares import BlockSums, coefficient_sum, fit_many, fit_one


def sums(u, v):
    return float(u @ u), float(u @ v), float(v @ v), u.size


def block_sums(u, v, blocks):
    uu = (u.reshape(blocks, -1) ** 2).sum(axis=1)
    uv = (u * v).reshape(blocks, -1).sum(axis=1)
    return BlockSums(blocks, float(uu @ uu), float(uu @ uv), float(uv @ uv)), uu, uv


def test_one_parent_equals_numpy():
    rng = np.random.default_rng(1)
    u, noise = rng.normal(size=(2, 1000))
    v = 0.3 * u + noise
    result = fit_one(*sums(u, v))
    assert result.alpha == pytest.approx(np.linalg.lstsq(u[:, None], v)[0][0], rel=1e-12)
    cosine = u @ v / np.linalg.norm(u) / np.linalg.norm(v)
    assert result.collinearity == pytest.approx(cosine)
    assert result.z == pytest.approx(cosine * math.sqrt(1000))
    assert result.standard_error is None


def test_the_standard_error_is_the_delete_one_block_jackknifes():
    rng = np.random.default_rng(2)
    blocks = 400
    u = rng.normal(size=blocks * 64) * np.repeat(rng.uniform(0.5, 1.5, blocks), 64)
    v = np.repeat(rng.normal(0.5, 0.2, blocks), 64) * u + rng.normal(size=u.size)
    compact, uu, uv = block_sums(u, v, blocks)
    left_out = (uv.sum() - uv) / (uu.sum() - uu)
    jackknife = math.sqrt((blocks - 1) / blocks * np.sum((left_out - left_out.mean()) ** 2))
    assert fit_one(*sums(u, v), compact).standard_error == pytest.approx(jackknife, rel=0.02)


def test_the_standard_error_is_exactly_the_jackknifes_where_blocks_weigh_the_same():
    rng = np.random.default_rng(8)
    u, v = rng.choice([-1.0, 1.0], 80), rng.normal(size=80)
    compact, uu, uv = block_sums(u, v, 8)
    left_out = (uv.sum() - uv) / (uu.sum() - uu)
    jackknife = math.sqrt(7 / 8 * np.sum((left_out - left_out.mean()) ** 2))
    assert fit_one(*sums(u, v), compact).standard_error == pytest.approx(jackknife, rel=1e-10)


def test_fewer_than_eight_blocks_give_no_standard_error():
    u = np.random.default_rng(3).normal(size=70)
    assert fit_one(*sums(u, u), block_sums(u, u, 7)[0]).standard_error is None
    assert fit_one(*sums(u, u), block_sums(u, u, 10)[0]).standard_error == pytest.approx(0, abs=1e-8)


@pytest.mark.parametrize(
    ("given_sums", "reason"),
    [((0.0, 0.0, 0.0, 0), "no elements"), ((0.0, 0.0, 1.0, 5), "parent equals"), ((math.nan, 0.0, 1.0, 5), "finite")],
)
def test_what_cannot_be_solved_has_a_reason_and_no_number(given_sums, reason):
    result = fit_one(*given_sums)
    assert result.alpha is None
    assert reason in result.reason


def test_a_suspect_equal_to_the_reference_has_alpha_zero_and_no_cosine():
    result = fit_one(2.0, 0.0, 0.0, 5)
    assert (result.alpha, result.collinearity, result.z) == (0.0, None, None)
    assert "suspect" in result.reason


def test_several_parents_equal_numpy():
    rng = np.random.default_rng(4)
    u = rng.normal(size=(3, 500)) * [[1e-3], [1.0], [1e3]]
    v = np.array([500.0, 0.3, -2e-4]) @ u + rng.normal(size=500)
    result = fit_many(u @ u.T, u @ v, float(v @ v))
    expected, residual, *_ = np.linalg.lstsq(u.T, v)
    np.testing.assert_allclose(result.alphas, expected, rtol=1e-10)
    assert result.r_squared == pytest.approx(1 - residual[0] / (v @ v), rel=1e-9)
    assert result.collinearity == pytest.approx(math.sqrt(result.r_squared))
    assert 1 <= result.condition_number < 2


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 5))
def test_the_simplex_solution_beats_a_general_optimiser_and_has_exact_zeros(seed, k):
    rng = np.random.default_rng(seed)
    u = rng.normal(size=(k, 40))
    v = rng.uniform(-1, 1.5, k) @ u + 0.3 * rng.normal(size=40)
    found = np.array(fit_many(u @ u.T, u @ v, float(v @ v)).simplex)
    assert (found >= 0).all()
    assert found.sum() <= 1 + 1e-12

    def cost(x):
        return float(np.sum((v - x @ u) ** 2))

    limit = {"type": "ineq", "fun": lambda x: 1 - x.sum()}
    other = minimize(cost, np.full(k, 1 / (k + 1)), bounds=[(0, 1)] * k, constraints=limit, method="SLSQP", tol=1e-12)
    assert cost(found) <= cost(other.x) + 1e-6
    slope = -2 * u @ (v - found @ u)
    assert (slope[found == 0] >= slope[found > 0].min(initial=0) - 1e-6).all()
    assert not ((found > 0) & (found < 1e-9)).any()


def test_a_solution_inside_the_simplex_is_the_unconstrained_one():
    u = np.random.default_rng(5).normal(size=(3, 200))
    v = np.array([0.2, 0.3, 0.1]) @ u
    result = fit_many(u @ u.T, u @ v, float(v @ v))
    np.testing.assert_allclose(result.simplex, result.alphas, atol=1e-9)
    np.testing.assert_allclose(result.alphas, [0.2, 0.3, 0.1], rtol=1e-9)


def test_parents_that_cannot_be_told_apart_are_said_aloud():
    u = np.random.default_rng(6).normal(size=100)
    twice, v = np.stack([u, 2 * u]), u
    result = fit_many(twice @ twice.T, twice @ v, float(v @ v))
    assert result.alphas is None
    assert result.simplex is None
    assert "told apart" in result.reason
    zero = np.stack([u, 0 * u])
    assert "parent 2 equals" in fit_many(zero @ zero.T, zero @ v, float(v @ v)).reason
    assert fit_many(np.zeros((0, 0)), np.zeros(0), 1.0).reason == "no parent besides the reference"
    assert fit_many(np.full((1, 1), np.inf), np.zeros(1), 1.0).reason == "the sums are not finite"
    assert "suspect" in fit_many(np.eye(1), np.zeros(1), 0.0).reason


def test_the_coefficient_sum_equals_least_squares_on_the_raw_parents():
    rng = np.random.default_rng(7)
    base = rng.normal(0, 0.02, 5000)
    parents = np.stack([base + rng.normal(0, 1e-3, 5000), base + rng.normal(0, 1e-3, 5000), base])
    suspect = np.array([0.3, 0.3015, 0.4]) @ parents + rng.normal(0, 1e-6, 5000)
    rows = np.vstack([parents[:-1] - base, base])
    v = suspect - base
    result = coefficient_sum(rows @ rows.T, rows @ v, float(v @ v), 5000)
    expected = np.linalg.lstsq(parents.T, suspect)[0]
    np.testing.assert_allclose(result.coefficients, expected, rtol=1e-8)
    assert result.total == pytest.approx(expected.sum(), rel=1e-10)
    assert abs(result.total - 1.0015) < 4 * result.standard_error
    assert result.standard_error < 2e-6
    assert coefficient_sum(np.zeros((1, 1)), np.zeros(1)).total is None
