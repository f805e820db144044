"""Whether the suspect keeps how a merging program rounds, where more was done afterwards. Counts; judges nothing.

A program that rounds step by step in 16 bits often leaves another number than the mixture rounded once, at places that
the parents' bits alone decide. Whoever never computed with those parents holds the nearer number there at least as
often; what was merged so, and trained since by less than a step in some weights, holds the program's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modelprov.checkpoints.formats.dtypes import FORMATS, DType, Float64, present, round_to
from modelprov.forensics.search.fits import Fits
from modelprov.forensics.search.weighted_sum import WeightedSum
from modelprov.forensics.thresholds import INTERIOR
from modelprov.recipes.arithmetics import evaluate

STEPS = frozenset({DType.BF16.code, DType.F16.code})


@dataclass(frozen=True, slots=True)
class Trace:
    """Of the sampled elements in which the recipe, the mixture rounded once and all parents differ: who holds whose.

    `kept` hold the recipe's number, `nearest` that of the mixture. `beside` is the root mean square of what the suspect
    has beyond the recipe, in units of the weights, and `relative` the same over the parents' distance.
    """

    kept: int
    nearest: int
    beside: float
    relative: float | None

    @property
    def telling(self) -> int:
        """Elements that hold either."""
        return self.kept + self.nearest


def trace(fits: Fits | None, recipe: WeightedSum | None) -> Trace | None:
    """Count for a recipe that mixes at least two parents in the same way everywhere; None for any other."""
    if fits is None or recipe is None or recipe.pieces > 1:
        return None
    weights = np.ascontiguousarray(recipe.weights[0])
    sample = fits.sample
    if weights.min() < 0 or weights.max() > INTERIOR or not set(present(sample.formats)) <= STEPS:
        return None
    mixture = weights @ sample.parents
    computed, rounded = np.empty(sample.elements), np.empty(sample.elements)
    codes = present(sample.formats[0])
    for code in codes:
        chosen = slice(None) if len(codes) == 1 else sample.formats[0] == code
        computed[chosen] = _computed(recipe, weights, sample.parents[:, chosen], code)
        rounded[chosen] = round_to(mixture[chosen], FORMATS[code])
    telling = (computed != rounded) & (sample.parents != computed).all(axis=0)
    kept = telling & (sample.suspect == computed)
    nearest = telling & (sample.suspect == rounded)
    beside = float(np.sqrt(np.mean((sample.suspect - computed) ** 2)))
    distance = float(np.sqrt(np.mean(sample.deltas**2)))
    return Trace(
        int(np.count_nonzero(kept)), int(np.count_nonzero(nearest)), beside, beside / distance if distance else None
    )


def _computed(recipe: WeightedSum, weights: Float64, parents: Float64, code: int) -> Float64:
    """What the recipe stores, float64 [n], of `parents` float64 [k, n]."""
    out = np.empty(parents.shape[1], np.float32)
    single = np.ascontiguousarray(parents, np.float32)
    evaluate(int(recipe.arithmetic), single, weights, recipe.steps, code, out)
    return out.astype(np.float64)
