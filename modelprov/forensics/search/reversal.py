"""The same line read the other way: is a parent the suspect, carried on beyond it? Then neither came first for sure.

"S lies between P1 and P0" also follows from "P1 was made of S and P0 with a weight above 1" (a scaled task vector).
Rounding tells the two apart where it can. What was rounded last lies in its own cells: a merge that was rounded,
carried back, misses its parents' cells, while the mixture of a parent made from S lies near the middle of S's cells,
closer than chance would place it. Where the parent fits too, the order in time is open. Formats are those measured
(`precision.py`), never those declared.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import PIECE, Float64, rounding_cells
from modelprov.forensics.estimators import interval
from modelprov.forensics.estimators.centring import Line, nearer
from modelprov.forensics.estimators.precision import bits_of, short
from modelprov.forensics.sampling.sample import Sample
from modelprov.forensics.search.fewer import of_parents, used
from modelprov.forensics.search.fits import Fits, is_exact, subsample
from modelprov.forensics.thresholds import CENTRED, COVERED, FAR, INFORMATIVE, SCATTERED

ELEMENTS = 200_000
SLACK = 1e-6  # of the values: what the weights' own digits leave open
STEPS = 3  # cells between two parents from which the suspect's place between them is a number of its own
DIGITS = 6  # of that place


def turned(fits: Fits, weights: Float64, seed: int) -> int | None:
    """The parent (1 ... k) for which a recipe that gives every bit tells nothing; only those with a weight are asked.

    What else was given cannot have been needed for it: whoever makes one more file from the suspect changes nothing.
    """
    parents = used(weights)
    if len(parents) < 2:
        return None
    part, own = of_parents(fits, parents), weights[:, list(parents)]
    found = extrapolated(part, own) if short(fits.sample) else None
    found = centred(part, own, seed) if found is None else found
    return None if found is None else parents[found - 1] + 1


def beside(fits: Fits, weights: Float64) -> int | None:
    """The parent (1 ... k) without a weight that is exactly the suspect carried on beyond another argument.

    That other may fit as well, carried on beyond this one: the one with finer numbers is named.
    """
    none = [parent for parent in range(weights.shape[1]) if parent not in used(weights)]
    none.sort(key=lambda parent: -float(bits_of(fits.sample.formats[parent + 1]).mean()))
    return extrapolated(fits, None, none) if none else None


def extrapolated(fits: Fits | None, weights: Float64 | None, children: Sequence[int] | None = None) -> int | None:
    """The parent (1 ... k) that is an exact continuation of the suspect, as far as its own rounding cells can tell.

    `weights` float64 [strata, k] are those of the recipe or the exact fit, or None. Where the suspect is stored more
    finely than that parent it always fits, as a mixture; there it must also fill the parent's cells, as values do that
    were rounded to them. `children` (0 ...) are the parents asked, all without.
    """
    if fits is None:
        return None
    comparable = _comparable(fits.sample)
    parents = range(len(fits.sample.parents))
    for parent in parents:
        if weights is not None and _carried_back(fits, weights, parent, comparable[parent]):
            return parent + 1
    drawn: dict[bytes, Sample] = {}  # parents in the same formats ask the same elements
    for child in parents if children is None else children:
        for chosen, fill in ((comparable[child], False), (~comparable[child], True)):
            if int(np.count_nonzero(chosen)) < INFORMATIVE:
                continue
            key = np.packbits(chosen).tobytes()
            some = drawn.get(key) or drawn.setdefault(key, subsample(fits.sample.take(chosen), ELEMENTS, 0))
            if any(_beyond(some, child, third, fill) for third in parents if third != child):
                return child + 1
    return None


def centred(fits: Fits | None, weights: Float64 | None, seed: int) -> int | None:
    """The parent (1 ... k) whose mixture lies nearer the middle of the suspect's cells than rounding a mixture puts it.

    A mixture of parents that came first falls anywhere in the cell that it is rounded to. Where a parent was made from
    the suspect, to its own rounding or with a little noise, the mixture falls back near the suspect. Looked for at
    `weights`, as `extrapolated` has them, and where most elements of the suspect lie between two parents. None where
    too few elements lie far enough from both ends.
    """
    if fits is None:
        return None
    comparable = _comparable(fits.sample)
    commonest = _commonest(fits, weights)
    if weights is not None and commonest is not None and (weights == commonest[0]).all():
        commonest = None  # the same once more
    tried = [given for given in (weights, commonest) if given is not None]
    found = [
        max((_nearer(fits, given, parent, comparable[parent], seed) for given in tried), default=0.0)
        for parent in range(len(fits.sample.parents))
    ]
    best = int(np.argmax(found))
    return best + 1 if found[best] >= CENTRED else None


def _commonest(fits: Fits, weights: Float64 | None) -> Float64 | None:
    """The commonest place of the suspect between two parents, as weights float64 [strata, k].

    Of more than two parents those count that have most of `weights`; None without any.
    """
    sample, k = fits.sample, len(fits.sample.parents)
    if k > 2 and weights is None:
        return None
    first, second = range(2) if k == 2 or weights is None else np.argsort(-np.abs(weights).mean(axis=0))[:2]
    apart, moved = (row - sample.parents[second] for row in (sample.parents[first], sample.suspect))
    far = np.abs(apart) >= STEPS * (sample.upper - sample.lower)
    places = np.round(moved[far] / apart[far], DIGITS)
    places, counts = np.unique(places[(places > 0) & (places < 1)], return_counts=True)
    if not places.size:
        return None
    place = float(places[np.argmax(counts)])
    found = np.zeros((int(fits.stratum.max()) + 1, k))
    found[:, first], found[:, second] = place, 1 - place
    return found


def _comparable(sample: Sample) -> list[npt.NDArray[np.bool_]]:
    """For each parent, where the suspect is not stored more finely than it."""
    bits = [bits_of(codes) for codes in sample.formats]
    return [bits[0] <= bits[parent + 1] for parent in range(len(sample.parents))]


def _line(fits: Fits, by_stratum: Float64, parent: int, chosen: npt.NDArray[np.bool_], far: bool) -> Line:
    """The chosen elements in which the parent has part of the mixture and differs from the others.

    With `far` those that lie far enough from both ends of the line, else those between the ends.
    """
    sample, stratum = fits.sample, fits.stratum
    theirs, others = sample.parents[parent], [each for each in range(len(sample.parents)) if each != parent]
    own = by_stratum[:, parent]
    allowed = (own != 0) & (own != 1) if far else (own > 0) & (own < 1)
    found, left = [np.zeros(0, np.int64)], [np.zeros(0)]
    for start in range(0, sample.elements, PIECE):
        part = slice(start, start + PIECE)
        places, mine = stratum[part], theirs[part]
        rest, differs = np.zeros(mine.size), np.zeros(mine.size, np.bool_)
        for other in others:
            rest += _of_places(by_stratum[:, other], places) * sample.parents[other, part]
            differs |= sample.parents[other, part] != mine
        kept = chosen[part] & _of_places(allowed, places) & differs
        if far:
            weight = _of_places(own, places)
            with np.errstate(divide="ignore", invalid="ignore"):  # a weight of 1 is left out
                apart = np.abs(mine - rest / (1 - weight))
                reach = np.minimum(np.abs(weight), np.abs(1 - weight)) * apart
                kept &= reach >= FAR * (sample.upper[part] - sample.lower[part])
        inside = np.flatnonzero(kept)
        found.append(start + inside)
        left.append(rest[inside])
    rows = np.concatenate(found)
    theirs = theirs[rows]
    lower, upper = rounding_cells(theirs, sample.formats[parent + 1][rows])
    cell = sample.upper[rows] - sample.lower[rows]
    weight = _of_places(own, stratum[rows])
    return Line(sample.suspect[rows], theirs, np.concatenate(left), weight, upper - lower, cell)


def _of_places(by_stratum: npt.NDArray[Any], places: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """`by_stratum[places]`; where all strata have the same no place is looked up."""
    if (by_stratum == by_stratum[0]).all():
        return np.broadcast_to(by_stratum[0], places.shape)
    return by_stratum[places]


def _carried_back(fits: Fits, by_stratum: Float64, parent: int, chosen: npt.NDArray[np.bool_]) -> bool:
    """Whether (S - sum of the others) / weight lies in the parent's cell wherever it has part of a mixture."""
    line = _line(fits, by_stratum, parent, chosen, far=False)
    if line.suspect.size < INFORMATIVE:
        return False
    made = (line.suspect - line.rest) / line.weight
    slack = SLACK * (np.abs(line.parent) + np.abs(made))
    return float((np.abs(made - line.parent) <= line.given / 2 + slack).mean()) >= COVERED


def _nearer(fits: Fits, by_stratum: Float64, parent: int, chosen: npt.NDArray[np.bool_], seed: int) -> float:
    """Share of the elements far enough from both ends that lie nearer the middle of their cells than by chance."""
    return nearer(_line(fits, by_stratum, parent, chosen, far=True), seed)


def _beyond(sample: Sample, child: int, third: int, fill: bool) -> bool:
    """Whether one weight of the suspect above 1 puts the child into all its cells, with `third` as the other end.

    With `fill` what it puts there must also be scattered over the cells.
    """
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
    if not is_exact(peak) or peak.alpha is None or peak.low is None or peak.low <= 1:
        return False
    if not fill:
        return True
    moved = swapped.take(swapped.deltas[0] != 0)
    made = moved.parents[1] + peak.alpha * moved.deltas[0]
    inner = np.abs(made - moved.suspect) <= (moved.upper - moved.lower) / 4
    return float(inner.mean()) <= SCATTERED
