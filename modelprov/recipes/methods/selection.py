"""Which elements are the largest of a tensor that comes block by block: exactly, by counting bit patterns.

Numbers are counted by their highest 16 bits, then those of the bin that the cut falls into by the next 16, until their
bits are known; of equal ones at the cut the earlier are kept, as `Steps.largest` keeps them. Nothing is sorted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.recipes.methods.steps import Mask, Real, Steps, compiled

Columns = Callable[[], Iterator[Sequence[Real]]]
"""A pass: the blocks of several flat tensors of equal length, one after the other."""
Keys = npt.NDArray[Any]
BINS = 1 << 16


@dataclass(frozen=True)
class Kept:
    """The `count` largest of n elements: those above `cut`, and those equal to it up to the place `last`."""

    cut: float
    last: int

    def mask(self, sizes: Real, first: int) -> Mask:
        """Which of `sizes`, the elements from place `first` on, are kept."""
        found: Mask = sizes > self.cut
        if self.last >= first:
            equal = sizes == self.cut
            equal[self.last - first + 1 :] = False
            found |= equal
        return found


ALL, NONE = Kept(-np.inf, np.iinfo(np.int64).max), Kept(np.inf, -1)


@dataclass
class _Search:
    column: int
    count: int  # of the largest that are wanted of those that share the bits known so far
    known: int = 0
    equal: int = 0


def kept(columns: Columns, wanted: Sequence[tuple[int, int]], length: int, step: Steps) -> list[Kept]:
    """For each (column, count) the `count` largest of that column's `length` elements: finite, and as `step` rounds."""
    found: dict[int, Kept] = {
        n: ALL if count >= length else NONE for n, (_, count) in enumerate(wanted) if not 0 < count < length
    }
    searches = {n: _Search(*pair) for n, pair in enumerate(wanted) if n not in found}
    if searches:
        _refine(columns, list(searches.values()), step)
        places = _places(columns, {n: each for n, each in searches.items() if each.count < each.equal})
        for n, each in searches.items():
            found[n] = Kept(_number(each.known, step), places.get(n, length))
    return [found[n] for n in range(len(wanted))]


def ranked(columns: Columns, places: Sequence[int], length: int, step: Steps) -> list[float]:
    """The numbers at these places (0 the smallest) of one column of `length` finite elements in ascending order."""
    searches = [_Search(0, length - place) for place in places]
    _refine(columns, searches, step)
    return [_number(each.known, step) for each in searches]


def _refine(columns: Columns, searches: Sequence[_Search], step: Steps) -> None:
    """Find the bits of every cut, 16 in a pass; numbers of bf16 have no more than the first 16."""
    highest = 48 if step.working is np.float64 else 16
    for shift in range(highest, -1, -16):
        if step.dtype is DType.BF16 and shift < highest:
            for each in searches:
                each.known = each.known << 16 | (0 if each.known >> 15 else BINS - 1)
            return
        counts = [np.zeros(BINS, np.int64) for _ in searches]
        for block in columns():
            for number, each in enumerate(searches):
                _count(block[each.column], shift, each.known if shift < highest else None, counts[number], step)
        for each, bins in zip(searches, counts, strict=True):
            above = np.cumsum(bins[::-1])
            place = int(np.searchsorted(above, each.count))
            chosen = BINS - 1 - place
            each.count -= int(above[place] - bins[chosen])
            each.known, each.equal = each.known << 16 | chosen, int(bins[chosen])


def _count(values: Real, shift: int, known: int | None, bins: npt.NDArray[np.int64], step: Steps) -> None:
    """Count 16 bits of every number, or of those whose higher bits are `known`."""
    if compiled(step, len(values)):
        from modelprov.recipes.methods.loops import count_bits

        count_bits(values, shift, -1 if known is None else known, bins)
        return
    keys = _keys(values)
    if known is not None:
        keys = keys[keys >> (shift + 16) == known]
    bins += np.bincount((keys >> shift).astype(np.intp) & (BINS - 1), minlength=BINS)


def _places(columns: Columns, searches: dict[int, _Search]) -> dict[int, int]:
    """Where the last element lies that is kept of those equal to a cut."""
    found: dict[int, int] = {}
    left = {n: each.count for n, each in searches.items()}
    at = 0
    for block in columns() if left else ():
        for n in [n for n in left if n not in found]:
            equal = np.flatnonzero(_keys(block[searches[n].column]) == searches[n].known)
            if len(equal) >= left[n]:
                found[n] = at + int(equal[left[n] - 1])
            left[n] -= len(equal)
        if len(found) == len(left):
            break
        at += len(block[0])
    return found


def _keys(values: Real) -> Keys:
    """Whole numbers in the order of the values; 0 and -0 are one."""
    plain = np.ascontiguousarray(values + 0)
    bits: Keys = plain.view(np.uint64) if plain.dtype == np.float64 else plain.view(np.uint32)
    top = bits.dtype.type(1 << (8 * bits.itemsize - 1))
    found: Keys = np.where(bits < top, bits | top, ~bits)
    return found


def _number(key: int, step: Steps) -> float:
    wide = step.working is np.float64
    top = 1 << (63 if wide else 31)
    bits = key ^ top if key & top else ~key & (2 * top - 1)
    return float(np.array(bits, np.uint64 if wide else np.uint32).view(np.float64 if wide else np.float32))
