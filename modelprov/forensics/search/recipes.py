"""Finds candidate recipes from the sample, and counts how many sampled bits each reproduces. Judges nothing.

Weights come from the rounding intervals where those have a common point (per group of strata if need be), from the
likelihood otherwise; every arithmetic of `recipes/arithmetics.py` that applies is tried. The sweep then counts the best
few on every element.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations, product

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import DType, present
from modelprov.forensics.sampling.sample import Sample, drawn
from modelprov.forensics.search.weighted_sum import WeightedSum, distinct
from modelprov.forensics.thresholds import TIED
from modelprov.native import native
from modelprov.native.functions import SameBits
from modelprov.recipes.arithmetics import DESCRIPTIONS, EVERY_STEP, OF_TWO, Arithmetic, evaluate

TRIED = 40_000  # sampled elements for the grid over weights
TYPED = (*(number / 20 for number in range(1, 20)), 0.333, 0.667, 1 / 3, 2 / 3)  # weights that people type
SLIGHTEST = 0.05  # weight that rounding may give to a parent that has none
GLANCE = 1 << 10  # elements that exclude most weights, where so many times as many are there:
MANY_GLANCES = 16
KEPT = 3  # recipes that are reported, runners-up included
Float64 = npt.NDArray[np.float64]
_Part = tuple[int, npt.NDArray[np.float32], npt.NDArray[np.uint32], npt.NDArray[np.int64]]


@dataclass(frozen=True, eq=False)
class Scored:
    """A recipe and the share of the sampled `elements` whose bits it reproduces, 0 to 1.

    `low`, `high` float64 [strata, k - 1]: the weights beside the reference's that give the same bits (`same_bits.py`),
    in the strata that the recipe explains, `explained` bool [strata].
    """

    recipe: WeightedSum
    share: float
    elements: int
    low: Float64 | None = None
    high: Float64 | None = None
    explained: npt.NDArray[np.bool_] | None = None


class Bits:
    """Elements, by the suspect's format, whose bits a weighted sum may give: `parts` of (code, parents, bits, stratum).

    Parents are float32 [k, m], the suspect's bits uint32 [m], strata int64 [m].
    """

    def __init__(self, parts: Sequence[_Part]) -> None:
        self._parts = parts
        self.elements = sum(len(suspect) for _, _, suspect, _ in parts)

    @cached_property
    def _counters(self) -> list[SameBits] | None:
        """Of each part what counts the elements that come out, in C; None where numba has to do."""
        library = native()
        if library is None:
            return None
        parts = ((code, np.ascontiguousarray(parents), suspect) for code, parents, suspect, _ in self._parts)
        return [library.same_bits(*part) for part in parts]

    def count(self, arithmetic: int, order: npt.NDArray[np.int64], weights: Float64, least: int = 0) -> int:
        """How many come out with one row of weights, float64 [k]; 0 where fewer than `least` surely do.

        Asked thousands of times, mostly of what a look at a few elements excludes.
        """
        spare = self.elements - least
        if self._counters is not None:
            equal = 0
            for counter in self._counters:
                found = counter.count(arithmetic, weights, order, spare)
                if found < 0:
                    return 0
                spare -= counter.elements - found
                equal += found
            return equal
        if any(
            GLANCE - _count(arithmetic, order, weights, parents[:, :GLANCE], suspect[:GLANCE], code) > spare
            for code, parents, suspect, _ in self._parts
            if len(suspect) > MANY_GLANCES * GLANCE
        ):
            return 0
        parts = self._parts
        return sum(_count(arithmetic, order, weights, parents, suspect, code) for code, parents, suspect, _ in parts)

    @property
    def counter(self) -> SameBits | None:
        """What counts them in C, where they are all in one format; else None."""
        return self._counters[0] if self._counters is not None and len(self._counters) == 1 else None

    def of_elements(self, members: npt.NDArray[np.int64]) -> Bits | None:
        """Some of the elements by their places; None where they are in several formats."""
        if len(self._parts) != 1:
            return None
        code, parents, suspect, stratum = self._parts[0]
        return Bits([(code, parents.take(members, axis=1), suspect[members], stratum[members])])


class Scorer(Bits):
    """Counts sampled elements that a recipe reproduces bit for bit; `stratum` int64 [n] of each element.

    Elements stored as F64 are left out: no known merging program computes beyond float64 and stores it.
    """

    def __init__(self, sample: Sample, stratum: npt.NDArray[np.int64]) -> None:
        self.sample, self.stratum = sample, stratum
        self._few: dict[tuple[int, int], Bits] = {}
        usable = (sample.formats != DType.F64.code).all(axis=0)
        parts: list[_Part] = []
        for code in present(sample.formats[0]):
            chosen = usable & (sample.formats[0] == code)
            if chosen.any():
                own = slice(None) if chosen.all() else np.flatnonzero(chosen)
                parents = np.ascontiguousarray(sample.parents[:, own].astype(np.float32))
                suspect = sample.suspect[own].astype(np.float32).view(np.uint32)
                parts.append((code, parents, suspect, stratum[own]))
        super().__init__(parts)

    def share(self, recipe: WeightedSum) -> float:
        """Share of the sampled elements whose bits come out, 0 to 1."""
        equal = sum(np.count_nonzero(same) for _, same in self._equal(recipe))
        return float(equal / max(self.elements, 1))

    def of_elements(self, members: npt.NDArray[np.int64]) -> Bits:
        """Some of the sampled elements by their places, int64 [m]."""
        found = super().of_elements(members) if self.elements == self.sample.elements else None
        return Scorer(self.sample.take(members), self.stratum[members]) if found is None else found

    def by_stratum(self, recipe: WeightedSum) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Sampled elements, and those whose bits come out, int64 [strata] each."""
        strata = len(recipe.weights)
        elements, equal = np.zeros(strata, np.int64), np.zeros(strata, np.int64)
        for stratum, same in self._equal(recipe):
            elements += np.bincount(stratum, minlength=strata)
            equal += np.bincount(stratum[same], minlength=strata)
        return elements, equal

    def _equal(self, recipe: WeightedSum) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]]:
        """The stratum of each element, and whether its bits come out, part by part."""
        order = recipe.steps
        rows, which = distinct(recipe.weights)
        for code, parents, suspect, stratum in self._parts:
            row = stratum if len(rows) == 1 else which[stratum]
            for number, weights in enumerate(np.ascontiguousarray(rows)):
                part = slice(None) if len(rows) == 1 else np.flatnonzero(row == number)
                own, expected = np.ascontiguousarray(parents[:, part]), suspect[part]
                out = np.empty(len(expected), np.float32)
                evaluate(int(recipe.arithmetic), own, weights, order, code, out)
                yield stratum[part], out.view(np.uint32) == expected

    def scored(self, recipes: Iterable[WeightedSum]) -> list[Scored]:
        """Score recipes, best first."""
        found = (Scored(recipe, self.share(recipe), self.elements) for recipe in recipes)
        return sorted(found, key=lambda one: -one.share)

    def of_strata(self, strata: npt.NDArray[np.bool_]) -> Scorer:
        """The same over the elements of some strata, a mask [strata]."""
        if strata.all():
            return self
        chosen = strata[self.stratum]
        return self if chosen.all() else Scorer(self.sample.take(chosen), self.stratum[chosen])

    def smaller(self, elements: int, seed: int) -> Scorer:
        """The same over a part of the sample, for a first look."""
        size = self.sample.elements
        if size <= elements:
            return self
        part = drawn(size, elements, seed)
        return Scorer(self.sample.take(part), self.stratum[part])

    def few(self, elements: int, seed: int) -> Bits:
        """The same elements as those of `smaller`, to count alone; kept, since every recipe is looked at there."""
        if self.sample.elements <= elements:
            return self
        if (elements, seed) not in self._few:
            self._few[elements, seed] = self.of_elements(drawn(self.sample.elements, elements, seed))
        return self._few[elements, seed]


def _count(
    arithmetic: int, order: npt.NDArray[np.int64], weights: Float64, parents: npt.NDArray[np.float32],
    suspect: npt.NDArray[np.uint32], code: int,
) -> int:  # fmt: skip
    """How many elements of one format come out, with one row of weights."""
    out = np.empty(len(suspect), np.float32)
    evaluate(arithmetic, parents, weights, order, code, out)
    return int(np.count_nonzero(out.view(np.uint32) == suspect))


def arithmetics_of(weights: Float64) -> list[WeightedSum]:
    """List every arithmetic, and order of the parents where that shows, for `weights` float64 [strata, k]."""
    k = weights.shape[1]
    return [
        WeightedSum(arithmetic, order, weights)
        for arithmetic in DESCRIPTIONS
        if k == 2 or arithmetic not in OF_TWO
        for order in _orders(arithmetic, k)
    ]


def _orders(arithmetic: Arithmetic, k: int) -> list[tuple[int, ...]]:
    """Orders of k parents in which an arithmetic may give different bits, the natural one first; of many parents two.

    A sum of two rounded numbers has none; the reference of differences is not added.
    """
    natural = tuple(range(k))
    of_many = (Arithmetic.FLOAT32, Arithmetic.TORCH_SUM, Arithmetic.TORCH_DELTA)
    if not (DESCRIPTIONS[arithmetic].ordered or (k > 2 and arithmetic in of_many)):
        return [natural]
    orders = list(permutations(natural)) if k <= 3 else [natural, natural[::-1]]
    if k == 3 and arithmetic is Arithmetic.TORCH_SUM:
        return [order for order in orders if order[0] < order[1]]
    if k == 3 and arithmetic is Arithmetic.TORCH_DELTA:
        return [order for order in orders if order[-1] == k - 1]
    return orders


def round_weights(near: Float64, strata: int) -> list[WeightedSum]:
    """List round weights near `near` float64 [k] in arithmetics that round every step, which hides the exact weight.

    Parents of almost no weight are tried with none: a base that is named beside what was merged. Of two that are left:
    what people type (twentieths, thirds), all multiples of 0.001 within 0.02 and of 0.01 within 0.1. Of three: those
    of 0.01 within 0.04. Of more: each coefficient rounded to two digits.
    """
    choices: dict[tuple[float, ...], None] = {}
    for left in {tuple(np.flatnonzero(np.abs(near) > slight).tolist()) for slight in (0.0, SLIGHTEST)}:
        if len(left) < 2:
            continue
        total = near[list(left)].sum()
        if total == 0:  # as of a difference: nothing that adds up to one
            continue
        for values in _round_values(near[list(left)] / total):
            weights = np.zeros(len(near))
            weights[list(left)] = values
            choices[tuple(weights.tolist())] = None
    return [
        WeightedSum(arithmetic, order, np.tile(weights, (strata, 1)))
        for weights in choices
        for arithmetic in EVERY_STEP
        for order in _orders(arithmetic, len(near))
    ]


def _round_values(near: Float64) -> Iterator[Float64]:
    """Round weights near `near` float64 [2 or more], which add to 1."""
    if len(near) == 2:
        alpha = float(near[0])
        fine = np.round(alpha, 3) + np.arange(-20, 21) / 1000
        coarse = np.round(alpha, 2) + np.arange(-10, 11) / 100
        values = sorted(set(np.round([*fine, *coarse, *TYPED], 6).tolist()))
        free = np.array([[value] for value in values if 0 < value < 1])
    elif len(near) == 3:
        around = np.arange(-4, 5) / 100
        free = np.round(near[:-1], 2) + np.array(list(product(around, around)))
    else:
        free = np.round(near[None, :-1], 2)
    for row in np.round(free, 6):
        yield np.append(row, round(1 - float(row.sum()), 6))


def keep_best(found: list[Scored]) -> list[Scored]:
    """The recipes worth counting on every element: the best and its runners-up, each weighting-arithmetic once."""
    ranked = sorted(found, key=lambda one: -one.share)
    kept: list[Scored] = []
    for one in ranked:
        same = any(
            one.recipe.arithmetic is other.recipe.arithmetic and one.recipe.order == other.recipe.order
            and np.array_equal(one.recipe.weights, other.recipe.weights)
            for other in kept
        )  # fmt: skip
        if not same:
            kept.append(one)
        if len(kept) == KEPT:
            break
    return kept


def tied(candidates: Sequence[Scored]) -> int:
    """Count the leading candidates, best first, that the sample cannot tell from the best: the sweep counts those."""
    return sum(one.share >= candidates[0].share - TIED for one in candidates) if candidates else 0
