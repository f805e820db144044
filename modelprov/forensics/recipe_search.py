"""Finds candidate recipes from the sample, and counts how many sampled bits each reproduces. Judges nothing.

Weights come from the rounding intervals where those have a common point (per group of strata if need be), from the
likelihood otherwise; every arithmetic of `modelprov.arithmetics` that applies is tried. The sweep then counts the best
few on every element.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import numpy as np
import numpy.typing as npt

from modelprov.arithmetics import DESCRIPTIONS, DTYPE_CODES, Arithmetic, evaluate
from modelprov.checkpoints.dtypes import DType
from modelprov.forensics.recipe import Recipe
from modelprov.forensics.sample import Sample

FORMATS = tuple(DType)
STEPWISE = (Arithmetic.STEPWISE, Arithmetic.STEPWISE_UNNORMALISED, Arithmetic.STEPWISE_DELTA)
TRIED = 40_000  # sampled elements for the grid over weights
KEPT = 3  # recipes that the sweep counts, runners-up included
REPRODUCED = 0.9999
Float64 = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Scored:
    """A recipe and the share of sampled elements whose bits it reproduces, 0 to 1."""

    recipe: Recipe
    share: float


def score(sample: Sample, stratum: npt.NDArray[np.int64], recipe: Recipe) -> float:
    """Share of sampled elements that `recipe` reproduces bit for bit; `stratum` int64 [n] of each element."""
    code = int(sample.formats[0, 0])
    usable = (sample.formats != FORMATS.index(DType.F64)).all(axis=0)
    equal = total = 0
    for code in np.unique(sample.formats[0]).tolist():
        chosen = usable & (sample.formats[0] == code)
        if not chosen.any():
            continue
        parents = sample.parents[:, chosen].astype(np.float32)
        suspect = sample.suspect[chosen].astype(np.float32)
        order, strata = np.array(recipe.order, np.int64), stratum[chosen]
        total += len(suspect)
        distinct, which = np.unique(recipe.weights[strata], axis=0, return_inverse=True)
        for row, weights in enumerate(distinct):
            part = np.flatnonzero(which.ravel() == row)
            out = np.empty(len(part), np.float32)
            evaluate(
                int(recipe.arithmetic), np.ascontiguousarray(parents[:, part]), np.ascontiguousarray(weights),
                order, DTYPE_CODES[FORMATS[code]], out,
            )  # fmt: skip
            equal += int((out.view(np.uint32) == suspect[part].view(np.uint32)).sum())
    return equal / total if total else 0.0


def try_arithmetics(sample: Sample, stratum: npt.NDArray[np.int64], weights: Float64) -> list[Scored]:
    """Score `weights` float64 [strata, k] in every arithmetic that applies, best first."""
    k = weights.shape[1]
    natural = tuple(range(k))
    orders = list(permutations(natural)) if k <= 3 else [natural, natural[::-1]]
    found = []
    for arithmetic, description in DESCRIPTIONS.items():
        if arithmetic is Arithmetic.FLOAT32_LERP and k != 2:
            continue
        ordered = description.ordered or (k > 2 and arithmetic is Arithmetic.FLOAT32)
        for order in orders if ordered else [natural]:
            recipe = Recipe(arithmetic, order, weights)
            found.append(Scored(recipe, score(sample, stratum, recipe)))
    return sorted(found, key=lambda one: -one.share)


def try_grid(sample: Sample, stratum: npt.NDArray[np.int64], strata: int, near: Float64, seed: int) -> list[Scored]:
    """Try round weights near `near` float64 [k] in the stepwise arithmetics, whose rounding hides the exact weight.

    One parent beside the reference: all multiples of 0.001 within 0.02 and of 0.01 within 0.1. More parents: each
    coefficient rounded to two digits.
    """
    rng = np.random.default_rng(seed)
    size = sample.elements
    part = np.sort(rng.choice(size, min(size, TRIED), replace=False))
    small, small_stratum = sample.take(part), stratum[part]
    found = []
    for weights in _round_weights(near):
        rows = np.tile(weights, (strata, 1))
        for arithmetic in STEPWISE:
            recipe = Recipe(arithmetic, tuple(range(len(near))), rows)
            found.append(Scored(recipe, score(small, small_stratum, recipe)))
    found.sort(key=lambda one: -one.share)
    return [Scored(one.recipe, score(sample, stratum, one.recipe)) for one in found[:4]]


def _round_weights(near: Float64) -> list[Float64]:
    if len(near) > 2:
        free = np.round(near[:-1], 2)
        return [np.append(free, round(1 - float(free.sum()), 2))]
    alpha = float(near[0])
    fine = np.round(alpha, 3) + np.arange(-20, 21) / 1000
    coarse = np.round(alpha, 2) + np.arange(-10, 11) / 100
    return [np.array([a, round(1 - a, 6)]) for a in sorted(set(np.round([*fine, *coarse], 6).tolist())) if 0 < a < 1]


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
