"""What a quantised suspect held before, were it a mixture of its parents: their mixture, rounded as they are. Measures.

A quantiser's steps hide which way a line is to be read (`reversal.py`): the rounding of the suspect's own numbers,
which tells a merge from a model of which a parent was made, is gone. But where the suspect lies on the line, the
parents have those numbers still: a mixture that falls back upon numbers of 16 bits was made of them. So what was
rounded away is put back, and asked what a suspect in 16 bits is asked.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from modelprov.checkpoints.formats.dtypes import FORMATS, DType, Float64, round_to, rounding_cells
from modelprov.forensics.estimators import interval
from modelprov.forensics.estimators.precision import MANTISSA_BITS
from modelprov.forensics.sampling.sample import Sample
from modelprov.forensics.search.fits import Fits, subsample

LOOKED_AT = 20_000  # elements that a weight is looked for with
FINE = 0.02  # of a cell: how far the next weight that is tried may move the mixture of an element, for most of them
MOST_TRIED = 4096
NEAR_ONES = 0.9  # of all elements, whose parents are no further apart than the rest


def before_quantising(fits: Fits, weights: Float64) -> tuple[Fits, Float64]:
    """The fits with the suspect's numbers as 16 bits would have held them, and the weights float64 [strata, k] for it.

    Of two parents the weight is, within the interval of the cells, that whose mixture falls nearest to numbers of the
    format; any other keeps what was found. Where a parent's steps are wider than the suspect's its mixture falls back
    upon other numbers too; such elements are left out. What was fitted is still of the quantised numbers.
    """
    code = _coarsest(fits.sample)
    sample, stratum = fits.sample, fits.stratum
    if weights.shape[1] == 2 and len(np.unique(weights, axis=0)) == 1:
        peak = interval.fit(interval.element_intervals(sample))
        if peak.low is not None and peak.high is not None and peak.low < peak.high:
            weight = _nearest(subsample(sample, LOOKED_AT, 0), peak.low, peak.high, code)
            again = interval.fit(interval.element_intervals(_rounded(sample, weight, code)))
            if again.alpha is not None and peak.low < again.alpha < peak.high:
                weight = again.alpha
            weights = np.tile([weight, 1 - weight], (len(weights), 1))
    made = _rounded(sample, weights[stratum].T, code)
    widths = [upper - lower for lower, upper in map(rounding_cells, made.parents, made.formats[1:])]
    kept = np.asarray((np.stack(widths) <= made.upper - made.lower).all(axis=0), np.bool_)
    return replace(fits, sample=made.take(kept), stratum=stratum[kept]), weights


def _rounded(sample: Sample, weights: Float64 | float, code: int) -> Sample:
    """The sample with the mixture, rounded to a format, as its suspect; `weights` [k, n], or the first of two's."""
    shares = np.array([[weights], [1 - weights]]) if isinstance(weights, float) else weights
    formats = sample.formats.copy()
    formats[0] = code
    suspect = round_to((shares * sample.parents).sum(axis=0), FORMATS[code])
    lower, upper = rounding_cells(suspect, formats[0])
    return Sample(suspect, lower, upper, sample.parents, sample.group, formats)


def _coarsest(sample: Sample) -> int:
    """The code of the 16-bit format that most of the parents' numbers are in; bf16 where they are finer."""
    counts = np.bincount(sample.formats[1:].ravel(), minlength=len(FORMATS))
    short = [code for code in range(len(FORMATS)) if MANTISSA_BITS[code] < DType.F32.mantissa_bits]
    return max(short, key=lambda code: int(counts[code]))


def _nearest(sample: Sample, low: float, high: float, code: int) -> float:
    """The first parent's weight between `low` and `high` whose mixture lies nearest to a format's numbers, on the mean.

    Only where the parents are near each other: what is far apart turns with the last digit of a weight.
    """
    apart = np.abs(sample.deltas[0])
    lower, upper = rounding_cells(sample.parents[1], np.full(sample.elements, code, np.uint8))
    cells = np.divide(apart, upper - lower, out=np.zeros_like(apart), where=upper > lower)
    differing = cells > 0
    if not differing.any():
        return (low + high) / 2
    reach = float(np.quantile(cells[differing], NEAR_ONES))
    kept = differing & (cells <= reach)
    reference, delta = sample.parents[1][kept], sample.deltas[0][kept]
    tried = np.linspace(low, high, int(np.clip((high - low) * reach / FINE, 2, MOST_TRIED)))
    away = [_away(reference + weight * delta, code) for weight in tried]
    return float(tried[int(np.argmin(away))])


def _away(mixed: Float64, code: int) -> float:
    """How far numbers lie from the nearest of a format, in its cells, on the mean: a quarter by chance."""
    nearest = round_to(mixed, FORMATS[code])
    lower, upper = rounding_cells(nearest, np.full(mixed.size, code, np.uint8))
    return float((np.abs(mixed - nearest) / (upper - lower)).mean())
