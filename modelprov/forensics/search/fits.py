"""Everything the sample says: rounding intervals, likelihood, pieces and candidate recipes. Fits, does not judge."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from modelprov.forensics.estimators import interval, likelihood
from modelprov.forensics.estimators.interval import ElementIntervals, IntervalFit
from modelprov.forensics.estimators.likelihood import Likelihood
from modelprov.forensics.estimators.simplest_number import simplest_number
from modelprov.forensics.sampling.sample import FLOAT32_ERROR, Sample, drawn, widened_cell
from modelprov.forensics.search.recipes import TRIED, Scored, Scorer, keep_best, tied
from modelprov.forensics.search.same_bits import settle
from modelprov.forensics.search.weighted_sum import WeightedSum
from modelprov.forensics.search.weightings import arithmetics_of, counted, refined, round_weights
from modelprov.forensics.thresholds import COVERED, INFORMATIVE, MOST_PIECES, REPRODUCED, WITHIN_CELLS
from modelprov.recipes.arithmetics import EVERY_STEP, Arithmetic

LIKELIHOOD_ELEMENTS = 60_000
NULL_ELEMENTS = 200_000
GLANCED, GLANCED_AT = 1 << 12, 64  # elements on which the grid of weights is thinned, and to how many
PROMISING, REFINED = 0.6, 6  # share of the bits from which weights off the grid are looked for, in how many arithmetics
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Exact:
    """Weights that every rounding cell of the sample allows.

    `weights` float64 [strata, k]; `low`, `high` float64 [strata, k - 1] bound the coefficients of the parents beside
    the reference; `informative` counts the elements that can tell 0 from 1. `explained` bool [strata] is False where
    no weighting fits: something else happened to those.
    """

    weights: Float64
    low: Float64
    high: Float64
    informative: int
    explained: npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Fits:
    """What the decisive part of the sample says. `intervals` and `peak` are of the first parent, alone.

    `sample` has the formats and cells that the values show (`precision.py`). `covering` is the share of elements whose
    cell allows the best single weighting (of all parents together).
    """

    sample: Sample
    stratum: npt.NDArray[np.int64]
    intervals: ElementIntervals
    peak: IntervalFit
    covering: float | None
    exact: Exact | None
    candidates: tuple[Scored, ...]
    likely: Future[Likelihood]
    by_chance: Future[float | None]

    @property
    def likelihood(self) -> Likelihood:
        """The interval-censored fit, waited for: nothing before the verdict needs it where a recipe gives the bits."""
        return self.likely.result()

    @property
    def null_coverage(self) -> float | None:
        """The coverage that chance gives, waited for; None of several parents."""
        return self.by_chance.result()

    @cached_property
    def scorer(self) -> Scorer:
        """Counts the bits of the sample; kept, since every part of the model asks."""
        return Scorer(self.sample, self.stratum)

    def of_tensors(self, rows: npt.NDArray[np.int64]) -> Fits:
        """The same fits with the sampled elements of some tensors only: what is exact there is judged there."""
        chosen = np.isin(self.sample.group, rows)
        return self if chosen.all() else replace(self, sample=self.sample.take(chosen), stratum=self.stratum[chosen])


def fit_sample(sample: Sample, stratum: npt.NDArray[np.int64], strata: int, seed: int) -> Fits:
    """Fit the decisive elements of the sample; `stratum` int64 [n] of each element. Needs at least two parents."""
    k = len(sample.parents)
    grouped = replace(sample, group=stratum.astype(np.int32))
    aside = ThreadPoolExecutor(1)  # the likelihood takes as long as all the rest; whoever asks for it waits
    likely = aside.submit(lambda: likelihood.fit(subsample(sample, LIKELIHOOD_ELEMENTS, seed)))
    intervals = interval.element_intervals(grouped)
    peak = interval.fit(intervals)
    if k == 2:
        exact, covering = _exact_one(peak, intervals, strata), peak.coverage
    else:
        exact, covering = _exact_many(sample, stratum, strata)
    by_chance = aside.submit(_null_coverage, grouped, peak.alpha, seed)
    aside.shutdown(wait=False)
    candidates = _candidates(sample, stratum, strata, exact, likely, seed)
    return Fits(sample, stratum, intervals, peak, covering, exact, tuple(candidates), likely, by_chance)


def _null_coverage(grouped: Sample, alpha: float | None, seed: int) -> float | None:
    """What chance covers at its best; None without the alpha of one parent beside the reference."""
    if alpha is None or len(grouped.parents) != 2:
        return None
    return interval.null_coverage(subsample(grouped, NULL_ELEMENTS, seed), alpha, seed)[0].coverage


def subsample(sample: Sample, elements: int, seed: int) -> Sample:
    """At most `elements` of the sample, drawn without replacement by `seed`, in their old order."""
    if sample.elements <= elements:
        return sample
    return sample.take(drawn(sample.elements, elements, seed))


def is_exact(peak: IntervalFit) -> bool:
    """Whether one weight lies in the rounding cells, of enough elements to say so."""
    return (peak.coverage or 0) >= COVERED and peak.informative >= INFORMATIVE


def _exact_one(peak: IntervalFit, intervals: ElementIntervals, strata: int) -> Exact | None:
    """One parent beside the reference: one alpha for all, else the fewest groups that serve every stratum."""
    if peak.coverage is None or peak.low is None or peak.high is None:
        return None
    if is_exact(peak):
        low, high = np.full((strata, 1), peak.low), np.full((strata, 1), peak.high)
        weights = _with_rest(np.full((strata, 1), _natural(peak.low, peak.high)))
        return Exact(weights, low, high, peak.informative, np.ones(strata, bool))
    from modelprov.forensics.estimators.piecewise import TensorInterval, partition

    by_stratum = interval.fit_groups(intervals)
    tensors = [
        TensorInterval(str(s), fit.low, fit.high, fit.coverage, fit.informative)
        if (fit := by_stratum.get(s))
        else TensorInterval(str(s), None, None, None, 0)
        for s in range(strata)
    ]
    pieces = partition(tensors, COVERED)
    explained = np.ones(strata, bool)
    explained[[int(name) for name in pieces.unexplained]] = False
    informative = sum(fit.informative for s, fit in by_stratum.items() if explained[s])
    lost = sum(fit.elements for s, fit in by_stratum.items() if not explained[s])
    total = sum(fit.elements for fit in by_stratum.values())
    if informative < INFORMATIVE or lost > total / 2 or not 1 <= len(pieces.groups) <= MOST_PIECES:
        return None
    alpha, low, high = np.zeros((strata, 1)), np.zeros((strata, 1)), np.zeros((strata, 1))
    largest = pieces.groups[0]
    alpha[:], low[:], high[:] = largest.value.value, largest.low, largest.high
    for group in pieces.groups:
        members = [int(name) for name in group.tensors]
        alpha[members], low[members], high[members] = group.value.value, group.low, group.high
    return Exact(_with_rest(alpha), low, high, informative, explained)


def _exact_many(sample: Sample, stratum: npt.NDArray[np.int64], strata: int) -> tuple[Exact | None, float | None]:
    """Several parents beside the reference: one polytope; strata taken whole from one parent are set aside first.

    Where none serves all the rest, one that serves nearly all cells of half the elements: others were changed since.
    """
    from modelprov.forensics.estimators import polytope

    k = len(sample.parents)
    weights, whole = np.zeros((strata, k)), np.zeros(strata, bool)
    counts = np.bincount(stratum, minlength=strata)
    for parent in range(k):
        same = np.bincount(stratum, sample.parents[parent] == sample.suspect, strata) == counts
        taken = same & ~whole & (counts > 0)
        weights[taken, parent] = 1.0
        whole |= taken
    explained = np.ones(strata, bool)
    rest = sample.take(~whole[stratum]) if whole.any() else sample
    if _telling(rest) < INFORMATIVE:
        return None, None
    fit = polytope.fit(subsample(rest, 100_000, 0))
    covering = fit.coverage
    if not fit.feasible and fit.centre is not None:
        explained = whole | (_covered(sample, stratum, strata, fit.centre) >= WITHIN_CELLS)
        rest = sample.take((explained & ~whole)[stratum])
        if 2 * counts[explained].sum() < counts.sum() or _telling(rest) < INFORMATIVE:
            return None, covering
        fit = polytope.fit(subsample(rest, 100_000, 0))
    if not fit.feasible or fit.centre is None or fit.low is None or fit.high is None:
        return None, covering
    pairs = list(zip(fit.low, fit.high, fit.centre, strict=True))
    free = [c if a is None or b is None else _natural(a, b) for a, b, c in pairs]
    low = np.array([-np.inf if a is None else a for a, _, _ in pairs])
    high = np.array([np.inf if b is None else b for _, b, _ in pairs])
    weights[~whole] = _with_rest(np.array([free]))[0]
    low, high = (np.where(whole[:, None], weights[:, :-1], one) for one in (low, high))
    return Exact(weights, low, high, _telling(rest), explained), covering


def _telling(sample: Sample) -> int:
    """Elements in which the parents differ."""
    return int((sample.deltas != 0).any(axis=0).sum())


def _covered(sample: Sample, stratum: npt.NDArray[np.int64], strata: int, centre: tuple[float, ...]) -> Float64:
    """Share of the elements of each stratum whose cell holds a mixture of the deltas, float64 [strata]."""
    lower, upper = widened_cell(sample, FLOAT32_ERROR)
    mixture = sample.parents[-1] + np.array(centre) @ sample.deltas
    inside = (lower <= mixture) & (mixture <= upper)
    return np.bincount(stratum, inside, strata) / np.maximum(np.bincount(stratum, minlength=strata), 1)


def _natural(low: float, high: float) -> float:
    """The number a person would have typed: the simplest in the interval."""
    for special in (0.0, 1.0):
        if low <= special <= high:
            return special
    found = simplest_number(low, high)
    return (low + high) / 2 if found is None else found.value


def _with_rest(free: Float64) -> Float64:
    """Append the reference's weight, so that each row sums to 1 (as decimals do: 1 - 0.565 = 0.435)."""
    rest = 1.0 - free.sum(axis=1, keepdims=True)
    return np.asarray(np.concatenate([free, np.round(rest, 12)], axis=1), np.float64)


def _with_computed_rests(recipe: WeightedSum) -> Iterator[WeightedSum]:
    """The same with one weight as float64 computes 1 - 0.7: in float64 that decides where a mixture is a tie."""
    for parent in reversed(range(recipe.weights.shape[1])):
        weights = recipe.weights.copy()
        weights[:, parent] = 1.0 - np.delete(weights, parent, axis=1).sum(axis=1)
        yield replace(recipe, weights=weights)


def _candidates(
    sample: Sample, stratum: npt.NDArray[np.int64], strata: int, exact: Exact | None, likely: Future[Likelihood],
    seed: int,
) -> list[Scored]:  # fmt: skip
    """The best recipes; the likelihood is waited for where the exact fit gives none."""
    scorer = Scorer(sample, stratum)
    found: list[Scored] = []
    if exact is not None:
        found = scorer.scored(arithmetics_of(exact.weights))
        if found and found[0].share < REPRODUCED:
            doubles = [scored.recipe for scored in found if scored.recipe.arithmetic is Arithmetic.FLOAT64]
            found = [*scorer.scored(made for each in doubles for made in _with_computed_rests(each)), *found]
            found.sort(key=lambda scored: -scored.share)
    if (not found or found[0].share < REPRODUCED) and (ml := likely.result()).alphas is not None:
        near = _with_rest(np.array([ml.alphas]))[0]
        few = scorer.few(TRIED, seed)
        glanced = counted(round_weights(near, strata), scorer.few(GLANCED, seed))
        first_look = counted([scored.recipe for scored in glanced[:GLANCED_AT]], few)
        found += scorer.scored(one.recipe for one in first_look[:4])
        if exact is None:
            found += scorer.scored(arithmetics_of(np.tile(_round(near, ml), (strata, 1))))
        if max(scored.share for scored in found) < REPRODUCED:
            peaks = scorer.scored(refined(scored, few).recipe for scored in _promising([*first_look, *found]))
            found += [peak for peak in peaks if peak.share >= REPRODUCED]  # one that falls short hides where ties are
    best = keep_best(found)
    swept = tied(best)
    return [*(settle(one, scorer, seed) for one in best[:swept]), *best[swept:]]


def _promising(found: list[Scored]) -> list[Scored]:
    """Of each arithmetic that rounds every step the best, where that gives so many bits that a weight may be near."""
    best: dict[Arithmetic, Scored] = {}
    for scored in found:
        arithmetic = scored.recipe.arithmetic
        if arithmetic in EVERY_STEP and scored.share >= PROMISING and scored.recipe.pieces == 1:
            best[arithmetic] = max(best.get(arithmetic, scored), scored, key=lambda own: own.share)
    return sorted(best.values(), key=lambda own: -own.share)[:REFINED]


def _round(near: Float64, ml: Likelihood) -> Float64:
    """Weights near the likelihood's with as few digits as its standard errors allow."""
    errors = ml.standard_errors or (0.001,) * (len(near) - 1)
    free = [_natural(a - 2 * max(e, 1e-6), a + 2 * max(e, 1e-6)) for a, e in zip(near[:-1], errors, strict=True)]
    return np.asarray(_with_rest(np.array([free]))[0], np.float64)
