"""Which elements the sparsifiers keep."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelprov.recipes.methods import sparsify
from modelprov.recipes.methods.steps import FLOAT32

DELTAS = st.lists(st.sampled_from([-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 2.0]), min_size=1, max_size=40)


@given(values=DELTAS, count=st.integers(-1, 45))
def test_the_largest_are_those_of_a_stable_sort(values: list[float], count: int) -> None:
    sizes = np.abs(np.array(values, np.float32))
    wanted = np.zeros(len(sizes), bool)
    wanted[np.argsort(-sizes, kind="stable")[: max(count, 0)]] = True
    np.testing.assert_array_equal(FLOAT32.largest(sizes, count), wanted)


@given(values=DELTAS, density=st.floats(0, 1), gamma=st.floats(0, 1))
def test_without_outliers_keeps_the_ranks_after_the_dropped_ones(
    values: list[float], density: float, gamma: float
) -> None:
    delta = np.array(values, np.float32)
    kept = sparsify.without_outliers(delta, density, gamma, FLOAT32)
    n = len(delta)
    if density >= 1:
        assert kept.all()
    else:
        first, count = int(gamma * n), int(density * n)
        assert kept.sum() == max(0, min(n, first + count) - first)
        order = np.argsort(-np.abs(delta), kind="stable")
        assert kept[order[first : first + count]].all()


def test_a_bernoulli_mask_keeps_its_share_independently_of_size() -> None:
    delta = np.random.default_rng(1).normal(size=200_000).astype(np.float32)
    kept = sparsify.bernoulli(delta, 0.3, np.random.default_rng(2))
    assert kept.mean() == pytest.approx(0.3, abs=0.004)
    assert np.corrcoef(kept, np.abs(delta))[0, 1] == pytest.approx(0, abs=0.01)
    assert sparsify.bernoulli(delta, 1.0, np.random.default_rng(2)).all()


def test_ranks_decide_the_probability_within_each_row() -> None:
    scale = np.array([1.0, 1000.0])[:, None]  # rows of very different size are treated alike
    delta = (np.random.default_rng(1).normal(size=(2, 100_000)) * scale).astype(np.float32)
    kept = sparsify.by_rank(delta.ravel(), delta.shape, 0.4, 0.2, np.random.default_rng(2)).reshape(delta.shape)
    for row, mask in zip(np.abs(delta), kept, strict=True):
        ordered = mask[np.argsort(row)].reshape(10, -1).mean(1)
        np.testing.assert_allclose(ordered, 0.2 + 0.4 * (np.arange(10) + 0.5) / 10, atol=0.02)


@pytest.mark.parametrize("shape", [(24,), (4, 6), (2, 3, 4), (1,)])
def test_ranks_work_for_any_number_of_axes(shape: tuple[int, ...]) -> None:
    delta = np.arange(np.prod(shape), dtype=np.float32)
    assert sparsify.by_rank(delta, shape, 0.5, 0.1, np.random.default_rng(0)).shape == delta.shape


def test_rescaling_restores_the_l1_norm_and_leaves_an_empty_task_vector_alone() -> None:
    delta = np.array([1.0, -2.0, 3.0, 2.0], np.float32)
    kept = sparsify.rescaled(delta, np.array([True, False, False, True]), FLOAT32)
    np.testing.assert_allclose(kept, [8 / 3, 0, 0, 16 / 3], rtol=1e-6)
    np.testing.assert_array_equal(sparsify.rescaled(delta, np.zeros(4, bool), FLOAT32), 0)
