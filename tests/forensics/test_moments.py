"""Moments add up in any grouping, and give the products of the raw weights without cancellation."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelprov.checkpoints.formats.dtypes import DType, encode
from modelprov.forensics.sums.kernels.interface import RecipePlan, Segments
from modelprov.forensics.sums.kernels.reference import reference_kernel
from modelprov.forensics.sums.moments import ELEMENTS, FIRST_PAIR, RECIPES, Moments, layout

Float64 = npt.NDArray[np.float64]
NUMBERS = (2, 3, 4)


def moments_of(values: Float64) -> Moments:
    """Moments of checkpoints float64 [n, m], by the plain kernel."""
    n, m = values.shape
    buffers = [encode(row, DType.F64) for row in values]
    codes = np.full((n, 1), 3)
    segments = Segments(np.zeros(1, np.int64), np.array([m]), np.zeros((n, 1), np.int64), codes)
    return reference_kernel(buffers, segments, RecipePlan.none(n - 1, 1))[0]


def random_moments(n: int, seed: int, *shape: int) -> Moments:
    """Whole numbers, so that sums are exact in any order."""
    rng = np.random.default_rng(seed)
    columns = layout(n)
    counts = rng.integers(0, 1 << 40, (*shape, columns.counts))
    return Moments(n, counts, rng.integers(-(1 << 40), 1 << 40, (*shape, columns.sums)).astype(np.float64))


def same(a: Moments, b: Moments) -> bool:
    return a.n == b.n and np.array_equal(a.counts, b.counts) and np.array_equal(a.sums, b.sums)


def weights(n: int, seed: int = 0, m: int = 10_000) -> Float64:
    """A base of typical weights and relatives of it, the base last."""
    rng = np.random.default_rng(seed)
    base = rng.normal(0.001, 0.02, m)
    return np.stack([*(base + rng.normal(0, 0.0005, m) for _ in range(n - 1)), base])


@pytest.mark.parametrize("n", NUMBERS)
def test_nothing_added_changes_nothing(n: int) -> None:
    some = random_moments(n, 1, 5)
    assert same(some + Moments.empty(n, 5), some)
    assert same(Moments.empty(n, 5) + some, some)
    assert same(Moments.empty(n) + Moments.empty(n), Moments.empty(n))
    assert Moments.empty(n).elements == 0


@given(
    n=st.sampled_from(NUMBERS),
    seeds=st.lists(st.integers(0, 1000), min_size=1, max_size=8),
    order=st.randoms(use_true_random=False),
)
def test_any_grouping_and_any_order_give_the_same_sum(n: int, seeds: list[int], order: object) -> None:
    parts = [random_moments(n, seed) for seed in seeds]
    total = sum(parts[1:], parts[0])
    heap = list(parts)
    while len(heap) > 1:
        order.shuffle(heap)  # type: ignore[attr-defined]
        heap.append(heap.pop() + heap.pop())
    assert same(heap[0], total)
    stacked = Moments(n, np.stack([part.counts for part in parts]), np.stack([part.sums for part in parts]))
    assert same(stacked.total(), total)


def test_adding_changes_neither_part() -> None:
    a, b = random_moments(3, 1), random_moments(3, 2)
    before = (a.counts.copy(), b.counts.copy(), a.sums.copy(), b.sums.copy())
    total = a + b
    total.counts[:], total.sums[:] = -1, -1
    for kept, now in zip(before, (a.counts, b.counts, a.sums, b.sums), strict=True):
        np.testing.assert_array_equal(kept, now)


def test_different_numbers_of_checkpoints_do_not_add() -> None:
    with pytest.raises(ValueError, match="2 and of 3"):
        Moments.empty(2) + Moments.empty(3)


@pytest.mark.parametrize("n", NUMBERS)
def test_rows_are_selected_by_number_slice_mask_and_index(n: int) -> None:
    rows = random_moments(n, 4, 6)
    mask = np.array([True, False, True, False, False, True])
    for chosen in (slice(1, 4), mask, np.array([5, 0, 0])):
        np.testing.assert_array_equal(rows[chosen].counts, rows.counts[chosen])
        np.testing.assert_array_equal(rows[chosen].sums, rows.sums[chosen])
    assert same(rows[mask].total() + rows[~mask].total(), rows.total())
    assert rows[3].count(ELEMENTS) == rows.counts[3, ELEMENTS]


@pytest.mark.parametrize("n", [2, 3, 4, 5])
def test_every_column_belongs_to_one_thing(n: int) -> None:
    columns = layout(n)
    assert columns.pairs == tuple(itertools.combinations(range(n), 2))
    assert (FIRST_PAIR + len(columns.pairs), columns.recipe + RECIPES) == (columns.recipe, columns.counts)
    numbered = Moments(n, np.arange(columns.counts), np.arange(columns.sums, dtype=np.float64))
    pairs = [numbered.equal(i, j) for i, j in columns.pairs]
    recipes = [numbered.recipe(slot) for slot in range(RECIPES)]
    assert pairs + recipes == list(range(FIRST_PAIR, columns.counts))
    assert all(numbered.equal(i, j) == numbered.equal(j, i) for i, j in columns.pairs)
    gram = numbered.gram()
    assert np.array_equal(gram, gram.T)
    sums = [*gram[np.triu_indices(n + 1)][:-1], *(x for parent in range(1, n - 1) for x in numbered.jackknife(parent))]
    assert sums == list(range(columns.sums))
    assert gram[n, n] == numbered.elements


@pytest.mark.parametrize("n", NUMBERS)
def test_the_gram_is_that_of_the_deltas_the_reference_and_ones(n: int) -> None:
    values = weights(n)
    z = np.array([*(row - values[-1] for row in values[:-1]), values[-1], np.ones(values.shape[1])])
    np.testing.assert_allclose(moments_of(values).gram(), z @ z.T, rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("n", NUMBERS)
def test_distances_and_correlations_are_those_of_the_raw_weights(n: int) -> None:
    values = weights(n)
    found = moments_of(values)
    for i, j in itertools.product(range(n), repeat=2):
        assert found.squared_distance(i, j) == pytest.approx(((values[i] - values[j]) ** 2).sum(), rel=1e-11)
        assert found.correlation(i, j) == pytest.approx(np.corrcoef(values[i], values[j])[0, 1], abs=1e-12)


def test_a_small_distance_between_large_weights_keeps_its_digits() -> None:
    """Products of raw weights would lose a difference of 1e-7 of their size; sums of deltas keep it."""
    rng = np.random.default_rng(2)
    base = rng.normal(0, 1, 5000)
    delta = rng.normal(0, 1e-7, 5000)
    values = np.stack([base + delta, base])
    exact = float(sum((Fraction(a) - Fraction(b)) ** 2 for a, b in values.T.tolist()))
    assert moments_of(values).squared_distance(0, 1) == pytest.approx(exact, rel=1e-12)


@given(
    n=st.sampled_from(NUMBERS),
    data=st.data(),
)
def test_distances_and_correlations_hold_for_any_weights(n: int, data: st.DataObject) -> None:
    number = st.one_of(st.integers(-4, 4).map(float), st.floats(-100, 100, width=32))
    m = data.draw(st.integers(2, 12))
    values = np.array([data.draw(st.lists(number, min_size=m, max_size=m)) for _ in range(n)])
    found = moments_of(values)
    assert found.elements == m
    for i, j in itertools.product(range(n), repeat=2):
        scale = max((values[i] ** 2).sum(), (values[j] ** 2).sum(), (values[-1] ** 2).sum())
        difference = found.squared_distance(i, j) - ((values[i] - values[j]) ** 2).sum()
        assert abs(difference) <= 1e-13 * m * scale
        assert found.squared_distance(i, j) >= 0
        correlation = found.correlation(i, j)
        assert correlation is None or -1 <= correlation <= 1
        spread = min(values[i].std(), values[j].std())
        if spread > 1e-3 * np.abs(values).max():
            assert correlation == pytest.approx(np.corrcoef(values[i], values[j])[0, 1], abs=1e-6)


@given(n=st.sampled_from(NUMBERS), seed=st.integers(0, 100), cuts=st.lists(st.integers(0, 500), max_size=6))
def test_any_cut_through_the_weights_gives_the_same_products(n: int, seed: int, cuts: list[int]) -> None:
    values = weights(n, seed, 500)
    bounds = [0, *sorted(cuts), 500]
    parts = [moments_of(values[:, a:b]) for a, b in itertools.pairwise(bounds) if b > a]
    whole, total = moments_of(values), sum(parts, Moments.empty(n))
    assert total.elements == 500
    np.testing.assert_allclose(total.gram(), whole.gram(), rtol=1e-11, atol=1e-14)
    assert [total.equal(i, j) for i, j in layout(n).pairs] == [whole.equal(i, j) for i, j in layout(n).pairs]


@pytest.mark.parametrize("n", NUMBERS)
def test_no_variance_gives_no_correlation(n: int) -> None:
    flat = weights(n, m=50)
    flat[0] = 0.0
    assert moments_of(flat).correlation(0, n - 1) is None
    assert moments_of(flat[:, :1]).correlation(0, 1) is None
    assert Moments.empty(n).correlation(0, 1) is None
    assert Moments.empty(n).squared_distance(0, 1) == 0


@pytest.mark.parametrize("n", [3, 4])
def test_the_jackknife_sums_are_products_of_the_sums_of_each_run(n: int) -> None:
    values = weights(n, m=3 * 4096 + 100)
    delta = values[:-1] - values[-1]
    found = moments_of(values)
    for parent in range(1, n - 1):
        starts = range(0, values.shape[1], 4096)
        a = np.array([(delta[parent, s : s + 4096] ** 2).sum() for s in starts])
        c = np.array([(delta[parent, s : s + 4096] * delta[0, s : s + 4096]).sum() for s in starts])
        np.testing.assert_allclose(found.jackknife(parent), [(a * a).sum(), (a * c).sum(), (c * c).sum()], rtol=1e-10)
