"""Steps of merging programs that sort: of equal sizes those come first that the steps of their sort leave there.

mergekit sorts sizes with torch, which calls `std::sort` of the GNU C++ library: an introsort (Musser 1997). It is not
stable: of many equal sizes those come first which the swaps of the whole sort leave first. The swaps that decide what
lies before a border are repeated in C (`native/merging.c`). No algorithm of a method lives here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.native import Native, for_merging
from modelprov.recipes.methods.interface import Float32
from modelprov.recipes.methods.steps import Mask, Real, Steps

MOST = 1 << 32
"""Elements whose places an item holds."""
ITEM = 8
"""Bytes that an element takes while it is sorted."""


@dataclass(frozen=True)
class ProgramSteps(Steps):
    """`Steps` in float32 or a 16-bit format that sort as the programs do, where there are C kernels."""

    def largest(self, sizes: Real, count: int) -> Mask:
        """The `count` first of `sizes` [n] in descending order."""
        library = sorter(self, len(sizes))
        return super().largest(sizes, count) if library is None else _chosen(library, sizes, 0, count, True)

    def between(self, sizes: Real, dropped: int, kept: int) -> Mask:
        """`kept` of `sizes` [n] before the last `dropped` in ascending order."""
        library = sorter(self, len(sizes))
        if library is None:
            return super().between(sizes, dropped, kept)
        return _chosen(library, sizes, *between(len(sizes), dropped, kept), False)


def sorter(step: Steps, count: int) -> Native | None:
    """The library, where these steps sort as a program does and it can sort so many elements."""
    return for_merging() if isinstance(step, ProgramSteps) and count <= MOST else None


def between(count: int, dropped: int, kept: int) -> tuple[int, int]:
    """Where those that are kept stand in ascending order: `kept` of `count` before the last `dropped`."""
    stop = max(count - dropped, 0)
    return max(stop - kept, 0), stop


def bits_of(library: Native, items: npt.NDArray[np.uint64], start: int, stop: int) -> npt.NDArray[np.uint8]:
    """A bit for every place: whether the sort of `items`, which are moved, puts its element at `start` to `stop`."""
    bits = np.zeros(-(-len(items) // 8), np.uint8)
    library.choose(items, start, min(stop, len(items)), bits)
    return bits


def _chosen(library: Native, sizes: Real, start: int, stop: int, largest_first: bool) -> Mask:
    values: Float32 = np.ascontiguousarray(sizes, np.float32)
    items = np.empty(len(values), np.uint64)
    library.fill_items(values, np.zeros_like(values), DType.F32.code, 0, largest_first, items)
    return np.unpackbits(bits_of(library, items, start, stop), count=len(values)).view(np.bool_)
