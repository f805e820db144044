"""The same line read the other way: is a parent the suspect, carried on beyond it? Then neither came first for sure.

"S lies between P1 and P0" also follows from "P1 was made of S and P0 with a weight above 1" (a scaled task vector).
Rounding tells the two apart where it can. What was rounded last lies in its own cells: a merge that was rounded,
carried back, misses its parents' cells, while the mixture of a parent made from S lies near the middle of S's cells,
closer than chance would place it. Where the parent fits too, the order in time is open. Formats are those measured
(`precision.py`), never those declared.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import Float64, rounding_cells
from modelprov.forensics.estimators import interval
from modelprov.forensics.estimators.precision import MANTISSA_BITS
from modelprov.forensics.sampling.sample import Sample
from modelprov.forensics.search.fits import Fits, is_exact, subsample
from modelprov.forensics.thresholds import CENTRED, CENTRED_ELEMENTS, CERTAIN, COVERED, FAR, INFORMATIVE, SCATTERED

ELEMENTS = 200_000
SLACK = 1e-6  # of the values: what the weights' own digits leave open
DEPTHS = (0.25, 0.5, 0.75, 0.9)  # of a cell, where the parent is stored so finely that its own cell says nothing
FINER = 8  # cells of the parent in one of the suspect from which this holds
TOUCHING = 1e-6  # of a cell: on its border
STEPS = 3  # cells between two parents from which the suspect's place between them is a number of its own
DIGITS = 6  # of that place


@dataclass(frozen=True, eq=False)
class _Line:
    """Elements on the line of one parent and the mixture of the others, `weight` of it the parent's, all float64 [m].

    `rest` is the others' part of the mixture, `given` and `cell` the width of the rounding cells of parent and suspect.
    """

    suspect: Float64
    parent: Float64
    rest: Float64
    weight: Float64
    given: Float64
    cell: Float64

    def take(self, chosen: npt.NDArray[np.bool_]) -> _Line:
        if chosen.all():
            return self
        kept = np.flatnonzero(chosen)  # looked for once, not once an array
        return _Line(**{name: values[kept] for name, values in vars(self).items()})

    def place(self, steps: Float64 | float = 0.0) -> Float64:
        """How far the mixture lies from the middle of its own cell, in cells, were the parent `steps` cells further."""
        mixture = self.rest + self.weight * (self.parent + steps * self.given)
        away = np.abs(mixture - self.suspect) / self.cell
        return np.asarray(np.abs(away - np.round(away)), np.float64)


def extrapolated(fits: Fits | None, weights: Float64 | None) -> int | None:
    """The parent (1 ... k) that is an exact continuation of the suspect, as far as its own rounding cells can tell.

    `weights` float64 [strata, k] are those of the recipe or the exact fit, or None. Where the suspect is stored more
    finely than that parent it always fits, as a mixture; there it must also fill the parent's cells, as values do that
    were rounded to them.
    """
    if fits is None:
        return None
    comparable = _comparable(fits.sample)
    parents = range(len(fits.sample.parents))
    for parent in parents:
        if weights is not None and _carried_back(fits, weights, parent, comparable[parent]):
            return parent + 1
    for child in parents:
        for chosen, fill in ((comparable[child], False), (~comparable[child], True)):
            some = subsample(fits.sample.take(chosen), ELEMENTS, 0)
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
    tried = [given for given in (weights, _commonest(fits, weights)) if given is not None]
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
    bits = MANTISSA_BITS[sample.formats]
    return [bits[0] <= bits[parent + 1] for parent in range(len(sample.parents))]


def _line(fits: Fits, by_stratum: Float64, parent: int, chosen: npt.NDArray[np.bool_]) -> _Line:
    """The chosen elements in which the parent has part of the mixture and differs from the others."""
    sample, weights = fits.sample.take(chosen), by_stratum[fits.stratum[chosen]]
    own = weights[:, parent]
    others = [other for other in range(len(sample.parents)) if other != parent]
    rest = sum((weights[:, other] * sample.parents[other] for other in others), np.zeros(sample.elements))
    differs = np.any([sample.parents[other] != sample.parents[parent] for other in others], axis=0)
    lower, upper = rounding_cells(sample.parents[parent], sample.formats[parent + 1])
    whole = _Line(sample.suspect, sample.parents[parent], rest, own, upper - lower, sample.upper - sample.lower)
    return whole.take((own != 0) & (own != 1) & differs)


def _carried_back(fits: Fits, by_stratum: Float64, parent: int, chosen: npt.NDArray[np.bool_]) -> bool:
    """Whether (S - sum of the others) / weight lies in the parent's cell wherever it has part of a mixture."""
    line = _line(fits, by_stratum, parent, chosen)
    line = line.take((line.weight > 0) & (line.weight < 1))
    if line.suspect.size < INFORMATIVE:
        return False
    made = (line.suspect - line.rest) / line.weight
    slack = SLACK * (np.abs(line.parent) + np.abs(made))
    return float((np.abs(made - line.parent) <= line.given / 2 + slack).mean()) >= COVERED


def _nearer(fits: Fits, by_stratum: Float64, parent: int, chosen: npt.NDArray[np.bool_], seed: int) -> float:
    """Share of the elements in the middle of their cells beyond what chance puts there, 0 where that is not certain.

    Chance is measured: the same elements with the parent moved by a few of its own cells, about one of the suspect's.
    """
    line = _line(fits, by_stratum, parent, chosen)
    apart = np.abs(line.parent - line.rest / (1 - line.weight))
    line = line.take(np.minimum(np.abs(line.weight), np.abs(1 - line.weight)) * apart >= FAR * line.cell)
    elements = line.suspect.size
    if elements < CENTRED_ELEMENTS:
        return 0.0
    own = np.abs(line.weight) * line.given / line.cell  # the parent's cell, seen in the suspect's
    reach = np.maximum(1, np.round(1 / own))
    rng = np.random.default_rng(seed)
    steps = np.ceil(rng.random(elements) * reach) * rng.choice([-1.0, 1.0], elements)
    found, moved = line.place(), line.place(steps)
    depths = [own / 2, *(np.full(elements, depth / 2) for depth in DEPTHS if float(np.median(reach)) >= FINER)]
    best = 0.0
    for depth in depths:
        inside, chance = float(_within(found, depth).mean()), float(_within(moved, depth).mean())
        error = CERTAIN * np.sqrt(max(chance * (1 - chance), 0.25 / elements) * 2 / elements)
        if inside - chance > error:
            best = max(best, (inside - chance) / (1 - chance))
    return best


def _within(place: Float64, depth: Float64) -> Float64:
    """1 inside the depth, a half on its border, where rounding goes either way, 0 beyond."""
    return np.where(np.abs(place - depth) <= TOUCHING, 0.5, (place < depth).astype(np.float64))


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
