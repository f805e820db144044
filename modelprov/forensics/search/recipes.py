"""Finds candidate recipes from the sample, and counts how many sampled bits each reproduces. Judges nothing.

Weights come from the rounding intervals where those have a common point (per group of strata if need be), from the
likelihood otherwise; every arithmetic of `recipes/arithmetics.py` that applies is tried. The sweep then counts the best
few on every element.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import DType, present
from modelprov.forensics.sampling.sample import Sample, drawn
from modelprov.forensics.search.weighted_sum import WeightedSum, distinct
from modelprov.forensics.thresholds import TIED
from modelprov.native import native
from modelprov.native.functions import SameBits
from modelprov.recipes.arithmetics import evaluate

TRIED = 40_000  # sampled elements for the grid over weights
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
