"""Survivors of a random mask computed again to the bit, as known programs round them. Counts; judges nothing.

Where only model i was kept, the suspect holds

    S = r(B + c),   c = q(w_i q(E_i q(P_i - B)))   [and q(c / w_i) where sums are divided by the weights]

with r the rounding to the stored format and q to the format that is computed in: that one, step by step, or float32.
E_i, the enlargement, is one number for the whole tensor that the mask fixes. It is not known, as not every element
tells whether it was kept; it is found where most bits come out. Formulas as in `recipes/methods` (`sparsify`,
`combining`). A program that rounds otherwise gives other bits, as does whoever trained on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import DType, Float64
from modelprov.forensics.search.methods.masked import explained_by
from modelprov.forensics.search.methods.subsets import Mask
from modelprov.forensics.search.methods.whole import Float32, Whole
from modelprov.forensics.thresholds import MASKED, REMADE, SURVIVORS
from modelprov.recipes.methods.steps import FLOAT32, Steps

FINE = 2.0**-6  # a cell, as a share of the change, up to which a bit tells a few parts in a thousand of the change
SOME, MANY, ENOUGH = 16, 4096, 20_000  # survivors of a model: that a tensor must have, that are counted in it, in all
FEW, SORTING = 256, 1024  # with which weights are sorted out, of a tensor and in all
WITHIN = 0.06  # that an estimated weight may be off
SCANS = ((2.0**-6, 256), (2.0**-12, 64), (2.0**-16, 64))  # how far E may be off, as a share, and the points tried
CLOSELY = 3  # weights that are looked at closely
TYPED = np.unique(np.concatenate([np.arange(1, 401) / 200, np.arange(1, 12) / 12]))  # weights that people type


@dataclass(frozen=True, eq=False)
class Survivors:
    """Elements of a tensor in which one model alone was kept: its and the base's numbers, the suspect's; float32 [k].

    `factor` is about the one of the whole change; `format` is what the suspect is stored in.
    """

    parent: Float32
    base: Float32
    suspect: Float32
    factor: float
    format: DType

    def first(self, count: int) -> Survivors:
        """Some of them."""
        return Survivors(self.parent[:count], self.base[:count], self.suspect[:count], self.factor, self.format)


@dataclass(frozen=True)
class Program:
    """How c is computed: the steps, the weight, and whether sums are divided by it."""

    step: Steps
    weight: float
    divided: bool

    def closest(self, of: Survivors) -> int:
        """How many bits come out with the best enlargement."""
        at, _ = self.scan(of.first(FEW), self.start(of), *SCANS[0])
        for within, points in SCANS[1:]:
            at, equal = self.scan(of, at, within, points)
        return equal

    def start(self, of: Survivors) -> float:
        """About the enlargement."""
        return of.factor if self.divided else of.factor / self.weight

    def scan(self, of: Survivors, at: float, within: float, points: int) -> tuple[float, int]:
        """The enlargement near `at` with which most bits come out (the middle of these), and how many."""
        tried = (at * (1 + np.linspace(-within, within, points + 1))).astype(np.float32)
        hits = np.concatenate([self._equal(of, part) for part in np.array_split(tried, 8)])
        best = np.flatnonzero(hits == hits.max())
        return float(tried[best[len(best) // 2]]), int(hits.max())

    def _equal(self, of: Survivors, enlarged: Float32) -> npt.NDArray[np.int64]:
        """How many bits come out, for each enlargement [g]."""
        step, weight = self.step, np.float32(self.weight)
        base = step(of.base)
        change = step(step(enlarged[:, None] * step(step(of.parent) - base)) * weight)
        if self.divided:
            change = step(change / weight)
        stored = Steps(np.float32, of.format)
        return np.asarray((stored(base + change) == of.suspect).sum(axis=1), np.int64)


@dataclass
class Gathered:
    """Survivors of one model by tensor, and how many elements beside them no mask explains."""

    tensors: list[Survivors] = field(default_factory=list)
    unexplained: int = 0

    @property
    def count(self) -> int:
        """Survivors in all."""
        return sum(len(of.suspect) for of in self.tensors)


@dataclass(frozen=True)
class Remade:
    """Of `told` elements, whose bits tell, `equal` come out: those of the model of which the smallest share does."""

    told: int
    equal: int

    @property
    def share(self) -> float:
        """Share that comes out, 0 of none."""
        return self.equal / self.told if self.told else 0.0

    @property
    def computed(self) -> bool:
        """Whether a known program computed them, as enough of their bits say."""
        return self.told >= SURVIVORS and self.share >= REMADE


def remade(wholes: Iterable[Whole], base: int, models: tuple[int, ...], weights: Float64) -> Remade:
    """The survivors of each model, computed again; `weights` [m] are about the models'."""
    gathered = gather(wholes, base, models)
    return min((_remade(own, near) for own, near in zip(gathered, weights.tolist(), strict=True)), key=_of_fewest)


def _of_fewest(found: Remade) -> tuple[float, int]:
    return found.share, found.told


def gather(wholes: Iterable[Whole], base: int, models: tuple[int, ...]) -> list[Gathered]:
    """The survivors of each model, of tensors that a mask explains, until there are enough of each."""
    gathered = [Gathered() for _ in models]
    for whole in wholes:
        explained = explained_by(whole, base, models)
        if explained is None or explained[3].explained < MASKED:
            continue
        vectors, factors, _, seen = explained
        fine: Mask = seen.told & ~vectors.zero & (2 * vectors.half <= FINE * np.abs(vectors.value))
        unexplained = int((fine & ~seen.fits.any(axis=0)).sum())
        for place, model in enumerate(models):
            alone = (seen.subsets.sum(axis=1) == 1) & seen.subsets[:, place]
            chosen = np.flatnonzero(fine & (seen.fits.sum(axis=0) == 1) & seen.fits[alone][0])[:MANY]
            if len(chosen) < SOME:
                continue
            parent, origin, own = whole.parents[model], whole.parents[base], gathered[place]
            own.tensors.append(
                Survivors(parent[chosen], origin[chosen], whole.suspect[chosen], float(factors[place]), whole.stored)
            )
            own.unexplained += unexplained
        if all(own.count >= ENOUGH for own in gathered):
            break
    return gathered


def _remade(gathered: Gathered, near: float) -> Remade:
    """What comes out of one model's survivors by the best program with a weight `near` this."""
    few = [of.first(FEW) for of in gathered.tensors][: SORTING // SOME]
    while len(few) > 1 and sum(len(of.suspect) for of in few) > SORTING:
        few.pop()

    def roughly(program: Program) -> int:
        return sum(program.scan(of, program.start(of), *SCANS[0])[1] for of in few)

    ranked = sorted(_programs(near, gathered.tensors), key=roughly, reverse=True)
    equal = [sum(program.closest(of) for of in gathered.tensors) for program in ranked[:CLOSELY]]
    return Remade(gathered.count + gathered.unexplained, max(equal))


def _programs(near: float, tensors: Sequence[Survivors]) -> Iterator[Program]:
    """In float32, where a weight is part of the factor; in the stored format with each weight that people type.

    Where sums are divided by the weights, any weight gives the same factor, and those of one mantissa the same bits.
    """
    yield Program(FLOAT32, 1.0, False)
    for stored in {of.format for of in tensors}:
        step = Steps(np.float32, stored)
        weights = step(TYPED)
        for weight in np.unique(weights[np.abs(TYPED / near - 1) <= WITHIN]).tolist():
            yield Program(step, weight, False)
        if abs(near - 1) <= WITHIN:
            mantissas = np.frexp(weights)[0]
            for weight in np.unique(mantissas[mantissas > 0.5]).tolist():
                yield Program(step, weight, True)
