"""Which weights and arithmetics a recipe is looked for in: on a grid of round numbers, and off it. Judges nothing.

Arithmetics that round every step hide the weight from rounding cells; how many bits come out tells it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import permutations, product

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.forensics.search.recipes import Bits, Scored
from modelprov.forensics.search.weighted_sum import WeightedSum
from modelprov.recipes.arithmetics import DESCRIPTIONS, EVERY_STEP, MEANS, OF_DIFFERENCES, OF_TWO, Arithmetic, in_units

TYPED = (*(number / 20 for number in range(1, 20)), 0.333, 0.667, 1 / 3, 2 / 3)  # weights that people type
SLIGHTEST = 0.05  # weight that rounding may give to a parent that has none
COARSEST, FINEST = 0.01, 1e-6  # of the grid over weights, and what is looked for off it


def arithmetics_of(weights: Float64) -> list[WeightedSum]:
    """List every arithmetic, and order of the parents where that shows, for `weights` float64 [strata, k]."""
    return [
        WeightedSum(arithmetic, order, weights)
        for arithmetic in DESCRIPTIONS
        if _applies(arithmetic, weights)
        for order in _orders(arithmetic, weights)
    ]


def _applies(arithmetic: Arithmetic, weights: Float64) -> bool:
    """Whether an arithmetic is one of its own for `weights` [..., k]: of fewer models, or others, it is another."""
    if arithmetic in OF_TWO:
        return len(weights.T) == 2
    if arithmetic is Arithmetic.TORCH_DELTA_SUM:
        return len(weights.T) > 2 and bool((np.count_nonzero(weights, axis=-1) > 1).any())
    if arithmetic in MEANS:
        units = in_units(weights)  # halves of two are exact in every arithmetic
        several = np.count_nonzero(weights, axis=-1).max() > 2
        return bool(several and (np.isclose(units, 0) | np.isclose(units, 1)).all())
    return True


def _orders(arithmetic: Arithmetic, weights: Float64) -> list[tuple[int, ...]]:
    """Orders of k parents of `weights` [..., k] in which an arithmetic may give other bits, the natural one first.

    A sum of two rounded numbers has none; of many parents two are tried. Of few any may be what differences are taken
    from, since whoever asks may name the base first; one of no weight that is not has no part in them.
    """
    natural, differences = tuple(range(weights.shape[-1])), arithmetic in OF_DIFFERENCES
    in_turn = DESCRIPTIONS[arithmetic].ordered or arithmetic in (Arithmetic.TORCH_DELTA, Arithmetic.TORCH_DELTA_ALPHA)
    summed = arithmetic in (Arithmetic.FLOAT32, Arithmetic.TORCH_SUM, *MEANS)
    if len(natural) > 3:
        backwards = (*natural[-2::-1], natural[-1]) if differences else natural[::-1]
        return [natural, backwards] if in_turn or summed else [natural]
    if not (in_turn or differences or (summed and len(natural) == 3)):
        return [natural]
    orders = list(permutations(natural))
    weighty = {parent for parent in natural if weights[..., parent].any()}
    if differences and len(weighty) > 1:
        orders = list(dict.fromkeys(tuple(j for j in each if j in {*weighty, each[-1]}) for each in orders))
    return orders if in_turn else [order for order in orders if len(order) == 2 or order[0] < order[1]]


def round_weights(near: Float64, strata: int) -> list[WeightedSum]:
    """List round weights near `near` float64 [k] in arithmetics that round every step, which hides the exact weight.

    Parents of almost no weight are tried with none: a base that is named beside what was merged. Of two that are left:
    what people type (twentieths, thirds), all multiples of 0.001 within 0.02 and of 0.01 within 0.1. Of three: those
    of 0.01 within 0.04. Of more: each coefficient rounded to two digits. Equal weights near by are tried too.
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
        if _applies(arithmetic, np.array(weights))
        for order in _orders(arithmetic, np.array(weights))
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
    if len(near) > 2 and np.abs(near - 1 / len(near)).max() < SLIGHTEST:
        yield np.full(len(near), 1 / len(near))
    for row in np.round(free, 6):
        yield np.append(row, round(1 - float(row.sum()), 6))


def counted(recipes: Sequence[WeightedSum], bits: Bits) -> list[Scored]:
    """Recipes with one weighting each, best first, by the bits that they give."""
    found = [Scored(recipe, _given(recipe, bits) / max(bits.elements, 1), bits.elements) for recipe in recipes]
    return sorted(found, key=lambda own: -own.share)


def _given(recipe: WeightedSum, bits: Bits) -> int:
    return bits.count(int(recipe.arithmetic), recipe.steps, recipe.weights[0])


def refined(scored: Scored, bits: Bits) -> Scored:
    """The recipe with one weighting whose weights, off every grid, give more of the bits.

    What rounds every product tells a weight by how many bits come out, as a peak: from a point on its slope one
    coefficient after another goes up, another taking the rest, in steps that are halved.
    """
    recipe, order = scored.recipe, scored.recipe.steps
    weights = recipe.weights[0]
    taken = np.flatnonzero(weights).tolist()
    best = bits.count(int(recipe.arithmetic), order, weights)
    step = COARSEST / 2
    while step > FINEST and best < bits.elements:
        for (up, down), times in product(permutations(taken, 2), (1, 2, 3)):  # on a plateau a short step does nothing
            moved = weights.copy()
            moved[up] += times * step
            moved[down] -= times * step
            equal = bits.count(int(recipe.arithmetic), order, moved, best + 1)
            if equal > best:
                weights, best = moved, equal
        step /= 2
    for digits in (2, 3, 4):  # what people type may lie just beyond a border that no step met
        rounded = np.round(weights, digits)
        rounded[taken[-1]] = round(1 - float(np.delete(rounded, taken[-1]).sum()), digits)
        equal = bits.count(int(recipe.arithmetic), order, rounded, best)
        if equal >= best:
            weights, best = rounded, equal
            break
    whole = replace(recipe, weights=np.tile(weights, (len(recipe.weights), 1)))
    return Scored(whole, best / max(bits.elements, 1), bits.elements)
