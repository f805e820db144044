"""Pairs the rows of two matrices by content, and says how often two pairings agree by chance. Knows no models."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import Float32

Int64 = npt.NDArray[np.int64]
ALIKE_TO = 1e-6
"""Cosines that are no further apart come from rows that are alike; float32 leaves 1e-7."""
LEAST_BESIDE = 0.01
"""Of its length that a row must have beside another; two roundings to 16 bits leave 0.003."""
BLOCK = 1024
LEFT = 4096
"""Rows that are left when the obvious pairs are taken, up to which they are assigned together."""


def unit_rows(values: Float32) -> Float32:
    """Every row divided by its length; rows of zeros stay."""
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(values / np.where(lengths > 0, lengths, 1), np.float32)


def assigned(scores: Float32) -> Int64:
    """The column of each row in the assignment of largest sum, one to one; -1 for rows that are left over.

    Where every row has its largest score in a column of its own no assignment has a larger sum, and none is looked for.
    """
    if not scores.size:
        return np.full(scores.shape[0], -1, np.int64)
    largest = np.asarray(scores.argmax(axis=1), np.int64)
    if np.unique(largest).size == largest.size and np.isfinite(scores[np.arange(largest.size), largest]).all():
        return largest
    from scipy.optimize import linear_sum_assignment

    found = np.full(scores.shape[0], -1, np.int64)
    rows, columns = linear_sum_assignment(scores, maximize=True)
    found[rows] = columns
    return found


def clear(scores: Float32, places: Int64) -> Int64:
    """The places of an assignment that nothing else could as well have had, -1 for the rest.

    Rows that are alike, or hold nothing, score alike: whatever the assignment then does follows their order, and two
    assignments that know nothing of each other would follow the same one.
    """
    rows = np.flatnonzero(places >= 0)
    reached = scores[rows, places[rows]]
    beside = (np.abs(scores[rows] - reached[:, None]) <= ALIKE_TO).sum(axis=1)
    below = (np.abs(scores[:, places[rows]] - reached) <= ALIKE_TO).sum(axis=0)
    found = np.full(places.size, -1, np.int64)
    alone = rows[(beside == 1) & (below == 1)]
    found[alone] = places[alone]
    return found


def units_apart(first: Float32, second: Float32) -> tuple[Float32, Float32]:
    """Rows [n, d] of two kinds for the same units, of length 1: the first, and what the second has beside it.

    Where ups began as a copy of the gates, pairing them would be pairing gates twice. What a rotation does to both, it
    does to this. Rows that have next to nothing beside become zero; units that repeat another in both are left out.
    """
    own = unit_rows(first)
    others = unit_rows(second)
    beside = others - (own * others).sum(axis=1, keepdims=True) * own
    beside[np.linalg.norm(beside, axis=1) < LEAST_BESIDE] = 0
    seen: dict[bytes, int] = {}
    for unit in range(own.shape[0]):
        seen.setdefault(blake2b(own[unit].tobytes() + others[unit].tobytes()).digest(), unit)
    kept = np.fromiter(seen.values(), np.int64, len(seen))
    return own[kept], unit_rows(beside[kept])


def agreements(first: Int64, second: Int64) -> tuple[int, int]:
    """How many items two assignments send to one place, and how many both send anywhere."""
    both = (first >= 0) & (second >= 0)
    return int((both & (first == second)).sum()), int(both.sum())


def chance(agreeing: int, expected: float, tried: int = 1) -> float:
    """Probability that unrelated assignments agree so often, or oftener, in one of `tried` pairs of parts.

    Two independent assignments of n items to N places agree in each with probability 1 / N: Poisson with mean n / N.
    """
    if agreeing < 1:
        return 1.0
    from scipy.special import pdtrc

    return float(min(1.0, pdtrc(agreeing - 1, expected) * max(1, tried)))


def nearest(sides: Sequence[tuple[Float32, Float32, bool]]) -> tuple[Int64, Float32]:
    """For each row of the first matrices its row in the second ones, one to one, by the sum of cosines over `sides`.

    A side is (first [n, d], second [m, d], signed): unsigned ones count a row and its negative as alike. Rows that are
    each other's nearest are pairs; the rest is assigned together. Returns places [n] (-1: none) and scores [n].
    """
    units = [(unit_rows(first), unit_rows(second), signed) for first, second, signed in sides]
    rows, columns = units[0][0].shape[0], units[0][1].shape[0]
    best, score = np.zeros(rows, np.int64), np.zeros(rows, np.float32)
    back, high = np.full(columns, -1, np.int64), np.full(columns, -np.inf, np.float32)
    for start in range(0, rows, BLOCK):
        chosen = np.arange(start, min(start + BLOCK, rows))
        scores = _scores(units, chosen, slice(None))
        best[chosen] = scores.argmax(axis=1)
        score[chosen] = scores[np.arange(len(chosen)), best[chosen]]
        top = scores.argmax(axis=0)
        values = scores[top, np.arange(columns)]
        better = values > high
        back[better], high[better] = chosen[top[better]], values[better]
    mutual = back[best] == np.arange(rows)
    places = np.where(mutual, best, -1)
    left = np.flatnonzero(~mutual)
    free = np.setdiff1d(np.arange(columns), best[mutual])
    if left.size and free.size and max(left.size, free.size) <= LEFT:
        scores = _scores(units, left, free)
        inner = assigned(scores)
        taken = inner >= 0
        places[left[taken]] = free[inner[taken]]
        score[left] = np.where(taken, scores[np.arange(left.size), inner], 0)
    return places, score


def _scores(units: Sequence[tuple[Float32, Float32, bool]], rows: Int64, columns: Int64 | slice) -> Float32:
    total: Float32 | None = None
    for first, second, signed in units:
        cosines = first[rows] @ second[columns].T
        cosines = cosines if signed else np.abs(cosines)
        total = cosines if total is None else total + cosines
    assert total is not None
    return total
