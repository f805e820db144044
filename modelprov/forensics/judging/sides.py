"""Which side of a rounding border the suspect took, and whether it lies strictly between the parents: picks show so.

Where a mixture falls on the border of two cells, rounding takes the even number of the two; a suspect that picked
elements from either parent takes odd ones as often. Where another number lies between the parents a mixture mostly
holds it, a picker never. Counts over the sample; judges nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modelprov.checkpoints.formats.dtypes import FORMATS, Float64, is_even, round_to
from modelprov.forensics.estimators.precision import MANTISSA_BITS
from modelprov.forensics.sampling.sample import arithmetic_error
from modelprov.forensics.search.fits import Fits
from modelprov.forensics.thresholds import MOVED, ROOM, SHORT, SLIGHT

EIGHTHS = 8  # products with such weights are exact in every arithmetic, so that a tie stays a tie


@dataclass(frozen=True, slots=True)
class Sides:
    """Sampled elements: on a border (`ties`), of these with an even number (`even`), and with room between the parents.

    Of those with room, how many hold a number strictly between the parents, and how many a mixture would (`expected`).
    `firm` when every arithmetic keeps the ties; `slight` when one of two parents has so little weight that its own
    rounding, taken that often, crosses no border: ties alone tell a mixture from a change that was scaled and rounded.
    """

    ties: int = 0
    even: int = 0
    firm: bool = False
    slight: bool = False
    roomy: int = 0
    strictly: int = 0
    expected: int = 0


def sides(fits: Fits | None, weights: Float64 | None) -> Sides:
    """Count for the mixture with `weights` float64 [strata, k], the reference last; nothing without them."""
    if fits is None or weights is None:
        return Sides()
    by_element = weights[fits.stratum]
    sample = fits.sample
    mixture = np.einsum("nk,kn->n", by_element, sample.parents)
    low, high = sample.parents.min(axis=0), sample.parents.max(axis=0)
    cell = sample.upper - sample.lower
    error = arithmetic_error(sample)
    near = np.minimum(np.abs(mixture - sample.lower), np.abs(mixture - sample.upper)) <= error
    tied = near & (low < high) & (MANTISSA_BITS[sample.formats[0]] <= SHORT)
    even = expected = 0
    roomy = high - low >= ROOM * cell
    for code in np.unique(sample.formats[0]):
        stored = sample.formats[0] == code
        even += int(is_even(sample.suspect[tied & stored], FORMATS[code]).sum())
        rounded = round_to(mixture[roomy & stored], FORMATS[code])
        expected += int(((rounded > low[roomy & stored]) & (rounded < high[roomy & stored])).sum())
    strictly = roomy & (low < sample.suspect) & (sample.suspect < high)
    return Sides(
        int(tied.sum()), even, bool((weights * EIGHTHS == np.round(weights * EIGHTHS)).all()),
        weights.shape[1] == 2 and bool((weights.min(axis=1) <= SLIGHT).all()),
        int(roomy.sum()), int(strictly.sum()), expected,
    )  # fmt: skip


def towards(fits: Fits | None, weights: tuple[float, ...] | None) -> tuple[float | None, ...]:
    """For each parent: of the elements that differ from the heaviest parent, the share that moved its way, 0 to 1.

    Half of what an independent change moves goes that way; a method that swaps or blends small differences moves all
    of it, however little that weighs. None for the heaviest parent itself and where too few elements tell.
    """
    if fits is None or weights is None:
        return ()
    sample = fits.sample
    near = sample.parents[int(np.argmax(weights))]
    found: list[float | None] = []
    for parent in sample.parents:
        way, moved = np.sign(parent - near), np.sign(sample.suspect - near)
        telling = (way != 0) & (moved != 0)
        enough = int(telling.sum()) >= MOVED
        found.append(float((way[telling] == moved[telling]).mean()) if enough else None)
    return tuple(found)
