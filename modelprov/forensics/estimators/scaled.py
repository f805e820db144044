"""Whether a suspect is a parent times factors, by tensor or by row and column: what they leave, in rounding steps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.forensics.sampling.sample import Sample
from modelprov.forensics.thresholds import BLENDED, MISSED, PART_ELEMENTS, SCALED_MOVED, SCALED_ROUNDED

FEWEST = 16
TURNS = 6
"""Of rows and columns; where rounding is all that is left two do nearly as well."""
HALF_A_CELL = float(np.sqrt(3))
"""In standard deviations of rounding: the most that one rounding moves a number by."""
REFITS = 3


@dataclass(frozen=True, slots=True)
class Scaled:
    """The suspect's tensors are those of parent number `parent`, 1 ... k, times `low` to `high`.

    `left` is what remains in the worst of `tensors` tensors: its root mean square over that of rounding alone. `moved`
    is the same without a factor, in all of them together. `share`: of the elements that differ between the parents and
    lie in no tensor that is one of them, 0 to 1, those in these tensors.
    """

    parent: int
    low: float
    high: float
    left: float
    moved: float
    tensors: int
    share: float = 1.0


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


def mostly_scaled(sample: Sample) -> Scaled | None:
    """The parent whose multiples most tensors of a sample of several parents are, if hardly anything else mixes them.

    What a mixture of one model's multiples fits is no mixture, whatever was trained in the other tensors. A tensor is a
    multiple where a factor leaves half a cell, but for a hundredth of its elements (a number of few bits that training
    turned), and half of what is off without it at most. Tensors that are a parent's to the bit mix nothing either.
    """
    width = sample.upper - sample.lower
    known = np.isfinite(width) & (width > 0)
    _, group = np.unique(sample.group[known], return_inverse=True)
    size, parents = width[known] / np.sqrt(12), sample.parents[:, known]
    suspect = sample.suspect[known] / size
    differ = np.bincount(group, (parents != parents[-1]).any(axis=0))
    for theirs in parents:
        differ[np.bincount(group, sample.suspect[known] != theirs) == 0] = 0
    differ[np.bincount(group) < PART_ELEMENTS] = 0
    found = [_multiples(suspect, theirs / size, group) for theirs in parents]
    are = np.array([multiple & (differ > 0) for _, _, multiple in found])
    share = float(differ[are.any(axis=0)].sum() / differ.sum()) if differ.any() else 0.0
    if share <= 1 - BLENDED:
        return None
    number = int(np.argmax((are * differ).sum(axis=1)))
    factor, left, _ = found[number]
    own = are[number]
    off = (suspect - parents[number] / size)[own[group]]
    return Scaled(
        number + 1, float(factor[own].min()), float(factor[own].max()), float(left[own].max()),
        float(np.sqrt(np.mean(off**2))), int(own.sum()), share,
    )  # fmt: skip


def _multiples(
    suspect: Float64, theirs: Float64, group: npt.NDArray[np.intp]
) -> tuple[Float64, Float64, npt.NDArray[np.bool_]]:
    """By tensor: the factor that fits a parent, what it leaves within two halves of a cell, and whether that is all.

    Least squares, begun with the median of the quotients, which the few numbers that are no multiples do not move.
    """
    count = np.bincount(group)
    factor = _median_quotients(suspect, theirs, group, count)
    for _ in range(REFITS):
        kept = np.abs(suspect - factor[group] * theirs) <= 2 * HALF_A_CELL
        square = np.bincount(group, kept * theirs * theirs)
        fitted = np.bincount(group, kept * suspect * theirs)
        factor = np.divide(fitted, square, out=factor, where=square > 0)
    off = suspect - factor[group] * theirs
    kept = np.abs(off) <= 2 * HALF_A_CELL
    inside = np.bincount(group, kept)
    left = np.sqrt(np.bincount(group, kept * off**2) / np.maximum(inside, 1))
    moved = np.sqrt(np.bincount(group, (suspect - theirs) ** 2) / count)
    all_kept = inside >= (1 - MISSED) * count
    return factor, left, all_kept & (left <= HALF_A_CELL) & (moved >= SCALED_MOVED * np.maximum(left, 1))


def _median_quotients(
    suspect: Float64, theirs: Float64, group: npt.NDArray[np.intp], count: npt.NDArray[np.intp]
) -> Float64:
    """The median of suspect / theirs in each group 0, 1, ... of `count` elements, where theirs is not 0; else NaN."""
    quotients = np.divide(suspect, theirs, out=np.full(theirs.size, np.nan), where=theirs != 0)  # NaN sorts last
    middle = np.bincount(group, theirs != 0).astype(np.intp) // 2
    medians: Float64 = quotients[np.lexsort((quotients, group))][np.cumsum(count) - count + middle]
    return medians


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
