"""The mixing coefficient of parts of the model (layers, components, cells), from the sample, aware of rounding."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from modelprov.forensics.estimators import interval, likelihood
from modelprov.forensics.estimators.clustered import NORMAL_95
from modelprov.forensics.estimators.likelihood import Likelihood
from modelprov.forensics.search.fits import Fits, subsample
from modelprov.forensics.search.recipes import Scored
from modelprov.forensics.search.same_bits import bounds_in
from modelprov.forensics.thresholds import COVERED, PART_ELEMENTS, PART_ERROR

PER_PART = 8_000


def moved_along(sigma_relative: float | None) -> float:
    """How far training after the merge may have moved alpha itself, by the size of what it left beside the line.

    The part of a change that points along the parents' difference cannot be told from another share. A change at 45
    degrees or more to that line has no more of it than beside it, which is what sigma / rms(u) measures.
    """
    return sigma_relative or 0.0


@dataclass(frozen=True, slots=True)
class PartAlpha:
    """Alpha of a part with its bounds; `error` is its standard error (None for hard bounds), sigma over rms(u)."""

    alpha: float
    low: float
    high: float
    coverage: float | None
    error: float | None = None
    sigma_relative: float | None = None


def part_alphas(
    fits: Fits, part_of_stratum: Mapping[int, int], seed: int, use_likelihood: bool
) -> dict[int, PartAlpha]:
    """Alpha of the first parent for each part; strata map to part numbers. One parent beside the reference only.

    Where one alpha lies in every rounding cell of the part these are hard bounds, else (`use_likelihood`) the
    interval-censored maximum likelihood with 95 % bounds. A part without enough information is left out.
    """
    number = np.full(int(fits.stratum.max(initial=-1)) + 1, -1, np.int32)
    for stratum, part in part_of_stratum.items():
        if stratum < len(number):
            number[stratum] = part
    intervals = replace(fits.intervals, group=number[fits.intervals.group])
    found: dict[int, PartAlpha] = {}
    for part, peak in interval.fit_groups(intervals).items():
        if part < 0 or peak.alpha is None or peak.low is None or peak.high is None or peak.coverage is None:
            continue
        if peak.coverage >= COVERED and peak.informative >= 1:
            found[part] = PartAlpha(peak.alpha, peak.low, peak.high, peak.coverage)
        elif use_likelihood:
            own = _by_likelihood(fits, number, part, seed, peak.coverage)
            if own is not None:
                found[part] = own
    return found


def same_bits_alphas(
    fits: Fits, remade: Scored, part_of_stratum: Mapping[int, int], before: Mapping[int, PartAlpha]
) -> dict[int, PartAlpha]:
    """Alpha of each part as the recipe has it, with the weights that give the part's bits; arguments as above.

    Where a recipe explains every bit of a part, whatever else was fitted there (`before`) could only contradict it. A
    part in which it has several weightings gets their mean and their range; one that it does not explain stays as
    before.
    """
    found = dict(before)
    explained = remade.explained
    if explained is None or remade.low is None or remade.high is None:
        return found
    number = np.full(len(explained), -1, np.int64)
    for stratum, part in part_of_stratum.items():
        number[stratum] = part
    of_element = number[fits.stratum]
    order = np.argsort(of_element, kind="stable")
    starts = np.searchsorted(of_element[order], np.arange(int(number.max(initial=-1)) + 2))
    for part, (start, stop) in enumerate(pairwise(starts.tolist())):
        members = order[start:stop]
        strata = np.flatnonzero(np.bincount(fits.stratum[members]))
        if not members.size or not explained[strata].all():
            continue
        coverage = before[part].coverage if part in before else None
        weights = remade.recipe.weights[strata, 0]
        if (remade.recipe.weights[strata] == remade.recipe.weights[strata[0]]).all():
            bits = fits.scorer.of_elements(members)
            bounds = bounds_in(remade, bits, int(strata[0])) if bits.elements else None
            found.pop(part, None)
            if bounds is not None:
                found[part] = PartAlpha(float(weights[0]), *bounds, coverage)
        else:
            mean = float(remade.recipe.weights[fits.stratum[members], 0].mean())
            found[part] = PartAlpha(mean, float(weights.min()), float(weights.max()), coverage)
    return found


def _by_likelihood(
    fits: Fits, number: npt.NDArray[np.int32], part: int, seed: int, coverage: float
) -> PartAlpha | None:
    members = np.flatnonzero(number[fits.stratum] == part)
    if members.size < PART_ELEMENTS:
        return None
    ml = likelihood.fit(subsample(fits.sample.take(members), PER_PART, seed))
    if not ml.converged or ml.alphas is None or ml.standard_errors is None:
        return None
    alpha, error = ml.alphas[0], ml.standard_errors[0]
    half = NORMAL_95 * (ml.clustered_errors or ml.standard_errors)[0]
    return PartAlpha(alpha, alpha - half, alpha + half, coverage, error, ml.sigma_relative)


def part_weights(fits: Fits, part_of_stratum: Mapping[int, object], seed: int) -> dict[object, Likelihood]:
    """Fit the likelihood of each part, for any number of parents; parts without enough elements are left out."""
    found = {}
    for part in dict.fromkeys(part_of_stratum.values()):
        strata = [stratum for stratum, own in part_of_stratum.items() if own == part]
        members = np.flatnonzero(np.isin(fits.stratum, strata))
        if members.size >= PART_ELEMENTS:
            found[part] = likelihood.fit(subsample(fits.sample.take(members), PER_PART, seed))
    return {part: fit for part, fit in found.items() if fit.converged and fit.alphas is not None}


def spread(parts: Mapping[object, PartAlpha], least: int = 2) -> float | None:
    """Standard deviation of alpha over parts beyond what their own errors explain; None below `least` measured parts.

    Hard bounds count with the standard deviation of a uniform distribution between them.
    """
    pairs = [
        (one.alpha, (one.high - one.low) / math.sqrt(12) if one.error is None else one.error) for one in parts.values()
    ]
    return _beyond_errors(pairs, least)


def spread_of_weights(parts: Collection[Likelihood], least: int = 2) -> float | None:
    """The same over likelihoods of parts, of the coefficient that varies most."""
    alphas = [part.alphas for part in parts if part.alphas is not None]
    errors = [part.standard_errors or (0.0,) * len(part.alphas or ()) for part in parts if part.alphas is not None]
    found = [
        _beyond_errors([(alpha[i], error[i]) for alpha, error in zip(alphas, errors, strict=True)], least)
        for i in range(len(alphas[0]) if alphas else 0)
    ]
    return max((value for value in found if value is not None), default=None)


def _beyond_errors(pairs: Sequence[tuple[float, float]], least: int) -> float | None:
    measured = np.array([pair for pair in pairs if pair[1] < PART_ERROR], np.float64)
    if len(measured) < least:
        return None
    alphas, errors = measured.T
    return float(np.sqrt(max(float(alphas.var(ddof=1)) - float((errors**2).mean()), 0.0)))
