"""Whether a suspect and its parents hold one matrix' numbers, each under values of its own. Counts; judges nothing.

Sizes of one matrix (decay, a scale that was trained) and codebooks that moved are such: where one of them holds a
number, all hold theirs. Any such two mix to a third in a handful of values, however many elements repeat them.
"""

from __future__ import annotations

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
Places = npt.NDArray[np.intp]


def recoded(sample: Sample, seed: int) -> float | None:
    """Of the elements that differ between the parents, the share, 0 to 1, in tensors that are one parent's, recoded.

    Asked in tensors that are no parent's to the bit, as these mix nothing; None where there are none.
    """
    telling = (sample.parents != sample.parents[-1]).any(axis=0)
    differ = np.bincount(sample.group, telling)
    for parent in sample.parents:
        differ[np.bincount(sample.group, sample.suspect != parent) == 0] = 0
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
        found[place] = is_recoded(sample.take(sample.group == tensor))
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
