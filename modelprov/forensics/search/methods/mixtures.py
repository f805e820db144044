"""Which parents a tensor is a combination of, whatever their weights add up to, and its rest. Names no method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.forensics.estimators import interval
from modelprov.forensics.estimators.interval import ElementIntervals, IntervalFit
from modelprov.forensics.search.methods.whole import Whole

LEFT = 4.0  # times the spread of rounding: what a combination may leave, computed step by step
FLOAT32_ERROR = 2.0**-22


@dataclass(frozen=True, eq=False)
class Combination:
    """`weights` float64 [m] of the vectors; what is left, as a root mean square.

    `rest` is that in spreads of rounding, `bend` as a share of the value.
    """

    weights: Float64
    rest: float
    bend: float

    @property
    def fits(self) -> bool:
        """Whether rounding explains the rest."""
        return self.rest <= LEFT


def combination(value: Float64, vectors: Float64, half: Float64) -> Combination:
    """Least squares of `value` [n] on `vectors` [m, n], unconstrained; `half` [n] are half the rounding cells."""
    gram, right = vectors @ vectors.T, vectors @ value
    weights = np.asarray(np.linalg.lstsq(gram, right, rcond=1e-14)[0], np.float64)
    left = value - weights @ vectors
    spread, beside, size = (np.sqrt(np.mean(np.square(values))) for values in (half / np.sqrt(3), left, value))
    return Combination(weights, float(beside / spread) if spread else np.inf, float(beside / size) if size else 0.0)


def of_tensors(whole: Whole, parents: tuple[int, ...]) -> Combination:
    """The suspect as a combination of the raw tensors of some parents, weights in their order.

    Solved on their differences from the last of them and on that one, so that no large numbers cancel.
    """
    origin = whole.parents[parents[-1]].astype(np.float64)
    rows = [whole.parents[parent] - origin for parent in parents[:-1]]
    found = combination(whole.suspect - origin, np.stack([*rows, origin]), whole.half)
    weights = np.append(found.weights[:-1], 1 + found.weights[-1] - found.weights[:-1].sum())
    return Combination(weights, found.rest, found.bend)


def place(whole: Whole, at: Callable[[float], tuple[Float64, Float64]], start: float, error: Float64) -> IntervalFit:
    """The parameter that most rounding cells allow, near `start`: `at` gives the merge and its derivative, both [n].

    `error` [n] is what the arithmetic may be off by.
    """
    lower, upper = whole.cell
    fitted = None
    for _ in range(2):
        merged, slope = at(start)
        moves = slope != 0
        with np.errstate(over="ignore"):
            first = (lower - error - merged)[moves] / slope[moves]
            second = (upper + error - merged)[moves] / slope[moves]
        ends = ElementIntervals(
            np.minimum(first, second) + start, np.maximum(first, second) + start, np.zeros(len(first), np.int32)
        )
        fitted = interval.fit(ends)
        if fitted.alpha is None or not np.isfinite(fitted.alpha) or abs(fitted.alpha - start) > 1:
            break
        start = fitted.alpha
    assert fitted is not None
    return fitted
