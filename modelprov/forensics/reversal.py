"""The same line read the other way: is a parent the suspect, carried on beyond it? Then neither came first for sure.

"S lies between P1 and P0" also follows from "P1 was made of S and P0 with a weight above 1" (a scaled task vector).
Rounding tells the two apart where it can: what was rounded last lies in its own cells, and a merge rounded to 16 bits,
carried back, misses its parents' cells. Where the parent fits too, the order in time is open.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.dtypes import DType, Float64
from modelprov.forensics import interval
from modelprov.forensics.fits import COVERED, INFORMATIVE, Fits, is_exact, subsample
from modelprov.forensics.sample import Sample

ELEMENTS = 200_000
SLACK = 1e-6  # of the values: what the weights' own digits leave open
MANTISSA_BITS = np.array([dtype.mantissa_bits for dtype in DType])  # by the codes of `Sample.formats`


def extrapolated(fits: Fits | None, weights: Float64 | None) -> int | None:
    """The parent (1 ... k) that is an exact continuation of the suspect, as far as its own rounding cells can tell.

    `weights` float64 [strata, k] are those of the recipe or the exact fit, or None. Only elements count in which the
    suspect is not stored more finely than that parent: a finer suspect that fits could not have come before it.
    """
    if fits is None:
        return None
    bits = MANTISSA_BITS[fits.sample.formats]
    parents = range(len(fits.sample.parents))
    comparable = [bits[0] <= bits[parent + 1] for parent in parents]
    for parent in parents:
        if weights is not None and _carried_back(fits, weights, parent, comparable[parent]):
            return parent + 1
    for child in parents:
        some = subsample(fits.sample.take(comparable[child]), ELEMENTS, 0)
        if any(_beyond(some, child, third) for third in parents if third != child):
            return child + 1
    return None


def short(fits: Fits | None) -> bool:
    """Whether most of the suspect is stored in 16 bits, where every fit of a mixture allows both directions."""
    if fits is None:
        return True
    return bool((MANTISSA_BITS[fits.sample.formats[0]] < DType.F32.mantissa_bits).mean() > 0.5)


def _carried_back(fits: Fits, by_stratum: Float64, parent: int, chosen: npt.NDArray[np.bool_]) -> bool:
    """Whether (S - sum of the others) / weight lies in the parent's cell wherever it has part of a mixture."""
    sample, weights = fits.sample.take(chosen), by_stratum[fits.stratum[chosen]]
    own = weights[:, parent]
    mixed = (own > 0) & (own < 1)
    others = [one for one in range(len(sample.parents)) if one != parent]
    rest = sum((weights[:, one] * sample.parents[one] for one in others), np.zeros(sample.elements))
    differs = mixed & (np.any([sample.parents[one] != sample.parents[parent] for one in others], axis=0))
    if int(differs.sum()) < INFORMATIVE:
        return False
    swapped = sample.with_roles(parent + 1).take(differs)
    made = (sample.suspect - rest)[differs] / own[differs]
    slack = SLACK * (np.abs(swapped.suspect) + np.abs(made))
    inside: npt.NDArray[np.bool_] = (swapped.lower - slack <= made) & (made <= swapped.upper + slack)
    return float(inside.mean()) >= COVERED


def _beyond(sample: Sample, child: int, third: int) -> bool:
    """Whether one weight of the suspect above 1 puts the child into all its cells, with `third` as the other end."""
    if sample.elements < INFORMATIVE:
        return False
    pair = Sample(
        sample.suspect, sample.lower, sample.upper, sample.parents[[child, third]], sample.group,
        sample.formats[[0, child + 1, third + 1]],
    )  # fmt: skip
    swapped = pair.with_roles(1)
    alike = pair.suspect == pair.parents[1]
    if alike.any() and float((pair.parents[0][alike] == pair.parents[1][alike]).mean()) < COVERED:
        return False
    peak = interval.fit(interval.element_intervals(swapped))
    return is_exact(peak) and peak.low is not None and peak.low > 1
