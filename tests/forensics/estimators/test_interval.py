"""The rounding-aware interval: the table of its widths, and a brute-force oracle."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.forensics.estimators.interval import (
    ElementIntervals,
    coverage_curve,
    element_intervals,
    fit,
    fit_groups,
    null_coverage,
)
from modelprov.forensics.sampling.sample import concatenate, from_values
from tests.forensics.estimators.simulated import least_squares_alpha, merged


def intervals(*pairs: tuple[float, float]) -> ElementIntervals:
    ends = np.array(pairs, np.float64).reshape(-1, 2)
    return ElementIntervals(ends[:, 0], ends[:, 1], np.zeros(len(ends), np.int32))


@pytest.mark.parametrize(
    ("distance", "n", "shown", "half_width"),
    [(2e-5, 65_536, 0.89, 6e-5), (2e-4, 65_536, 0.62, 3e-7), (5e-4, 10_000, 0.57, 3e-6)],
)
def test_one_alpha_lies_in_every_interval_where_least_squares_is_far_off(distance, n, shown, half_width):
    sample = merged(n, distance, seed=20)
    assert least_squares_alpha(sample) == pytest.approx(shown, abs=0.006)
    result = fit(element_intervals(sample))
    assert result.coverage == 1.0
    assert result.informative_coverage == 1.0
    assert result.low <= 0.565 <= result.high
    assert result.high - result.low < 2 * half_width
    assert abs(result.alpha - 0.565) < half_width
    if distance == 2e-5:
        assert np.mean(sample.deltas == 0) == pytest.approx(0.78, abs=0.01)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(-8, 8), st.integers(0, 6)), min_size=1, max_size=12))
def test_the_peak_equals_a_brute_force_search(drawn):
    ends = [(float(low), float(low + width)) for low, width in drawn]
    result = fit(intervals(*ends))
    grid = np.arange(-10, 16, 0.25)
    shares = np.array([np.mean([low <= x <= high for low, high in ends]) for x in grid])
    assert result.coverage == shares.max()
    assert intervals(*ends).coverage_at(result.low) == intervals(*ends).coverage_at(result.high) == shares.max()
    outside = intervals(*ends)
    assert outside.coverage_at(result.low - 0.25) < shares.max() or result.low - 0.25 in grid[shares == shares.max()]
    assert result.tied_runs == 1 or result.coverage < 1


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(-6, 6))
def test_order_and_scale_do_not_matter_and_more_elements_never_widen(seed, n, power):
    sample = merged(n, 1e-3, seed=seed)
    first = fit(element_intervals(sample))
    order = np.random.default_rng(seed).permutation(n)
    scaled = from_values(sample.suspect * 2.0**power, sample.parents * 2.0**power, DType.BF16)
    assert fit(element_intervals(sample.take(order))) == first == fit(element_intervals(scaled))
    more = fit(element_intervals(concatenate([sample, merged(20, 1e-3, seed=seed + 1)])))
    assert more.coverage == 1.0
    assert first.alpha is None or (more.low >= first.low and more.high <= first.high)


def test_intervals_that_touch_overlap():
    assert fit(intervals((0, 1), (1, 2))).coverage == 1.0
    assert fit(intervals((0, 1), (1, 2))).alpha == 1.0


def test_of_disjoint_peaks_the_one_nearest_the_precise_elements_is_chosen_and_the_tie_is_said():
    result = fit(intervals((0, 0.4), (0.1, 0.5), (0.6, 0.9), (0.8, 0.85)))
    assert (result.low, result.high, result.tied_runs) == (0.8, 0.85, 2)


def test_elements_without_difference_say_nothing_and_the_reason_is_given():
    for sample in (from_values([], [[], []], DType.BF16), from_values([1.0, 2.0], [[1.0, 2.0]] * 2, DType.BF16)):
        result = fit(element_intervals(sample))
        assert (result.alpha, result.coverage, result.elements) == (None, None, 0)
        assert "reference" in result.reason
        assert element_intervals(sample).coverage_at(0.5) is None
        assert fit_groups(element_intervals(sample)) == {}


def test_one_element_gives_its_own_interval():
    result = fit(element_intervals(from_values([1.5], [[2.0], [1.0]], DType.BF16), margin=0.0))
    assert (result.low, result.high) == (0.5 - 2**-8, 0.5 + 2**-8)


def test_huge_and_denormal_values_give_finite_alphas():
    huge = from_values([2.0**127, 1.5 * 2.0**127], [[1.5 * 2.0**127] * 2, [2.0**126] * 2], DType.BF16)
    tiny = from_values([2.0**-133, 0.0], [[2.0**-132, 2.0**-133], [0.0, 0.0]], DType.BF16)
    vast = from_values([1e300], [[5e-324], [0.0]], DType.F64)
    for sample in (huge, tiny, vast):
        result = fit(element_intervals(sample))
        assert np.isfinite(result.alpha)
    assert fit(element_intervals(vast)).informative == 0


def test_intervals_as_wide_as_zero_to_one_are_not_informative():
    result = fit(intervals((-0.5, 0.6), (0.2, 0.4)))
    assert (result.elements, result.informative) == (2, 1)
    assert "tells" in fit(intervals((-1, 1))).reason


def test_each_tensor_can_be_fitted_alone():
    parts = [merged(500, 1e-3, (w,), seed=i).take(slice(None)) for i, w in enumerate((0.2, 0.7))]
    values = [from_values(p.suspect, p.parents, DType.BF16, group=9 - i) for i, p in enumerate(parts)]
    found = fit_groups(element_intervals(concatenate(values)))
    assert found[9] == fit(element_intervals(parts[0]))
    assert found[8] == fit(element_intervals(parts[1]))
    assert fit(element_intervals(concatenate(values))).coverage < 0.7


def test_the_curve_is_the_coverage_at_its_points():
    sample = merged(2_000, 5e-4, sigma=2e-5, seed=3)
    lines = element_intervals(sample)
    alphas, shares = coverage_curve(lines, fit(lines))
    narrow = lines.high - lines.low < 1
    brute = [np.mean((lines.low <= a)[narrow] & (a <= lines.high)[narrow]) for a in alphas]
    np.testing.assert_allclose(shares, brute)
    assert {0.0, 1.0} <= set(alphas)
    assert np.all(np.diff(alphas) > 0)


def test_shuffled_deltas_cover_far_less_and_a_seed_repeats_them():
    sample = merged(20_000, 5e-4, seed=8)
    peak, at = null_coverage(sample, 0.565, seed=4)
    assert (peak, at) == null_coverage(sample, 0.565, seed=4)
    assert at < 0.2
    assert peak.informative_coverage < 0.4


def test_shuffling_stays_inside_a_group():
    n = 200
    sample = merged(n, 1e-3, seed=2)
    alone = from_values(sample.suspect, sample.parents, DType.BF16, group=np.arange(n))
    assert null_coverage(alone, 0.565, seed=1)[0] == fit(element_intervals(sample))


def test_below_full_coverage_the_peak_can_be_a_fraction_of_the_lattice_and_not_alpha():
    result = fit(element_intervals(merged(400_000, 2e-4, (0.6,), sigma=1e-5, seed=0)))
    assert result.coverage < 0.82
    assert result.alpha == pytest.approx(0.625, abs=1e-6)
