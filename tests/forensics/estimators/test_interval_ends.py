"""The interval of alpha on a handful of elements, against exact fractions: which point, which ends, which run."""

from __future__ import annotations

import warnings
from fractions import Fraction
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.forensics.estimators import interval
from modelprov.forensics.estimators.interval import (
    ElementIntervals,
    IntervalFit,
    coverage_curve,
    element_intervals,
    fit,
    fit_groups,
    null_coverage,
)
from modelprov.forensics.sampling.sample import FLOAT32_ERROR, Sample, from_values

Ends = list[tuple[float, float]]
FEW = settings(max_examples=40)
DRAWN = st.lists(st.tuples(st.integers(-16, 16), st.integers(0, 12)), min_size=1, max_size=9)


def intervals(*pairs: tuple[float, float], group: list[int] | None = None) -> ElementIntervals:
    ends = np.array(pairs, np.float64).reshape(-1, 2)
    return ElementIntervals(ends[:, 0], ends[:, 1], np.array(group or [0] * len(ends), np.int32))


def peak(ends: Ends) -> tuple[Fraction, list[tuple[Fraction, Fraction]]]:
    """The highest share and every run of alphas that reaches it, by trying each end of an interval and each gap."""
    points = sorted({Fraction(end) for pair in ends for end in pair})
    tried = sorted(points + [(a + b) / 2 for a, b in pairwise(points)])
    shares = [Fraction(sum(low <= at <= high for low, high in ends), len(ends)) for at in tried]
    best, runs = max(shares), []
    for number, at in enumerate(tried):
        if shares[number] == best:
            if number and shares[number - 1] == best:
                runs[-1] = (runs[-1][0], at)
            else:
                runs.append((at, at))
    return best, runs


def weighted_middle(ends: Ends) -> float:
    """The mean of the middles weighted by 1/width^2, in fractions; points weigh more than all that has a width."""
    widths = [Fraction(high) - Fraction(low) for low, high in ends]
    middles = [(Fraction(high) + Fraction(low)) / 2 for low, high in ends]
    weights = [Fraction(width == 0) for width in widths] if 0 in widths else [1 / width**2 for width in widths]
    return float(sum(w * m for w, m in zip(weights, middles, strict=True)) / sum(weights))


@FEW
@given(DRAWN)
def test_alpha_is_the_middle_of_the_run_at_the_peak_that_lies_nearest_the_precise_elements(
    drawn: list[tuple[int, int]],
) -> None:
    ends = [(low / 4, (low + width) / 4) for low, width in drawn]
    result = fit(intervals(*ends))
    share, runs = peak(ends)
    assert result.coverage == pytest.approx(float(share))
    assert result.tied_runs == len(runs)
    assert result.low is not None
    assert result.high is not None
    assert (Fraction(result.low), Fraction(result.high)) in runs
    assert result.alpha == (result.low + result.high) / 2
    away = [abs(float(low + high) / 2 - weighted_middle(ends)) for low, high in runs]
    assert abs(result.alpha - weighted_middle(ends)) == pytest.approx(min(away), abs=1e-9)
    narrow = [(low, high) for low, high in ends if high - low < 1]
    assert (result.elements, result.informative) == (len(ends), len(narrow))
    if narrow:
        inside = sum(low <= result.alpha <= high for low, high in narrow) / len(narrow)
        assert result.informative_coverage == pytest.approx(inside)
        assert result.reason is None
    else:
        assert result.informative_coverage is None
        assert result.reason == "no element tells alpha = 0 from alpha = 1"


def test_one_common_interval_gives_its_middle_and_the_coverage_there_is_full() -> None:
    assert fit(intervals((0.25, 1.0), (0.0, 0.75))) == IntervalFit(0.5, 0.25, 0.75, 1.0, 1.0, 2, 2, 1, None)


def test_where_nothing_lies_in_all_of_them_the_number_of_runs_is_said() -> None:
    assert fit(intervals((0.0, 0.25), (0.5, 0.625))) == IntervalFit(0.5625, 0.5, 0.625, 0.5, 0.5, 2, 2, 2, None)
    assert fit(intervals((0.0, 0.25), (0.125, 0.25), (0.5, 0.625))).tied_runs == 1


def test_no_interval_gives_no_number_and_says_why() -> None:
    empty = intervals()
    reason = "no element tells the parent from the reference"
    assert fit(empty) == IntervalFit(None, None, None, None, None, 0, 0, 0, reason)
    assert empty.coverage_at(0.5) is None
    np.testing.assert_array_equal(empty.shares(np.array([0.0, 0.5])), [0.0, 0.0])


def test_an_interval_of_width_one_cannot_tell_nought_from_one() -> None:
    narrow = np.nextafter(1.0, 0.0)
    assert intervals((0, 1), (0, narrow), (-np.inf, np.inf), (np.inf, np.inf)).informative.tolist() == [
        False, True, False, False,
    ]  # fmt: skip


@FEW
@given(DRAWN, st.integers(-20, 32))
def test_coverage_counts_closed_intervals(drawn: list[tuple[int, int]], at: int) -> None:
    ends = [(low / 8, (low + width) / 8) for low, width in drawn]
    found, alpha = intervals(*ends), at / 8
    holds = [low <= alpha <= high for low, high in ends]
    narrow = [held for held, (low, high) in zip(holds, ends, strict=True) if high - low < 1]
    assert found.coverage_at(alpha) == sum(holds) / len(holds)
    assert found.shares(np.array([alpha]), informative=False)[0] == sum(holds) / len(holds)
    assert found.shares(np.array([alpha]))[0] == sum(narrow) / max(len(narrow), 1)


def exact(suspect: float, parent: float, reference: float, margin: float) -> tuple[Fraction, Fraction]:
    """The interval of one bf16 element with a mantissa of eight bits in [1, 2), with the merging program's error."""
    error = Fraction(margin) * (abs(Fraction(parent)) + abs(Fraction(reference)))
    half = Fraction(1, 256)
    below = half / 2 if abs(suspect) == 1.0 else half  # next to a power of two the cell is half as wide inside
    lower, upper = (below, half) if suspect > 0 else (half, below)
    u = Fraction(parent) - Fraction(reference)
    v = Fraction(suspect) - Fraction(reference)
    ends = (v - lower - error) / u, (v + upper + error) / u
    return min(ends), max(ends)


@pytest.mark.parametrize("margin", [0.0, FLOAT32_ERROR, 2.0**-10])
def test_an_element_confines_alpha_to_its_widened_cell_over_its_delta(margin: float) -> None:
    rows = [(1.5, 2.0, 1.0), (-1.25, 1.0, -2.0), (1.75, 1.0, 3.0), (1.5, 1.5, 1.5), (-1.5, -1.0, -4.0)]
    suspect, parent, reference = map(list, zip(*rows, strict=True))
    sample = from_values(suspect, [parent, reference], DType.BF16, group=[4, 5, 6, 7, 8])
    found = element_intervals(sample, margin=margin)
    expected = [exact(*row, margin) for row in rows if row[1] != row[2]]
    np.testing.assert_allclose(found.low, [float(low) for low, _ in expected], rtol=1e-14)
    np.testing.assert_allclose(found.high, [float(high) for _, high in expected], rtol=1e-14)
    assert found.group.tolist() == [4, 5, 6, 8]  # the fourth says nothing


def test_the_margin_is_that_of_float32_and_the_parent_the_first_unless_said() -> None:
    sample = from_values([1.5, 1.25], [[2.0, 1.5], [1.75, 3.0], [1.0, 1.0]], DType.BF16)
    for given_to, parent in (({}, 0), ({"parent": 0}, 0), ({"parent": 1}, 1)):
        found = element_intervals(sample, **given_to)
        for number in range(2):
            low, high = exact(sample.suspect[number], sample.parents[parent][number], 1.0, FLOAT32_ERROR)
            share = Fraction(FLOAT32_ERROR) * Fraction(float(np.abs(sample.parents[1 - parent][number])))
            more = abs(share / (Fraction(float(sample.parents[parent][number])) - 1))  # the third parent's own error
            assert found.low[number] == pytest.approx(float(low - more), rel=1e-12)
            assert found.high[number] == pytest.approx(float(high + more), rel=1e-12)


def test_a_delta_far_below_the_cell_allows_every_alpha_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = element_intervals(from_values([1e300], [[5e-324], [0.0]], DType.F64))
        result = fit(found)
    assert not found.informative.any()
    assert result.alpha is not None
    assert np.isfinite(result.alpha)


@FEW
@given(st.lists(st.tuples(st.integers(-8, 8), st.integers(0, 8), st.integers(0, 3)), max_size=12))
def test_each_group_is_fitted_as_if_it_stood_alone(drawn: list[tuple[int, int, int]]) -> None:
    ends = [(low / 4, (low + width) / 4) for low, width, _ in drawn]
    groups = [3 * number for _, _, number in drawn]
    found = fit_groups(intervals(*ends, group=groups))
    assert found.keys() == set(groups)
    for group in found:
        alone = [pair for pair, own in zip(ends, groups, strict=True) if own == group]
        assert found[group] == fit(intervals(*alone))


def test_the_curve_goes_from_nought_to_one_and_is_dense_around_the_peak() -> None:
    found = intervals((0.5, 0.625), (0.25, 0.5625))
    result = fit(found)
    grid, shares = coverage_curve(found, result, points=9)
    steps = np.array([0.0625, 1.0])
    near = np.concatenate([0.5 - steps, 0.5625 + steps, [0.5, 0.53125, 0.5625]])
    expected = np.unique(np.concatenate([np.linspace(0, 1, 9), near[(near >= -0.25) & (near <= 1.25)]]))
    np.testing.assert_array_equal(grid, expected)
    np.testing.assert_array_equal(shares, found.shares(grid))
    assert np.linspace(0, 1, 201).tolist() == coverage_curve(intervals(), fit(intervals()))[0].tolist()


def test_the_curve_keeps_a_quarter_beyond_either_end_and_narrow_or_wide_peaks_their_width() -> None:
    for low, high, width in (
        (0.5, 0.5, 1e-9),
        (-3.0, 4.0, 1.0),
        (-0.25, 0.75, 1.0),
        (0.25, 1.25, 1.0),
        (2.0, 3.5, 1.0),
    ):
        found = intervals((low, high))
        grid, _ = coverage_curve(found, fit(found), points=40)
        steps = np.geomspace(width, 1.0, 10)
        extra = np.concatenate([low - steps, high + steps, [low, (low + high) / 2, high]])
        expected = np.unique(np.concatenate([np.linspace(0, 1, 40), extra[(extra >= -0.25) & (extra <= 1.25)]]))
        np.testing.assert_array_equal(grid, expected)


def test_shuffling_inside_groups_of_one_changes_nothing() -> None:
    sample = from_values([1.5, 1.25, 1.75, 1.5], [[2.0, 1.0, 3.0, 1.0], [1.0, 1.5, 1.0, 1.0]], DType.BF16, [5, 0, 9, 0])
    assert null_coverage(sample, 0.5, seed=3) == (
        fit(element_intervals(sample)), float(element_intervals(sample).shares(np.array([0.5]))[0]),
    )  # fmt: skip
    wide = null_coverage(sample, 0.5, seed=3, margin=1.0)
    assert wide[1] is None
    assert wide[0].coverage == fit(element_intervals(sample, margin=1.0)).coverage


def test_a_shuffled_element_keeps_its_delta_and_the_width_of_its_cell() -> None:
    """Two elements of one group: every shuffle is one of two, and both are met."""
    sample = from_values([1.5, 1.125, 1.0], [[2.0, 2.0, 7.0], [1.0, 1.25, 7.0]], DType.BF16)
    kept = sample.take(slice(0, 2))
    lower, upper = kept.lower - kept.suspect, kept.upper - kept.suspect
    error = FLOAT32_ERROR * np.abs(kept.parents).sum(axis=0)
    expected = []
    for order in ([0, 1], [1, 0]):
        v, u = kept.delta[order], kept.deltas[0]
        ends = [(v + lower - error) / u, (v + upper + error) / u]
        expected.append(fit(ElementIntervals(np.minimum(*ends), np.maximum(*ends), kept.group)))
    met = [null_coverage(sample, 0.5, seed)[0] for seed in range(12)]
    for one in met:
        assert any(one.alpha == pytest.approx(two.alpha, rel=1e-12) for two in expected)
    assert len({one.alpha for one in met}) == 2
    assert [null_coverage(sample, 0.5, seed)[0] for seed in range(12)] == met


@pytest.mark.parametrize("first", [0, 1, 7])
def test_a_shuffle_moves_elements_within_their_group_only_and_reaches_every_order(first: int) -> None:
    group = np.array([2, 0, 2, 0, 2], np.int32) + np.int32(first)
    seen = set()
    for seed in range(80):
        order = interval._permutation_within(group, np.random.default_rng(seed))
        assert sorted(order) == list(range(5))
        assert (group[order] == group).all()
        seen.add(tuple(order.tolist()))
    assert len(seen) == 12  # 3! x 2!


def test_a_seed_gives_one_shuffle_by_its_definition() -> None:
    """Group after group, the elements of each in their order: a seed that stands in a report can be used anew."""
    group = np.random.default_rng(1).integers(0, 4, 200).astype(np.int32)
    rng, expected = np.random.default_rng(5), np.empty(200, np.int64)
    for number in range(4):
        places = np.array([at for at in range(200) if group[at] == number])
        drawn = places.copy()
        rng.shuffle(drawn)
        expected[places] = drawn
    np.testing.assert_array_equal(interval._permutation_within(group, np.random.default_rng(5)), expected)


@pytest.mark.parametrize("parent", [0, 1])
def test_the_null_is_that_of_the_parent_asked_for(parent: int) -> None:
    sample = from_values([1.5], [[2.0], [3.0], [1.0]], DType.BF16)
    assert null_coverage(sample, 0.5, 1, parent=parent)[0].alpha == pytest.approx([0.5, 0.25][parent])


def test_middles_of_infinite_and_enormous_ends_are_finite_and_between() -> None:
    ends = [-np.inf, -1.7e308, -3.0, 0.0, 2.0, 1.7e308, np.inf]
    for low, high in product(ends, ends):
        if low <= high:
            (middle,) = interval._middle(np.array([low]), np.array([high]))
            assert np.isfinite(middle)
            assert low <= middle <= high or abs(middle) > 1e300
    limit = np.finfo(np.float64).max / 4
    assert interval._middle(np.array([-np.inf, 1.0, 0.0]), np.array([np.inf, np.inf, 0.5])).tolist() == [
        0.0, 1.0 + (limit - 1.0) / 2, 0.25,
    ]  # fmt: skip


def test_the_weighted_middle_counts_precise_intervals_and_no_infinite_ones() -> None:
    assert interval._weighted_middle(intervals((0.0, 1.0), (2.0, 4.0))) == pytest.approx((0.5 + 3 / 4) / 1.25)
    assert interval._weighted_middle(intervals((0.0, 1.0), (-np.inf, 9.0))) == pytest.approx(0.5)
    assert interval._weighted_middle(intervals((1.0, 1.0), (2.0, 4.0))) == pytest.approx(1.0)
    assert interval._weighted_middle(intervals((1.0, 1.0), (3.0, 3.0), (2.0, 4.0))) == pytest.approx(2.0)


def test_a_middle_that_infinite_or_enormous_ends_share_raises_no_warning_and_costs_no_precision() -> None:
    weighted, largest = interval._weighted_middle, float(np.finfo(np.float64).max)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert weighted(intervals((0.0, 1.0), (2.0, 4.0), (np.inf, np.inf))) == pytest.approx((0.5 + 3 / 4) / 1.25)
        assert weighted(intervals((0.0, 1.0), (2.0, 4.0), (-largest, largest))) == pytest.approx((0.5 + 3 / 4) / 1.25)
        assert weighted(intervals((-np.inf, np.inf), (-np.inf, np.inf), (0.0, np.inf))) == 0.0
        assert weighted(intervals((1.0, np.inf))) == pytest.approx(largest / 8)


def test_many_intervals_at_once_are_fitted_as_by_trying_every_end() -> None:
    rng = np.random.default_rng(12)
    low = np.round(rng.normal(0.5, 0.2, 60), 2)
    ends = [(float(a), float(a + b)) for a, b in zip(low, np.round(rng.uniform(0, 0.3, 60), 2), strict=True)]
    share, runs = peak(ends)
    result = fit(intervals(*ends))
    assert result.coverage == pytest.approx(float(share))
    assert (Fraction(result.low or 0.0), Fraction(result.high or 0.0)) in runs


def test_formats_finer_than_the_parents_confine_alpha_more() -> None:
    def width(dtype: DType) -> float:
        sample: Sample = from_values([1.5], [[2.0], [1.0]], dtype)
        result = fit(element_intervals(sample, margin=0.0))
        return (result.high or 0.0) - (result.low or 0.0)

    assert [width(dtype) for dtype in (DType.BF16, DType.F16, DType.F32)] == [2.0**-7, 2.0**-10, 2.0**-23]
