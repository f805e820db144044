"""Task vectors of which each element took some and dropped others: their factors, and which took part where.

v = S - B and u_i = P_i - B. Where only model i took part, v / u_i is one number, its factor: the commonest one
beside 0. Names no method.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import DType, Float64
from modelprov.forensics.estimators import interval
from modelprov.forensics.estimators.interval import ElementIntervals
from modelprov.forensics.estimators.simplest_number import simplest_number
from modelprov.forensics.search.methods.whole import Whole

CLEAR = 12.0  # half cells that a change must be long, to be told from none
LEAST = 100  # elements that tell a factor
STEPWISE, SINGLE = 3 * 2.0**-8, 2.0**-21  # what three roundings of a change add to its error, as a share of it
SMALLEST, LARGEST = 0.02, 50.0  # factors
MOST_MODELS = 5
ROUNDED = 2.0**-8  # what rounding weights to bf16 changes, as a share of them
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Factor:
    """A factor and the ends of where it may be."""

    value: float
    low: float
    high: float

    @property
    def typed(self) -> float:
        """The number that a person would have typed."""
        found = simplest_number(self.low, self.high)
        return self.value if found is None else found.value


@dataclass(frozen=True, eq=False)
class Vectors:
    """`value` [n] and `models` [m, n], differences from the base; `half` [n] the wider sides of the cells; float64.

    `rough` is the error of a change that was rounded step by step, as a share of it.
    """

    value: Float64
    models: Float64
    half: Float64
    rough: float

    @staticmethod
    def of(wholes: Sequence[Whole], base: int, models: Sequence[int]) -> Vectors:
        """Those of several tensors, one after the other."""
        pairs = [whole.vectors(base, models) for whole in wholes]
        rough = SINGLE if wholes[0].stored is DType.F32 else STEPWISE
        return Vectors(
            np.concatenate([value for value, _ in pairs]),
            np.concatenate([vectors for _, vectors in pairs], axis=1),
            np.concatenate([whole.wider for whole in wholes]) * (1 + 1e-9),
            rough,
        )

    def take(self, chosen: Mask) -> Vectors:
        """Some elements."""
        return Vectors(self.value[chosen], self.models[:, chosen], self.half[chosen], self.rough)

    @cached_property
    def clear(self) -> Mask:
        """Bool [m, n]: changes long enough to be told from none."""
        found: Mask = np.abs(self.models) > CLEAR * self.half
        return found

    @cached_property
    def zero(self) -> Mask:
        """Bool [n]: the suspect holds the base's number, or one that rounds to it."""
        found: Mask = np.abs(self.value) <= self.half
        return found

    def factor(self, model: int, closely: bool = False) -> Factor | None:
        """The commonest v / u of a model beside 0, from elements long enough to tell; None where there are too few.

        `closely`: elements count by how narrow their cells are.
        """
        usable = self.clear[model] & ~self.zero
        return _commonest(self.models[model, usable], self.value[usable], self.half[usable], self.rough, closely)

    def shares(self, first: int, second: int, scale: float) -> Factor | None:
        """The share p at which v = scale (p u_1 + (1 - p) u_2) most often, where both are long, all others opposed."""
        one, two = self.models[first], self.models[second]
        chosen = self.clear[first] & self.clear[second] & (one * two > 0)
        for other in range(len(self.models)):
            if other not in (first, second):
                chosen = chosen & (self.models[other] * one < 0)
        part = self.take(chosen)
        u, v = scale * (part.models[first] - part.models[second]), part.value - scale * part.models[second]
        error = part.half + self.rough * np.abs(part.value)
        told = (np.abs(u) > CLEAR * part.half) & (np.abs(v) > error) & (np.abs(v - u) > error)
        return _commonest(u[told], v[told], part.half[told], self.rough)


def _commonest(u: Float64, v: Float64, half: Float64, rough: float, closely: bool = False) -> Factor | None:
    """The commonest v / u: the peak of the intervals, and, where single steps were rounded, least squares about it."""
    error = half + rough * np.abs(v)
    with np.errstate(divide="ignore", invalid="ignore"):
        first, second = (v - error) / u, (v + error) / u
    low, high = np.minimum(first, second), np.maximum(first, second)
    inside = (high > SMALLEST) & (low < LARGEST)
    if inside.sum() < LEAST:
        return None
    peak = interval.fit(ElementIntervals(low[inside], high[inside], np.zeros(int(inside.sum()), np.int32)))
    value = float(peak.alpha or 0)
    if rough < STEPWISE:
        return Factor(value, float(peak.low or 0), float(peak.high or 0))
    spread = 0.0
    scale = error if closely else np.ones_like(error)
    for _ in range(3):
        near = np.abs(v - value * u) <= error
        own, whole = u[near] / scale[near], v[near] / scale[near]
        squares = float(own @ own)
        if not squares:
            return None
        value = float(own @ whole) / squares
        spread = float(np.sqrt(np.mean(np.square(whole - value * own)) / squares))
    reach = max(5 * spread, ROUNDED * abs(value))
    return Factor(value, value - reach, value + reach)


@dataclass(frozen=True, eq=False)
class Taken:
    """Which models took part: `fits` bool [2**m, n] for each of `subsets` (bool [2**m, m]), the empty one first.

    `told` [n] are the elements in which every change is long and all subsets are far enough apart to tell which.
    """

    subsets: Mask
    fits: Mask
    told: Mask

    @property
    def explained(self) -> float:
        """Share of the elements that tell which some subset explains."""
        return float(self.fits[:, self.told].any(axis=0).mean()) if self.told.any() else 0.0

    @cached_property
    def kept(self) -> tuple[Mask, Mask]:
        """Bool [m, k], bool [k]: which models took part in the k elements told and explained; those elements of n."""
        usable = self.told & (self.fits.sum(axis=0) == 1)
        which = np.argmax(self.fits[:, usable], axis=0)
        return self.subsets[which].T, usable


def taken(vectors: Vectors, factors: Float64, weights: Float64 | None = None) -> Taken:
    """Which subsets of the models explain each element, with these `factors` [m]; `weights` where sums are divided."""
    m = len(factors)
    subsets = np.array(list(product([False, True], repeat=m)), bool)
    parts = factors[:, None] * vectors.models
    made = []
    for subset in subsets:
        if weights is None or not subset.any():
            made.append(parts[subset].sum(axis=0))
        else:
            made.append((weights[subset, None] * parts[subset]).sum(axis=0) / weights[subset].sum())
    error = vectors.half + vectors.rough * np.abs(parts).sum(axis=0)
    fits = np.stack([np.abs(vectors.value - one) <= error for one in made])
    stacked = np.sort(np.stack(made), axis=0)
    apart = np.diff(stacked, axis=0).min(axis=0) > 2 * error
    return Taken(subsets, fits, vectors.clear.all(axis=0) & apart)
