"""The rounding-aware mixing coefficient of one parent: the alpha that lies in most elements' intervals.

Every element with u != 0 confines alpha to [(lower - P0)/u, (upper - P0)/u] (sorted), where `lower` and `upper` bound
the suspect's rounding cell, widened by the merging program's own error. If S = round(alpha P1 + (1 - alpha) P0), one
alpha lies in all of them. The coverage at alpha is the share of intervals that hold it; intervals are closed, so
touching ends overlap. Source: the interval that most sources allow (K. Marzullo 1984, thesis,
Stanford); `docs/method.md`, "Rounding cells and intervals". Several parents: `polytope.py`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.forensics.sampling.sample import FLOAT32_ERROR, Sample, widened_cell

LARGEST = sys.float_info.max / 4
"""End of a run in the place of an infinite one."""


@dataclass(frozen=True, eq=False)
class ElementIntervals:
    """The interval of alpha that each element with u != 0 allows: `low`, `high` float64[m], `group` int32[m]."""

    low: Float64
    high: Float64
    group: npt.NDArray[np.int32]

    @cached_property
    def informative(self) -> npt.NDArray[np.bool_]:
        """bool[m]: intervals narrower than 1, which can tell alpha = 0 from alpha = 1."""
        with np.errstate(invalid="ignore"):  # an infinite end minus itself: not informative
            narrow: npt.NDArray[np.bool_] = self.high - self.low < 1
        return narrow

    @cached_property
    def _sorted(self) -> tuple[Float64, Float64]:
        return np.sort(self.low), np.sort(self.high)

    @cached_property
    def _sorted_informative(self) -> tuple[Float64, Float64]:
        return np.sort(self.low[self.informative]), np.sort(self.high[self.informative])

    def coverage_at(self, alpha: float) -> float | None:
        """Share of all intervals that hold `alpha`; None where there is no interval."""
        return float(((self.low <= alpha) & (alpha <= self.high)).mean()) if self.low.size else None

    def shares(self, alphas: Float64, informative: bool = True) -> Float64:
        """Coverage at each of `alphas`, over the informative intervals or over all; 0 where there are none."""
        lows, highs = self._sorted_informative if informative else self._sorted
        begun = np.searchsorted(lows, alphas, side="right")
        ended = np.searchsorted(highs, alphas, side="left")
        return (begun - ended) / max(lows.size, 1)


@dataclass(frozen=True)
class IntervalFit:
    """The peak of the coverage. Below a coverage of 1 its alpha is no estimate of a mixing coefficient.

    Values of bf16 lie on a lattice, so many intervals share ends at small fractions: after training the peak moves to
    5/8 where 3/5 was mixed. It is a bound where everything is covered, and otherwise a diagnosis; see `likelihood.py`.


    `low`, `high`: the ends of the run of alphas at the peak, `alpha` its middle. `coverage`: share of all `elements`
    (those with u != 0) whose interval holds alpha; `informative_coverage`: the same among the `informative` elements
    (interval narrower than 1). `tied_runs`: disjoint runs that reach the peak; more than one means that the run was
    chosen, as the one nearest the precision-weighted middle. Without any interval all numbers are None and `reason`
    says why.
    """

    alpha: float | None
    low: float | None
    high: float | None
    coverage: float | None
    informative_coverage: float | None
    elements: int
    informative: int
    tied_runs: int = 0
    reason: str | None = None


def element_intervals(sample: Sample, parent: int = 0, margin: float = FLOAT32_ERROR) -> ElementIntervals:
    """Give the interval of alpha from every element that tells `parent` from the reference.

    `parent` counts the deltas. With more than two parents this is right only if the others take no part.
    """
    u, reference, group = sample.deltas[parent], sample.parents[-1], sample.group
    lower, upper = widened_cell(sample, margin)
    lower -= reference
    upper -= reference
    if not u.all():
        differs = np.flatnonzero(u)
        lower, upper, u, group = lower[differs], upper[differs], u[differs], group[differs]
    return _intervals(lower, upper, u, group)


def fit(intervals: ElementIntervals) -> IntervalFit:
    """Find the peak of the coverage; equal to trying every end of an interval. O(n log n), or O(n) if coverage is 1."""
    low, high = intervals.low, intervals.high
    informative, runs = int(np.count_nonzero(intervals.informative)), 1
    if low.size == 0:
        return IntervalFit(None, None, None, None, None, 0, 0, 0, "no element tells the parent from the reference")
    begin, end = float(low.max()), float(high.min())
    if begin > end:
        begins, ends = _peak_runs(*intervals._sorted)
        runs = begins.size
        chosen = 0 if runs == 1 else int(np.argmin(np.abs(_middle(begins, ends) - _weighted_middle(intervals))))
        begin, end = float(begins[chosen]), float(ends[chosen])
    alpha = _between(begin, end)
    holds = (low <= alpha) & (alpha <= high)
    informative_coverage = np.count_nonzero(holds & intervals.informative) / informative if informative else None
    coverage = np.count_nonzero(holds) / low.size
    return IntervalFit(
        alpha, begin, end, coverage, informative_coverage, low.size, informative, runs,
        None if informative else "no element tells alpha = 0 from alpha = 1",
    )  # fmt: skip


def fit_groups(intervals: ElementIntervals) -> dict[int, IntervalFit]:
    """`fit` for the elements of each group (canonical tensor) alone; groups without intervals are absent."""
    low, high, group = intervals.low, intervals.high, intervals.group
    if (np.diff(group) < 0).any():
        order = np.argsort(group, kind="stable")
        low, high, group = low[order], high[order], group[order]
    starts = np.flatnonzero(np.diff(group, prepend=group[:1] - 1))
    return {
        int(group[start]): fit(ElementIntervals(low[start:stop], high[start:stop], group[start:stop]))
        for start, stop in pairwise(np.append(starts, group.size))
    }


def coverage_curve(intervals: ElementIntervals, peak: IntervalFit, points: int = 201) -> tuple[Float64, Float64]:
    """For a plot: alphas over [0, 1] and, denser and denser, around the peak, with the informative coverage of each."""
    grid = np.linspace(0.0, 1.0, points)
    if peak.alpha is not None and peak.low is not None and peak.high is not None:
        width = min(max(peak.high - peak.low, 1e-9), 1.0)
        steps = np.geomspace(width, 1.0, max(points // 4, 2))
        near = [peak.low - steps, peak.high + steps, np.array([peak.low, peak.alpha, peak.high])]
        extra = np.concatenate(near)
        grid = np.sort(np.concatenate([grid, extra[(extra >= -0.25) & (extra <= 1.25)]]))
        grid = grid[np.diff(grid, prepend=-np.inf) > 0]
    return grid, intervals.shares(grid)


def null_coverage(
    sample: Sample, alpha: float, seed: int, parent: int = 0, margin: float = FLOAT32_ERROR
) -> tuple[IntervalFit, float | None]:
    """Measure what chance gives: the fit, and the share at `alpha`, after v was shuffled inside each group.

    Every element keeps its own u and the width of its cell; only which v belongs to which u is drawn anew, from
    `seed`, among the elements with u != 0. The second number is the coverage at `alpha` among informative intervals,
    None where there are none.
    """
    u = sample.deltas[parent]
    kept = sample.take(np.flatnonzero(u != 0))
    lower, upper = widened_cell(kept, margin)
    v = kept.delta[_permutation_within(kept.group, np.random.default_rng(seed))]
    shuffled = _intervals(lower - kept.suspect + v, upper - kept.suspect + v, kept.deltas[parent], kept.group)
    share = float(shuffled.shares(np.array([alpha]))[0]) if shuffled.informative.any() else None
    return fit(shuffled), share


def _intervals(lower: Float64, upper: Float64, u: Float64, group: npt.NDArray[np.int32]) -> ElementIntervals:
    with np.errstate(over="ignore"):  # a delta far below the cell allows every alpha
        first, second = lower / u, upper / u
    return ElementIntervals(np.minimum(first, second), np.maximum(first, second), group)


def _peak_runs(lows: Float64, highs: Float64) -> tuple[Float64, Float64]:
    """Find every disjoint run at the highest coverage, from sorted ends: from a low to the next high."""
    ended = np.searchsorted(highs, lows, side="left")
    held = np.arange(1, lows.size + 1) - ended  # exact at the last of equal lows, too small at the others
    at = np.flatnonzero(held == held.max())
    return lows[at], highs[ended[at]]


def _middle(begins: Float64, ends: Float64) -> Float64:
    """Find the middles of runs, whose ends may be infinite."""
    begins, ends = np.clip(begins, -LARGEST, LARGEST), np.clip(ends, -LARGEST, LARGEST)
    return begins + (ends - begins) / 2


def _between(begin: float, end: float) -> float:
    """The middle of one run."""
    begin, end = min(max(begin, -LARGEST), LARGEST), min(max(end, -LARGEST), LARGEST)
    return begin + (end - begin) / 2


def _weighted_middle(intervals: ElementIntervals) -> float:
    """Take the mean of the intervals' middles weighted by 1/width^2: least squares weighted by the rounding cells."""
    middles = _middle(intervals.low, intervals.high)
    with np.errstate(invalid="ignore", over="ignore"):  # infinite and enormous ends
        widths = np.maximum(intervals.high - intervals.low, 5e-324)  # a point weighs more than all that has a width
    bounded = np.isfinite(widths)
    if not bounded.any():
        return float(np.median(middles))
    return float(np.average(middles[bounded], weights=(widths[bounded].min() / widths[bounded]) ** 2))


def _permutation_within(group: npt.NDArray[np.int32], rng: np.random.Generator) -> npt.NDArray[np.intp]:
    """Draw indices that permute the elements inside each group at random and move none to another."""
    order = np.argsort(group, kind="stable")
    shuffled = order.copy()
    edges = np.append(np.flatnonzero(np.diff(group[order], prepend=-1)), group.size)
    for start, stop in pairwise(edges):
        rng.shuffle(shuffled[start:stop])
    result = np.empty_like(order)
    result[order] = shuffled
    return result
