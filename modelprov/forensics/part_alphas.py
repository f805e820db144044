"""The mixing coefficient of parts of the model (layers, components, cells), from the sample, aware of rounding."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from modelprov.forensics import interval, likelihood
from modelprov.forensics.fits import COVERED, Fits, subsample

ENOUGH = 200  # sampled elements below which a part gets no coefficient of its own
PER_PART = 8_000
NORMAL_95 = 1.959964


@dataclass(frozen=True, slots=True)
class PartAlpha:
    """Alpha of a part with its bounds; `error` is its standard error (None for hard bounds), sigma over rms(u)."""

    alpha: float
    low: float
    high: float
    coverage: float
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


def _by_likelihood(
    fits: Fits, number: npt.NDArray[np.int32], part: int, seed: int, coverage: float
) -> PartAlpha | None:
    members = np.flatnonzero(number[fits.stratum] == part)
    if members.size < ENOUGH:
        return None
    ml = likelihood.fit(subsample(fits.sample.take(members), PER_PART, seed))
    if not ml.converged or ml.alphas is None or ml.standard_errors is None:
        return None
    alpha, error = ml.alphas[0], ml.standard_errors[0]
    half = NORMAL_95 * error
    return PartAlpha(alpha, alpha - half, alpha + half, coverage, error, ml.sigma_relative)


def spread(parts: Mapping[object, PartAlpha]) -> float | None:
    """Standard deviation of alpha over parts beyond what their own errors explain; None below two measured parts."""
    measured = [one for one in parts.values() if one.error is not None and one.error < 0.1]
    if len(measured) < 2:
        return None
    alphas = np.array([one.alpha for one in measured])
    errors = np.array([one.error for one in measured], np.float64)
    return float(np.sqrt(max(float(alphas.var(ddof=1)) - float((errors**2).mean()), 0.0)))
