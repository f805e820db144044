"""All the weights that give the same bits as a recipe does, and the simplest of them. Counts bits; judges nothing.

A recipe that gives every bit is one of many: whatever lies as near gives the same stored numbers. Where weights are
rounded themselves (bf16-stepwise) the many reach far: 0.699 and 0.7 are one number in bf16. The interval of a
reproduced recipe is that set, and the recipe shows the member that a person would have typed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.forensics.estimators.simplest_number import simplest_number
from modelprov.forensics.search.recipes import Bits, Scored, Scorer
from modelprov.forensics.search.weighted_sum import WeightedSum, distinct
from modelprov.forensics.thresholds import HALF, REPRODUCED

FIRST_LOOK = 1 << 16  # sampled elements on which the set is bracketed
SMALLEST, LARGEST = 1e-10, 0.5  # distances from the recipe's weight
HALVINGS = 10  # of the last doubling: the ends are known to a thousandth of their distance
ALIKE = 0.01  # weights of several parents that are a mean's, if a mean gives the same bits
ROUNDED = 1e12  # of the reference's weight, which is one minus the others as decimals are: twelve digits


def settle(scored: Scored, scorer: Scorer, seed: int) -> Scored:
    """The same recipe with its simplest weights, and `low`, `high` of every coefficient beside the reference's.

    A coefficient is moved with the last parent that has a part taking the rest, all others as they are, piece by piece:
    of several parents these are the bounds of each alone. What is asked for are the bits in the strata that the recipe
    explains; one that does not explain at least half of the sample is left as it is.
    """
    explained = _explained(scored, scorer)
    if explained is None:
        return scored
    given = scored.recipe.weights
    weights, low, high = given.copy(), given[:, :-1].copy(), given[:, :-1].copy()
    for first in distinct(given)[0]:
        row, piece = first, (given == first).all(axis=1)
        if not (piece & explained).any():
            low[piece], high[piece] = -np.inf, np.inf
            continue
        whole = scorer.of_strata(piece & explained)
        own = _Piece(scored.recipe, whole, whole.few(FIRST_LOOK, seed))
        free = sorted(set(scored.recipe.order) - {own.rest})
        own.gives_as_much(row)
        mean = np.where(row != 0, 1 / np.count_nonzero(row), 0.0)
        alike = len(row) > 2 and bool(np.abs(row - mean).max() < ALIKE and own.gives_as_much(mean))
        row = mean if alike else row
        for parent in () if alike else free:
            simplest = simplest_number(*own.bounds(row, parent))
            moved = row if simplest is None else _moved(row, parent, simplest.value, own.rest)
            if own.gives_as_much(moved):
                row = moved
        weights[piece] = row
        bounds = np.array([own.bounds(row, parent) for parent in free]).T  # of the recipe as it is shown
        low[np.ix_(piece, free)], high[np.ix_(piece, free)] = bounds
        if own.rest < given.shape[1] - 1:  # the last parent has no part: this one has what the others leave
            low[piece, own.rest], high[piece, own.rest] = left_by(row[free], row[own.rest], *bounds)
    return replace(scored, recipe=replace(scored.recipe, weights=weights), low=low, high=high, explained=explained)


def left_by(others: Float64, weight: float | Float64, low: Float64, high: Float64) -> tuple[Float64, Float64]:
    """The bounds of a weight that has what `others` [..., n] leave, whose own bounds are `low` and `high` [..., n]."""
    return weight + (others - high).sum(axis=-1), weight + (others - low).sum(axis=-1)


def bounds_in(settled: Scored, part: Bits, stratum: int) -> tuple[float, float] | None:
    """The weights of the first parent that give the bits of a `part` of the sample, all of it of one weighting.

    That is the weighting of `stratum`. Never narrower than the bounds of the whole piece, whose elements are more; None
    where the part confines nothing.
    """
    if settled.low is None or settled.high is None:
        return None
    weights = settled.recipe.weights[stratum]
    if 0 not in settled.recipe.order:
        return 0.0, 0.0
    own = _Piece(settled.recipe, part, part)
    own.gives_as_much(weights)
    found = []
    for sign, end in ((-1.0, settled.low[stratum, 0]), (1.0, settled.high[stratum, 0])):
        known = abs(float(end) - float(weights[0]))
        reach = max(known, own.reach(weights, 0, sign, max(known, SMALLEST), LARGEST))
        if reach >= LARGEST:
            return None
        found.append(float(weights[0]) + sign * reach)
    return found[0], found[1]


def _explained(scored: Scored, scorer: Scorer) -> npt.NDArray[np.bool_] | None:
    """The strata, bool [strata], whose bits the recipe gives; None where they hold less than half of the sample."""
    if scored.share >= REPRODUCED:
        return np.ones(len(scored.recipe.weights), bool)
    if scored.share < HALF:
        return None
    elements, equal = scorer.by_stratum(scored.recipe)
    explained = elements - equal <= (1 - REPRODUCED) * elements
    if elements[explained].sum() < HALF * elements.sum():
        return None
    return explained


class _Piece:
    """The elements of one piece of a recipe: which weights give them as many bits as the recipe's own do."""

    def __init__(self, recipe: WeightedSum, whole: Bits, few: Bits) -> None:
        self.whole, self.few = whole, few
        self.arithmetic, self.order = int(recipe.arithmetic), recipe.steps
        self.rest = max(recipe.order)
        self.least: dict[bool, int] = {}

    def gives_as_much(self, weights: Float64, *, look: bool = False) -> bool:
        """Whether these weights reproduce what the first ones did, or at a first `look` seem to."""
        least = self.least.get(look, 0)
        count = (self.few if look else self.whole).count(self.arithmetic, self.order, weights, least)
        return count >= self.least.setdefault(look, count)

    def bounds(self, weights: Float64, parent: int) -> tuple[float, float]:
        """The smallest and the largest coefficient of a parent that give the same bits."""
        own, found = float(weights[parent]), []
        for look in (True, False):
            self.gives_as_much(weights, look=look)
        for sign in (-1.0, 1.0):
            near = self.reach(weights, parent, sign, SMALLEST, LARGEST, look=True)
            found.append(own + sign * self.reach(weights, parent, sign, near / 64, near))
        return found[0], found[1]

    def reach(
        self, weights: Float64, parent: int, sign: float, start: float, limit: float, *, look: bool = False
    ) -> float:
        """The largest distance up to `limit` by which a coefficient may go to one side; of weights asked before."""
        bits = self.few if look else self.whole
        if bits.counter is not None:
            spare = bits.elements - self.least[look]
            return bits.counter.reach(
                self.arithmetic, weights, self.order, spare, parent, sign, (start, limit), HALVINGS
            )
        own = float(weights[parent])
        return reach(
            lambda distance: self.gives_as_much(_moved(weights, parent, own + sign * distance, self.rest), look=look),
            start,
            limit,
        )


def _moved(weights: Float64, parent: int, value: float, rest_to: int) -> Float64:
    """The weights float64 [k] with one coefficient changed, another taking the rest."""
    moved = weights.copy()
    rest = float(weights[rest_to]) + float(weights[parent]) - value
    moved[rest_to] = round(rest * ROUNDED) / ROUNDED  # as np.round does, in a tenth of its time
    moved[parent] = value
    return moved


def reach(holds: Callable[[float], bool], start: float, limit: float) -> float:
    """The largest distance up to `limit` at which it still holds, from below: doubled from `start`, then halved.

    `reach` of `native/searching.c` does the same in one call, to the bit.
    """
    if holds(limit):
        return limit
    inside, outside = 0.0, limit
    distance = start
    while 0 < distance < limit:
        if not holds(distance):
            outside = distance
            break
        inside, distance = distance, 2 * distance
    for _ in range(HALVINGS):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if holds(middle) else (inside, middle)
    return inside
