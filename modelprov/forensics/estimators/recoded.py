"""Whether a suspect and its parents hold one matrix' numbers, each under values of its own. Counts; judges nothing.

Sizes of one matrix (decay, a scale that was trained) and codebooks that moved are such: where one of them holds a
number, all hold theirs. Any such two mix to a third in a handful of values, however many elements repeat them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.forensics.sampling.sample import Sample
from modelprov.forensics.thresholds import MISSED, PART_ELEMENTS, SCALED_MOVED, TIES

LOOKED, NONE_YET = 32, 8
"""Tensors at most, drawn by the seed; and after how many without one that is recoded no more are asked. Where seven in
ten elements lie in such tensors, a draw in proportion to elements misses them all once in ten thousand times."""
HALF_A_CELL = float(np.sqrt(3))
"""In standard deviations of rounding: the most that one rounding moves a number by."""
REFITS = 3
ENOUGH = 1 << 14
"""Elements of a tensor, whose values repeat often enough in 16 bits."""
FALLING = 0.25
"""Of neighbours; changes far larger than the distance between these put half of them the other way round."""
Int64 = npt.NDArray[np.int64]


def recoded(sample: Sample, seed: int) -> float | None:
    """Of the elements that differ between the parents, the share, 0 to 1, in tensors that are one parent's, recoded.

    Asked in tensors that are no parent's to the bit, as these mix nothing; None where there are none.
    """
    telling = (sample.parents != sample.parents[-1]).any(axis=0)
    differ = np.bincount(sample.group, telling)
    for parent in sample.parents:
        differ[np.bincount(sample.group, sample.suspect != parent) == 0] = 0
    return _share(sample, differ, seed, is_recoded)


def recoded_alone(sample: Sample, parent: int, seed: int) -> float | None:
    """Of the elements that differ from parent number `parent`, 0 to k - 1, the share in tensors that recode its own.

    By more than rounding: that alone keeps every order.
    """
    differ = np.bincount(sample.group, sample.suspect != _rounded(sample, parent))
    return _share(sample, differ, seed, lambda tensor: _follows(tensor.suspect, _rounded(tensor, parent), seed))


def _rounded(sample: Sample, parent: int) -> Float64:
    """A parent's numbers, the suspect's in their place where they lie in its rounding cells."""
    theirs = sample.parents[parent]
    return np.where((sample.lower <= theirs) & (theirs <= sample.upper), sample.suspect, theirs)


def _share(sample: Sample, differ: Int64, seed: int, is_so: Callable[[Sample], bool]) -> float | None:
    """Of the elements that `differ` by tensor, those in tensors of which something is so; None where none do."""
    differ[np.bincount(sample.group) < PART_ELEMENTS] = 0
    asked = np.flatnonzero(differ)
    rng = np.random.default_rng(seed)
    if asked.size > LOOKED:
        asked = rng.choice(asked, LOOKED, replace=False)
    if not asked.size:
        return None
    asked = asked[np.argsort(rng.exponential(size=asked.size) / differ[asked])]  # those of many elements sooner
    found = np.zeros(asked.size, bool)
    for place, tensor in enumerate(asked.tolist()):
        if place == NONE_YET and not found.any():
            return 0.0
        found[place] = is_so(sample.take(sample.group == tensor))
    return float(differ[asked[found]].sum() / differ[asked].sum())


def is_recoded(tensor: Sample) -> bool:
    """Whether one parent's numbers say all others', or the suspect is a parent times a factor, to rounding."""
    return any(_says_all(tensor, parent) or _times(tensor, parent) for parent in range(len(tensor.parents)))


def _says_all(tensor: Sample, parent: int) -> bool:
    """Whether elements that are equal in a parent are equal in all, but for a hundredth; at least `TIES` are.

    Of values at which the parents differ somewhere: where they differ nowhere nothing is told.
    """
    rows = np.stack([tensor.parents[parent], tensor.suspect, *tensor.parents])
    rows = rows[:, np.lexsort(rows[::-1])]
    new = np.append(True, (rows[:, 1:] != rows[:, :-1]).any(axis=0))
    alike = np.diff(np.append(np.flatnonzero(new), new.size))  # elements that are equal in all
    first = np.flatnonzero(np.append(True, rows[0, 1:] != rows[0, :-1])[new])
    equal, most = np.add.reduceat(alike, first), np.maximum.reduceat(alike, first)
    differ = np.add.reduceat((rows[2:] != rows[2]).any(axis=0)[new], first) > 0
    repeated = (equal > 1) & differ
    return bool(equal[repeated].sum() >= TIES and most[repeated].sum() >= (1 - MISSED) * equal[repeated].sum())


def _follows(suspect: Float64, parent: Float64, seed: int) -> bool:
    """Whether a suspect's values are a function of a parent's, by the first `ENOUGH` of them."""
    suspect, parent = suspect[:ENOUGH], parent[:ENOUGH]
    return _is_function(suspect, parent) or _keeps_order(suspect, parent, seed)


def _keeps_order(suspect: Float64, parent: Float64, seed: int) -> bool:
    """Whether the suspect's values rise with the parent's, but for a hundredth, where such changes elsewhere would not.

    The same changes in another order have to put a quarter of the neighbours the other way round: those of less than
    the neighbours' distance leave every order.
    """
    order = np.argsort(parent, kind="stable")
    change = suspect - parent
    falls = np.diff(suspect[order]) < 0
    if falls.mean() > MISSED:
        return False
    elsewhere = parent + np.random.default_rng(seed).permutation(change)
    return bool((np.diff(elsewhere[order]) < 0).mean() >= FALLING)


def _is_function(suspect: Float64, parent: Float64) -> bool:
    """Whether elements that are equal in a parent have one other value in the suspect, but for a hundredth.

    Of at least `TIES` elements whose value repeats and which do not all stay as they were. Where training moved a few
    of those that were equal, the others stayed.
    """
    order = np.lexsort((suspect, parent))
    suspect, parent = suspect[order], parent[order]
    of_value = np.flatnonzero(np.diff(parent, prepend=np.nan) != 0)
    runs = np.flatnonzero((np.diff(parent, prepend=np.nan) != 0) | (np.diff(suspect, prepend=np.nan) != 0))
    other = np.where(suspect[runs] != parent[runs], np.diff(np.append(runs, parent.size)), 0)
    most = np.maximum.reduceat(other, np.searchsorted(runs, of_value))
    equal = np.diff(np.append(of_value, parent.size))
    told = (equal > 1) & (most > 0)
    return bool(equal[told].sum() >= TIES and most[told].sum() >= (1 - MISSED) * equal[told].sum())


def _times(tensor: Sample, parent: int) -> bool:
    """Whether a factor leaves half a cell, but for a hundredth, and half of what is off without it at most.

    And of most elements that differ: a hundredth that differs from a copy is no multiple.

    Least squares, begun with the median of the quotients, which the few numbers that are no multiples do not move.
    """
    width = tensor.upper - tensor.lower
    known = np.isfinite(width) & (width > 0) & (tensor.parents[parent] != 0)
    if np.count_nonzero(known) < TIES:
        return False
    size = width[known] / np.sqrt(12)
    suspect, theirs = tensor.suspect[known] / size, tensor.parents[parent][known] / size
    quotients = suspect / theirs
    factor = float(np.partition(quotients, quotients.size // 2)[quotients.size // 2])  # np.median loads numpy.ma
    for _ in range(REFITS):
        kept = _left(suspect, theirs, factor) <= 2 * HALF_A_CELL
        if not kept.any():
            return False
        factor = float(np.vdot(suspect[kept], theirs[kept]) / np.vdot(theirs[kept], theirs[kept]))
    left = _left(suspect, theirs, factor)
    inside = left <= 2 * HALF_A_CELL
    apart = suspect != theirs
    if inside.mean() < 1 - MISSED or 2 * np.count_nonzero(inside & apart) <= np.count_nonzero(apart):
        return False
    rest = float(np.sqrt(np.mean(left[inside] ** 2)))
    moved = float(np.sqrt(np.mean((suspect - theirs) ** 2)))
    return rest <= HALF_A_CELL and moved >= SCALED_MOVED * max(rest, 1.0)


def _left(suspect: Float64, theirs: Float64, factor: float) -> Float64:
    """How far each element is from its multiple."""
    return np.abs(suspect - factor * theirs)
