"""Which side of a rounding border the suspect took, and whether it lies strictly between the parents: picks show so.

Where a mixture falls on the border of two cells, rounding takes the even number of the two; a suspect that picked
elements from either parent takes odd ones as often. Where another number lies between the parents a mixture mostly
holds it, a picker never. Counts over the sample; judges nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import add

import numpy as np

from modelprov.checkpoints.formats.dtypes import FORMATS, PIECE, Float64, is_even, present, round_to
from modelprov.forensics.estimators.precision import bits_of
from modelprov.forensics.sampling.sample import Sample, arithmetic_error
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
    ties = even = roomy = strictly = expected = 0
    for start in range(0, fits.sample.elements, PIECE):
        part = slice(start, start + PIECE)
        found = _counted(fits.sample.take(part), weights[fits.stratum[part]])
        ties, even, roomy, strictly, expected = map(add, (ties, even, roomy, strictly, expected), found)
    firm = bool((weights * EIGHTHS == np.round(weights * EIGHTHS)).all())
    slight = weights.shape[1] == 2 and bool((weights.min(axis=1) <= SLIGHT).all())
    return Sides(ties, even, firm, slight, roomy, strictly, expected)


def _counted(sample: Sample, weights: Float64) -> tuple[int, int, int, int, int]:
    """Ties, even ones of them, elements with room, those strictly between, and expected; `weights` float64 [n, k]."""
    mixture = np.einsum("nk,kn->n", weights, sample.parents)
    low, high = sample.parents.min(axis=0), sample.parents.max(axis=0)
    cell = sample.upper - sample.lower
    error = arithmetic_error(sample)
    near = np.minimum(np.abs(mixture - sample.lower), np.abs(mixture - sample.upper)) <= error
    tied = near & (low < high) & (bits_of(sample.formats[0]) <= SHORT)
    even = expected = 0
    roomy = high - low >= ROOM * cell
    for code in present(sample.formats[0]):
        stored = sample.formats[0] == code
        even += int(np.count_nonzero(is_even(sample.suspect[tied & stored], FORMATS[code])))
        between = np.flatnonzero(roomy & stored)
        rounded = round_to(mixture[between], FORMATS[code])
        expected += int(np.count_nonzero((rounded > low[between]) & (rounded < high[between])))
    strictly = roomy & (low < sample.suspect) & (sample.suspect < high)
    return (
        int(np.count_nonzero(tied)), even, int(np.count_nonzero(roomy)), int(np.count_nonzero(strictly)), expected,
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
    moved = np.sign(sample.suspect - near)
    found: list[float | None] = []
    for parent in sample.parents:
        way = np.sign(parent - near)
        telling = (way != 0) & (moved != 0)
        count = np.count_nonzero(telling)
        found.append(np.count_nonzero(telling & (way == moved)) / count if count >= MOVED else None)
    return tuple(found)
