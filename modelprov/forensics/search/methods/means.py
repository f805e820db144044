"""Karcher, MultiSLERP and Model Stock: means whose weights follow from the angles. Proposes merges; judges none.

Karcher and Model Stock have nothing to estimate: they are computed again and their bits counted. The weights of
MultiSLERP are those that give the combination which least squares found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.forensics.search.methods.mixtures import combination, of_tensors
from modelprov.forensics.search.methods.remake import VARIANTS, Made
from modelprov.forensics.search.methods.snapping import weightings
from modelprov.forensics.search.methods.whole import Whole

ROUNDS = 40


def groups(parents: int) -> list[tuple[int, ...]]:
    """Sets of at least two parents: all, all but the reference, then the rest, larger ones first."""
    sizes = range(parents, 1, -1)
    return [group for size in sizes for group in combinations(range(parents), size)]


def karcher(looks: Sequence[Whole]) -> Iterator[Made]:
    """The mean on the sphere of some of the parents."""
    for group in groups(len(looks[0].parents)):
        if of_tensors(looks[0], group).fits:
            for arithmetic, dtype in VARIANTS:
                yield Made("karcher", group, arithmetic=arithmetic, dtype=dtype)


def model_stock(looks: Sequence[Whole]) -> Iterator[Made]:
    """Between one parent and the mean of the others, or of some of them."""
    parents = range(len(looks[0].parents))
    for base in reversed(parents):
        others = [parent for parent in parents if parent != base]
        for group in (tuple(others[i] for i in picked) for picked in groups(len(others))):
            for options in ({}, {"filter_wise": True}):
                if options or of_tensors(looks[0], (*group, base)).fits:
                    for arithmetic, dtype in VARIANTS:
                        yield Made("model_stock", group, base, options=options, arithmetic=arithmetic, dtype=dtype)


def multislerp(looks: Sequence[Whole]) -> Iterator[Made]:
    """A weighted mean on the sphere, of tensors or of task vectors."""
    parents, look = range(len(looks[0].parents)), looks[0]
    for base in (None, *reversed(parents)):
        others = [parent for parent in parents if parent != base]
        for group in (tuple(others[i] for i in picked) for picked in groups(len(others))):
            weights = _weights(look, group, base)
            if weights is None:
                continue
            for chosen in weightings(weights, 1 if len(group) > 2 else 2):
                if 0 in chosen:
                    continue
                each = tuple({"weight": weight} for weight in chosen)
                for arithmetic, dtype in VARIANTS:
                    yield Made("multislerp", group, base, each, arithmetic=arithmetic, dtype=dtype)


def _weights(whole: Whole, group: tuple[int, ...], base: int | None) -> Float64 | None:
    """The weights, with a sum of 1, that MultiSLERP would turn into the combination that was found."""
    if base is None:
        found = of_tensors(whole, group)
        vectors = whole.parents[list(group)].astype(np.float64)
    else:
        value, vectors = whole.vectors(base, group)
        found = combination(value, vectors, whole.half)
    if not found.fits or (found.weights <= 0).any():
        return None
    norms = np.sqrt(np.square(vectors).sum(axis=1))
    cosines = (vectors @ vectors.T) / np.outer(norms, norms)
    weights = found.weights / found.weights.sum()
    for _ in range(ROUNDS):
        made = _coefficients(weights, norms, cosines)
        if (made <= 0).any():
            return None
        weights = weights * found.weights / made
        weights = weights / weights.sum()
    return np.asarray(weights, np.float64)


def _coefficients(weights: Float64, norms: Float64, cosines: Float64) -> Float64:
    """The factor of each vector in MultiSLERP's result, by the formula of `recipes/methods/multislerp.py`."""
    mean = weights / np.sqrt(weights @ cosines @ weights)
    tangent = weights - mean * (weights @ (cosines @ mean))
    angle = float(np.sqrt(np.maximum(tangent @ cosines @ tangent, 0.0)))
    factor = np.sin(angle) / angle if angle else 1.0
    return np.asarray((np.cos(angle) * mean + factor * tangent) * (weights @ norms) / norms, np.float64)
