"""Whether a suspect is a parent times factors, by tensor or by row and column: what they leave, in rounding steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.forensics.sampling.sample import Sample
from modelprov.forensics.thresholds import PART_ELEMENTS, SCALED_MOVED, SCALED_ROUNDED

FEWEST = 16
TURNS = 6
"""Of rows and columns; where rounding is all that is left two do nearly as well."""


@dataclass(frozen=True, slots=True)
class Scaled:
    """The suspect's tensors are those of parent number `parent`, 1 ... k, times `low` to `high`.

    `left` is what remains in the worst of `tensors` tensors: its root mean square over that of rounding alone. `moved`
    is the same without a factor, in all of them together.
    """

    parent: int
    low: float
    high: float
    left: float
    moved: float
    tensors: int


def scaled(sample: Sample) -> Scaled | None:
    """The parent that fits best so, if in every sampled tensor rounding explains what the factor leaves.

    Factors are least squares, weighted by the widths of the suspect's cells: rounding spreads evenly over a cell, with
    a standard deviation of its width over the root of 12. None where no parent fits, or where it does as it stands.
    """
    width = sample.upper - sample.lower
    known = np.isfinite(width) & (width > 0)
    _, group = np.unique(sample.group[known], return_inverse=True)
    enough = np.bincount(group) >= PART_ELEMENTS
    if not enough.any():
        return None
    size = width[known] / np.sqrt(12)
    suspect = sample.suspect[known] / size
    found = [
        _of(number, suspect, theirs[known] / size, group, enough) for number, theirs in enumerate(sample.parents, 1)
    ]
    fitting = [each for each in found if each.left <= SCALED_ROUNDED and each.moved >= SCALED_MOVED]
    return min(fitting, key=lambda each: each.left, default=None)


def _of(
    number: int, suspect: Float64, theirs: Float64, group: npt.NDArray[np.intp], enough: npt.NDArray[np.bool_]
) -> Scaled:
    """What least squares gives for a parent; values in standard deviations of rounding."""
    count = np.bincount(group)
    square = np.bincount(group, theirs * theirs)
    factor = np.bincount(group, suspect * theirs) / np.where(square, square, 1)
    left = np.sqrt(np.bincount(group, (suspect - factor[group] * theirs) ** 2) / count)
    moved = float(np.sqrt(np.mean((suspect - theirs) ** 2)))
    own = factor[enough & (square > 0)]
    low, high = (float(own.min()), float(own.max())) if own.size else (0.0, 0.0)
    return Scaled(number, low, high, float(left[enough].max()), moved, int(enough.sum()))


def by_rows_and_columns(suspect: Float64, parent: Float64, widths: Float64) -> tuple[float, float] | None:
    """What the best factor for each row and each column of a parent's matrix leaves, and what is off without any.

    Root mean squares over that of rounding alone, of rows [n, m] with the suspect's cells' `widths`; least squares of
    one side and the other in turn. None where fewer than `FEWEST` rows or columns were read, which factors would fit.
    """
    known = np.isfinite(widths) & (widths > 0)
    if min(suspect.shape) < FEWEST or not known.any():
        return None
    weights = np.where(known, np.sqrt(12) / np.where(known, widths, 1), 0)
    own, theirs = suspect * weights, parent * weights
    columns = np.ones(suspect.shape[1])
    rows = np.ones(suspect.shape[0])
    for _ in range(TURNS):
        rows = _factors((own * theirs) @ columns, np.square(theirs) @ np.square(columns))
        columns = _factors(rows @ (own * theirs), np.square(rows) @ np.square(theirs))
    left = own - rows[:, None] * theirs * columns
    count = known.sum()
    return float(np.sqrt(np.square(left).sum() / count)), float(np.sqrt(np.square(own - theirs).sum() / count))


def _factors(product: Float64, square: Float64) -> Float64:
    """Least squares' factors; 1 where there is nothing to multiply."""
    return np.divide(product, square, out=np.ones_like(product), where=square > 0)
