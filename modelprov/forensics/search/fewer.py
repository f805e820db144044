"""Recipes of fewer parents than were given. Finds; judges nothing.

One more argument can be made afterwards so that the suspect lies on a line with it too. Then the weights of all parents
together are no longer determined, and a recipe that needs only some of them is not what a fit of all comes to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.forensics.sampling.sample import Sample
from modelprov.forensics.search.fits import Fits, fit_sample, subsample
from modelprov.forensics.search.recipes import Scored
from modelprov.forensics.search.same_bits import left_by
from modelprov.forensics.search.weighted_sum import WeightedSum
from modelprov.forensics.thresholds import MET, MISSED_CELLS, REPRODUCED

LOOK = 20_000  # elements of a first look
FITTED = 3  # sets of parents that are fitted
SIZES = 3  # parents of a set, where more than six were given


def used(weights: Float64) -> tuple[int, ...]:
    """The parents (0 ...) that have a weight, of weights float64 [strata, k]."""
    return tuple(np.flatnonzero(np.abs(weights).max(axis=0) > 0).tolist())


def of_parents(fits: Fits, parents: Sequence[int]) -> Fits:
    """The sample of some parents (0 ...) only; what was fitted is still that of all."""
    return replace(fits, sample=_sample(fits.sample, parents))


def fewer(fits: Fits, strata: int, seed: int) -> Iterator[Scored]:
    """Recipes of at least two parents, not all, that give every bit of the sample; the fewest parents first.

    Their weights are those of all parents, 0 for the others, for so many `strata`. At last two parents are tried whose
    weights differ from part to part, as gradients and filters make them: of all together only one weighting is fitted.
    """
    k = len(fits.sample.parents)
    look = subsample(replace(fits.sample, group=fits.stratum.astype(np.int32)), LOOK, seed)
    sizes = range(2, k if k <= 2 * SIZES else SIZES + 1)
    sets = [parents for size in sizes for parents in combinations(range(k), size)]
    near = [parents for parents in sets if _near(_sample(look, parents))][:FITTED]
    in_pieces = [parents for parents in sets if len(parents) == 2 and _near_in_pieces(_sample(look, parents))]
    for parents in (*near, *[pair for pair in in_pieces if pair not in near][:FITTED]):
        for found in fit_sample(_sample(fits.sample, parents), fits.stratum, strata, seed).candidates[:1]:
            if found.share >= REPRODUCED:
                yield _padded(found, parents, k)


def _sample(sample: Sample, parents: Sequence[int]) -> Sample:
    rows = [0, *(parent + 1 for parent in parents)]
    return replace(sample, parents=sample.parents[list(parents)], formats=sample.formats[rows])


def _near(sample: Sample) -> bool:
    """Whether the best mixture lies within a step or two of most elements."""
    weights, *_ = np.linalg.lstsq(sample.deltas.T, sample.delta, rcond=None)
    return _met(sample, weights @ sample.deltas)


def _near_in_pieces(sample: Sample) -> bool:
    """The same of two parents, with a weight of its own for each group of elements."""
    (u,), v, groups = sample.deltas, sample.delta, int(sample.group.max(initial=0)) + 1
    over, under = (np.bincount(sample.group, one, groups) for one in (u * v, u * u))
    weights = over / np.where(under > 0, under, 1.0)
    return _met(sample, weights[sample.group] * u)


def _met(sample: Sample, mixture: Float64) -> bool:
    """Whether most elements are within a step or two of a mixture of the deltas, float64 [n]."""
    missed = np.abs(sample.delta - mixture)
    return bool((missed <= MISSED_CELLS * (sample.upper - sample.lower)).mean() >= MET)


def _padded(found: Scored, parents: Sequence[int], k: int) -> Scored:
    """The same of k parents, of which the others have no weight, and no part in what the program computes."""
    recipe = found.recipe

    def wider(values: Float64) -> Float64:
        made = np.zeros((len(values), k))
        made[:, list(parents)] = values
        return made

    order = tuple(parents[place] for place in recipe.order)
    padded = WeightedSum(recipe.arithmetic, order, wider(recipe.weights))
    if found.low is None or found.high is None:
        return replace(found, recipe=padded)
    ends = left_by(recipe.weights[:, :-1], recipe.weights[:, -1], found.low, found.high)
    low, high = (
        wider(np.column_stack([free, last]))[:, :-1] for free, last in zip((found.low, found.high), ends, strict=True)
    )
    return replace(found, recipe=padded, low=low, high=high)
