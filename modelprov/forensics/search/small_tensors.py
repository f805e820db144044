"""Which piece of a recipe the tensors belong to that carry no verdict: norms, biases and the like. Counts bits.

A recipe in pieces is found from matrices. What a program made of a norm follows from its filters and gradients, which
the neighbouring matrix need not share; of the weights that the recipe has anyhow, a norm has those that give its bits.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from modelprov.checkpoints.plan import Int64
from modelprov.forensics.estimators.precision import effective
from modelprov.forensics.sampling.sample import Sample
from modelprov.forensics.search.fits import Fits
from modelprov.forensics.search.recipes import Scored, Scorer
from modelprov.forensics.search.weighted_sum import distinct


def with_small_tensors(fits: Fits, small: Sample, stratum: Int64) -> Fits:
    """The fits with every candidate in pieces extended to the `small` tensors' strata, int64 [n] of each element.

    A stratum that also holds matrices, and one that no other piece gives more bits of, is left as it is.
    """
    own = ~np.isin(stratum, fits.stratum)
    if not own.any() or all(each.recipe.pieces == 1 for each in fits.candidates):
        return fits
    scorer = Scorer(effective(small.take(own)), stratum[own])
    return replace(fits, candidates=tuple(_extended(each, scorer) for each in fits.candidates))


def _extended(scored: Scored, scorer: Scorer) -> Scored:
    """The candidate with the piece that gives most bits in each of the scorer's strata."""
    recipe = scored.recipe
    rows, which = distinct(recipe.weights)
    if len(rows) == 1:
        return scored
    strata = np.arange(len(which))
    alone = (replace(recipe, weights=np.tile(row, (len(which), 1))) for row in rows)
    equal = np.stack([scorer.by_stratum(each)[1] for each in alone])
    best = np.where(equal.max(axis=0) > equal[which, strata], equal.argmax(axis=0), which)
    first = np.array([np.flatnonzero(which == row)[0] for row in range(len(rows))])
    taken = np.where(best == which, strata, first[best])
    return replace(
        scored,
        recipe=replace(recipe, weights=recipe.weights[taken]),
        low=None if scored.low is None else scored.low[taken],
        high=None if scored.high is None else scored.high[taken],
        explained=None if scored.explained is None else scored.explained[taken],
    )
