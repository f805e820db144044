"""Steps of merging programs that sort: of equal sizes those come first that the steps of their sort leave there.

mergekit sorts sizes with torch, which calls `std::sort` of the GNU C++ library: an introsort (Musser 1997). It is not
stable: of many equal sizes those come first which the swaps of the whole sort leave first. The swaps that decide what
lies before a border are repeated in C (`native/choosing.c`). No algorithm of a method lives here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.native import for_merging
from modelprov.native.functions import Native
from modelprov.recipes.methods.counting import Items, Tables, cuts_of_items
from modelprov.recipes.methods.interface import Float32, Inputs, Whole
from modelprov.recipes.methods.steps import FLOAT32, Mask, Real, Steps, base_of

Bytes = npt.NDArray[np.uint8]

ITEM = 4
"""Bytes that an element takes while it is sorted."""
SHIFT = {DType.BF16: 16, DType.F16: 13, DType.F32: 0}
"""Lowest bits of a float32 that numbers of a format do not use."""
BEYOND = 8
"""Bytes that are read at a time, and so follow the bits of the ties."""
NO_TIE = (1 << 32) - 1, 1
"""Key and number of a tie that there is not."""
NO_SIZES = math.nan, math.nan
"""Sizes of ties that there are not."""


@dataclass(frozen=True)
class ProgramSteps(Steps):
    """`Steps` in float32 or a 16-bit format that sort as the programs do, where there are C kernels."""

    def largest(self, sizes: Real, count: int) -> Mask:
        """The `count` first of `sizes` [n] in descending order."""
        library = sorter(self, len(sizes))
        return super().largest(sizes, count) if library is None else _mask(library, sizes, (0, count), True)

    def between(self, sizes: Real, dropped: int, kept: int) -> Mask:
        """`kept` of `sizes` [n] before the last `dropped` in ascending order."""
        library = sorter(self, len(sizes))
        if library is None:
            return super().between(sizes, dropped, kept)
        return _mask(library, sizes, between(len(sizes), dropped, kept), False)


@dataclass(frozen=True)
class Chosen:
    """Which changes a sort keeps: those of sizes between two `bounds`, and of two sizes, the `ties`, by their `bits`.

    `numbers` are, by the place of a block's first element, those of the first ones of either tie there or later.
    """

    bounds: tuple[float, float]
    ties: tuple[float, float]
    bits: Bytes
    numbers: dict[int, tuple[int, int]]

    def mask(self, sizes: Float32) -> Mask:
        """Which of all sizes [n] are kept."""
        kept: Mask = (sizes > self.bounds[0]) & (sizes < self.bounds[1])
        bits = np.unpackbits(self.bits, bitorder="little").view(np.bool_)
        for number, tie in zip(self.numbers.get(0, ()), self.ties, strict=False):
            equal = np.flatnonzero(sizes == tie)
            kept[equal] = bits[number : number + len(equal)]
        return kept

    def thin(self, library: Native, tensor: Float32, base: Float32, step: Steps, first: int, out: Float32) -> None:
        """Fill `out` [n] with the changes of a block from element `first` on that are kept, 0 elsewhere."""
        numbers = self.numbers.get(first, (0, 0))
        library.thin_by_bits(tensor, base, step.dtype.code, self.bounds, self.ties, numbers, self.bits, out)


def sorter(step: Steps, count: int) -> Native | None:
    """The library, where these steps sort as a program does and it can sort so many elements."""
    return for_merging() if isinstance(step, ProgramSteps) and count <= most(step) else None


def most(step: Steps) -> int:
    """Elements of which each size and the number of each tie fit into an item."""
    return (1 << 32) - (1 << 31 - SHIFT[step.dtype]) - 1


def between(count: int, dropped: int, kept: int) -> tuple[int, int]:
    """Where those that are kept stand in ascending order: `kept` of `count` before the last `dropped`."""
    stop = max(count - dropped, 0)
    return max(stop - kept, 0), stop


def chosen(
    library: Native, whole: Whole, step: Steps, wanted: Sequence[tuple[int, int]], largest_first: bool
) -> list[Chosen]:
    """What a sort of each model's changes by their sizes puts at the places that are `wanted` of it, start and stop.

    Sizes alone decide unless one of them is on both sides of a border; then the swaps do.
    """
    room: list[Items] = []  # one after the other
    return [_sorted(library, whole, step, n, pair, largest_first, room) for n, pair in enumerate(wanted)]


def _sorted(
    library: Native, whole: Whole, step: Steps, model: int, wanted: tuple[int, int], largest_first: bool,
    room: list[Items],
) -> Chosen:  # fmt: skip
    if wanted[0] >= wanted[1]:
        return Chosen((math.inf, math.inf), NO_SIZES, np.empty(BEYOND, np.uint8), {})
    if wanted == (0, whole.count):
        return Chosen((-1.0, math.inf), NO_SIZES, np.empty(BEYOND, np.uint8), {})
    shift, top = key = SHIFT[step.dtype], (1 << 31 - SHIFT[step.dtype]) - 1 if largest_first else -1
    items = room[0] if room else np.empty(whole.count, np.uint32)
    room[:] = [items]
    tables, lengths = Tables(), dict[int, int]()

    def fill(first: int, block: Inputs) -> tuple[int, int]:
        tensor = block.tensors[model]
        place = items[first : first + len(tensor)]
        library.fill_items(tensor, base_of(block), step.dtype.code, key, tables.own(), place)
        return first, len(tensor)

    whole.each(fill, lambda done: lengths.update([done]))
    ranks = wanted if largest_first else (whole.count - wanted[1], whole.count - wanted[0])
    outliers, inside = cuts = cuts_of_items(library, items, key, tables.sum(), ranks, step)
    bounds = inside.below, outliers.size
    divided = {cut.size: cut.equal for cut in cuts if cut.divides}
    if not divided:
        return Chosen(bounds, NO_SIZES, np.empty(BEYOND, np.uint8), {})
    sizes = sorted(divided, reverse=largest_first)
    keys = [abs(max(top, 0) - (int(np.float32(size).view(np.uint32)) >> shift)) for size in sizes]
    pairs = [(of, divided[size]) for of, size in zip(keys, sizes, strict=True)]
    ties = np.array([*pairs, NO_TIE][:2], np.int64)
    numbers, starts = np.zeros(2, np.int64), {}
    for first, length in lengths.items():
        starts[first] = int(numbers[0]), int(numbers[1]) + pairs[0][1]
        library.number_items(items[first : first + length], ties, numbers)
    bits = np.zeros(sum(divided.values()) // 8 + 1 + BEYOND, np.uint8)
    library.choose(items, *wanted, ties, bits)
    return Chosen(bounds, (sizes[0], [*sizes, math.nan][1]), bits, starts)


def _mask(library: Native, sizes: Real, wanted: tuple[int, int], largest_first: bool) -> Mask:
    """The same of sizes [n] themselves, as a mask [n]."""
    values: Float32 = np.ascontiguousarray(sizes, np.float32)
    start, stop = wanted[0], min(wanted[1], len(values))
    about = Inputs([values], np.zeros_like(values), values.shape, [{}])
    whole = Whole(about, len(values), lambda _: iter([(0, about)]))
    (found,) = chosen(library, whole, FLOAT32, [(start, stop)], largest_first)
    return found.mask(values)
