"""How alike a suspect and a parent are at their places, whatever a few numbers do: signs, bits, changes by size.

The product-moment correlation follows the largest numbers: a row of giants in weights that nothing reads hides that all
the rest is the same. Estimates; judges nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.forensics.sampling.sample import Sample
from modelprov.forensics.thresholds import CENTRED_ELEMENTS, DISTINCT, HALF, MISSED, MISSED_FEW

Int64 = npt.NDArray[np.int64]
PLACES = 32  # bits of a place in the sample
SMALL, LARGE = (0.05, 0.2), (0.5, 0.95)  # quantiles of the sizes of a tensor's weights


def quadrant(sample: Sample, parent: int) -> float | None:
    """Correlation by signs with parent number `parent` (0 to k - 1), -1 to 1; None where no element has a side.

    Whether both lie on the same side of their tensor's median hangs on half of all elements alone (the quadrant
    correlation; F. Mosteller 1946). For Gaussians sin(pi q / 2) is the correlation.
    """
    return quadrants(sample, [parent])[0]


def quadrants(sample: Sample, parents: Sequence[int]) -> tuple[float | None, ...]:
    """The same with several parents."""
    own, found = _sides(sample.suspect, sample.group), list[float | None]()
    for parent in parents:
        sides = own * _sides(sample.parents[parent], sample.group)
        telling = sides != 0
        found.append(math.sin(math.pi / 2 * float(sides[telling].mean())) if telling.any() else None)
    return tuple(found)


def equal_beyond_chance(sample: Sample, parent: int) -> float:
    """Share of equal numbers less what the two sets of numbers give in any other order, -1 to 1.

    Any other order within each tensor: matrices that no training touched (outputs zero, gates one) hold the same
    numbers in models that share nothing, and no other order of theirs holds fewer.
    """
    own, theirs = sample.suspect, sample.parents[parent]
    both = np.stack([own, theirs])
    with np.errstate(over="ignore"):
        short = both.astype(np.float32) + np.float32(0)  # no negative zero
    if np.array_equal(short, both):  # numbers are told apart by their bits, which takes no sort
        code = short.view(np.uint32)
    else:
        code = np.unique(both, return_inverse=True)[1].reshape(both.shape).astype(np.uint32)
    own_keys, keys = np.sort((sample.group.astype(np.int64) << 32) | code, axis=1)
    known, counts = np.unique(own_keys, return_counts=True)
    place = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    held = known[place] == keys
    by_chance = (counts[place] / np.bincount(sample.group)[keys >> 32])[held].sum()
    return float(((own == theirs).sum() - by_chance) / sample.elements)


def inner_share(sample: Sample, parent: int) -> float | None:
    """Share of a finer parent's numbers in the inner half of the suspect's rounding cells, 0 to 1.

    Numbers that were rounded to the suspect's lie anywhere in its cells: a half. A finetune by less than a step lies
    near the middle. Numbers that are the suspect's own say nothing; None where fewer than `CENTRED_ELEMENTS` are left.
    """
    away = np.abs(sample.parents[parent] - sample.suspect)
    telling = (away > 0) & (sample.lower <= sample.parents[parent]) & (sample.parents[parent] <= sample.upper)
    if int(np.count_nonzero(telling)) < CENTRED_ELEMENTS:
        return None
    return float((away[telling] <= (sample.upper - sample.lower)[telling] / 4).mean())


def change_by_size(sample: Sample, parent: int) -> tuple[float, float] | None:
    """How much more small weights changed than large ones, both over their size, and the change of the large ones.

    Sizes are the parent's, by tensor. Rounding, scaling and noise that follows the size change all alike, in
    proportion (1); training moves small weights as far as large ones. A parent inside the suspect's rounding cell did
    not change. None where too few did to tell.
    """
    theirs = np.abs(sample.parents[parent])
    inside = (sample.lower <= sample.parents[parent]) & (sample.parents[parent] <= sample.upper)
    change = np.where(inside, 0.0, np.abs(sample.suspect - sample.parents[parent]))
    if int(np.count_nonzero(change)) < DISTINCT:
        return None
    order, first, counts = _sorted_by_tensor(theirs, sample.group)

    def moved(between: tuple[float, float]) -> float:
        chosen = order[_between(first, counts, between)]
        total = float(theirs[chosen].sum())
        return float(change[chosen].sum()) / total if total else 0.0

    small, large = moved(SMALL), moved(LARGE)
    return (small / large, large) if large else None


def _between(first: Int64, counts: Int64, quantiles: tuple[float, float]) -> Int64:
    """Places, in order, whose rank among the `counts` places from `first` on, over that count, is between these."""
    low, high = (np.ceil(quantile * counts).astype(np.int64) for quantile in quantiles)
    ends = np.cumsum(high - low)
    return np.asarray(np.arange(int(ends[-1])) + np.repeat(first + high - ends, high - low), np.int64)


def pruned(sample: Sample, parent: int) -> float | None:
    """The share of a parent's numbers in whose place the suspect holds zeros, where it has the others' bits; else None.

    Up to a hundredth as many others may differ. Training moves numbers, and leaves none of them at zero.
    """
    theirs = sample.parents[parent]
    differ = sample.suspect != theirs
    zeros = int(np.count_nonzero(differ & (sample.suspect == 0)))
    if zeros < MISSED_FEW or np.count_nonzero(differ) - zeros > MISSED * zeros:
        return None
    return zeros / int(np.count_nonzero(theirs))


def emptied(sample: Sample, parent: int) -> float | None:
    """The share of a parent's numbers in whose place the suspect holds zeros, whatever became of the others; else None.

    Asked of tensors with a hundredth of such zeros or more, which have to hold half of the elements that differ.
    """
    theirs = sample.parents[parent]
    gone = (sample.suspect == 0) & (theirs != 0)
    if not gone.any():
        return None
    zeros = np.bincount(sample.group, gone)
    numbers = np.bincount(sample.group, theirs != 0)
    differ = np.bincount(sample.group, sample.suspect != theirs)
    found = zeros >= np.maximum(MISSED * numbers, 1)
    if not found.any() or differ[found].sum() < HALF * differ.sum():
        return None
    return float(zeros[found].sum() / numbers[found].sum())


def _sides(values: Float64, group: npt.NDArray[np.int32]) -> npt.NDArray[np.int8]:
    """On which side of its tensor's median each value lies: -1, 0 or 1."""
    order = None if (np.diff(group) >= 0).all() else np.argsort(group, kind="stable")
    sorted_by = values if order is None else values[order]
    first = np.flatnonzero(np.diff(group if order is None else group[order], prepend=-1))
    counts = np.diff(np.append(first, len(values)))
    tensors = zip(first.tolist(), counts.tolist(), strict=True)
    medians = [np.partition(sorted_by[at : at + count], count // 2)[count // 2] for at, count in tensors]
    found = np.asarray(np.sign(sorted_by - np.repeat(medians, counts)), np.int8)
    if order is None:
        return found
    sides = np.empty(len(order), np.int8)
    sides[order] = found
    return sides


def _sorted_by_tensor(sizes: Float64, group: npt.NDArray[np.int32]) -> tuple[Int64, Int64, Int64]:
    """Places in the order of tensor and size, equal ones as they stand; where each tensor begins, and its elements.

    Sizes that float32 holds are numbers whose bits have their order: with the place behind them they can be sorted as
    integers, which takes a fifth of the time.
    """
    first = np.flatnonzero(np.diff(group, prepend=group[:1] - 1))
    counts = np.diff(np.append(first, len(group)))
    short = sizes.astype(np.float32)
    if not (np.diff(group) >= 0).all() or not np.array_equal(short, sizes):
        order = np.lexsort((sizes, group))
        first = np.flatnonzero(np.diff(group[order], prepend=-1))
        return order, first, np.diff(np.append(first, len(order)))
    keys = (short.view(np.uint32).astype(np.int64) << PLACES) | np.arange(len(sizes))
    for start, count in zip(first.tolist(), counts.tolist(), strict=True):
        keys[start : start + count].sort()
    return keys & ((1 << PLACES) - 1), first, counts
