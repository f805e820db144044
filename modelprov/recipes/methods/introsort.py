"""Steps of merging programs that sort: of equal sizes those come first that the steps of their sort leave there.

mergekit sorts sizes with torch, which calls `std::sort` of the GNU C++ library: an introsort (Musser 1997). It is not
stable: of many equal sizes those come first which the swaps of the whole sort leave first. The swaps that decide what
lies before a border are repeated in C (`native/parting.c`, `native/choosing.c`). No algorithm of a method lives here.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.engines.local import leave_if_stopped
from modelprov.native import for_merging
from modelprov.native.functions import Native
from modelprov.native.merge_loops import Bits, Keys
from modelprov.recipes.methods.interface import Float32, Inputs, Whole
from modelprov.recipes.methods.steps import FLOAT32, Mask, Real, Steps, base_of

SHIFT = {DType.BF16: 16, DType.F16: 13, DType.F32: 0}
"""Lowest bits of a float32 that numbers of a format do not use."""
WORD = 64
"""Elements of which a word holds a bit each."""
AT_ONCE = 1 << 16
"""Keys that are sorted with their places; more are parted first."""
MOVES = 1
"""Bytes an element for the moves of all parts around the borders: eight of the whole length (three are usual)."""


@dataclass(frozen=True)
class ProgramSteps(Steps):
    """`Steps` in float32 or a 16-bit format that sort as the programs do, where there are C kernels."""

    def largest(self, sizes: Real, count: int) -> Mask:
        """The `count` first of `sizes` [n] in descending order."""
        library = sorter(self)
        return super().largest(sizes, count) if library is None else _mask(library, sizes, (0, count), True)

    def between(self, sizes: Real, dropped: int, kept: int) -> Mask:
        """`kept` of `sizes` [n] before the last `dropped` in ascending order."""
        library = sorter(self)
        if library is None:
            return super().between(sizes, dropped, kept)
        return _mask(library, sizes, between(len(sizes), dropped, kept), False)


@dataclass(frozen=True)
class Chosen:
    """Which changes a sort keeps: a bit for each element, and a word beyond them."""

    bits: Bits

    def mask(self, count: int) -> Mask:
        """Which of all `count` elements are kept."""
        flags: Mask = np.unpackbits(self.bits.view(np.uint8), count=count, bitorder="little").view(np.bool_)
        return flags

    def thin(self, library: Native, tensor: Float32, base: Float32, step: Steps, first: int, out: Float32) -> None:
        """Fill `out` [n] with the changes of a block from element `first` on that are kept, 0 elsewhere."""
        library.thin_by_bits(tensor, base, step.dtype.code, self.bits, first, out)


def sorter(step: Steps) -> Native | None:
    """The library, where these steps sort as a program does."""
    return for_merging() if isinstance(step, ProgramSteps) else None


def bytes_to_sort(step: Steps, count: int) -> int:
    """Memory that sorting so many changes takes, beside what is kept of them."""
    return count * (_key_type(step)().itemsize + MOVES)


def bytes_chosen(count: int) -> int:
    """Memory of what is kept of so many changes."""
    return (count // WORD + 2) * (WORD // 8)


def between(count: int, dropped: int, kept: int) -> tuple[int, int]:
    """Where those that are kept stand in ascending order: `kept` of `count` before the last `dropped`."""
    stop = max(count - dropped, 0)
    return max(stop - kept, 0), stop


def chosen(
    library: Native, whole: Whole, step: Steps, wanted: Sequence[tuple[int, int]], largest_first: bool
) -> list[Chosen]:
    """What a sort of each model's changes by their sizes puts at the places that are `wanted` of it, start and stop."""
    room: list[Keys] = []  # one model after the other
    return [_sorted(library, whole, step, n, pair, largest_first, room) for n, pair in enumerate(wanted)]


def _key_type(step: Steps) -> type[np.uint16] | type[np.uint32]:
    return np.uint16 if step.dtype is DType.BF16 else np.uint32


def _sorted(
    library: Native, whole: Whole, step: Steps, model: int, wanted: tuple[int, int], largest_first: bool,
    room: list[Keys],
) -> Chosen:  # fmt: skip
    bits: Bits = _new(bytes_chosen(whole.count) // 8, np.uint64)
    _set(bits, *wanted)
    if wanted[0] >= wanted[1] or wanted == (0, whole.count):
        return Chosen(bits)
    shift = SHIFT[step.dtype]
    key = shift, (1 << 31 - shift) - 1 if largest_first else -1
    keys: Keys = room[0] if room else _new((whole.count // WORD + 1) * WORD, _key_type(step))
    room[:] = [keys]

    def fill(first: int, block: Inputs) -> None:
        tensor = block.tensors[model]
        library.fill_keys(tensor, base_of(block), step.dtype.code, key, keys[first : first + len(tensor)])

    whole.each(fill, lambda _: None)
    with ThreadPoolExecutor(whole.threads) as pool:
        _Parting(library, keys, wanted, bits, whole.threads, pool).settle(0, whole.count)
    return Chosen(bits)


@dataclass
class _Parting:
    """A sort of keys, as far as it decides what it puts at the places that are `wanted`: their `bits` are set."""

    library: Native
    keys: Keys
    wanted: tuple[int, int]
    bits: Bits
    threads: int
    pool: ThreadPoolExecutor
    back: Bits | None = None

    def settle(self, first: int, last: int, depth: int | None = None) -> None:
        """Bring the bits of a part from its places after the sort to those before it; its keys are moved.

        So many times it may be parted (by default, twice as often as it can be halved) before a heap sorts it.
        """
        depth = 2 * ((last - first).bit_length() - 1) if depth is None else depth
        leave_if_stopped()
        if not self._asked(first, last):
            return
        if last - first <= AT_ONCE or depth == 0:
            self.library.choose(self.keys, (first, last), depth, self.wanted, self.bits)
            return
        pivot = self.library.bring_pivot(self.keys, first, last)
        moves, pairs, cut = self._parted(first, last)
        self.settle(cut, last, depth - 1)
        self.settle(first, cut, depth - 1)
        self.library.undo_moves(self.bits, first, pivot, moves, pairs)

    def _asked(self, first: int, last: int) -> bool:
        """Whether a border lies within a part, the ends not counted."""
        return any(first < border < last for border in self.wanted)

    def _parted(self, first: int, last: int) -> tuple[Bits, int, int]:
        """Part keys by the one at their front: the moves, of how many pairs, and where the upper part begins."""
        base = first // WORD * WORD
        words = -(-(last - base) // WORD)
        front: Bits = _new(words, np.uint64)
        if self.back is None:  # of all elements: parts of them come later
            self.back = _new(words, np.uint64)
        back = self.back[:words]
        self._spread(words, lambda some: self.library.mark_stops(self.keys, (first, last), some, front, back))
        pairs, cut = self.library.meet(front, back)
        cut += base
        asked = self._asked(first, cut), self._asked(cut, last)
        self._spread(pairs, lambda some: self.library.exchange_keys(self.keys, first, front, some, asked))
        return front, pairs, cut

    def _spread(self, count: int, work: Callable[[tuple[int, int]], None]) -> None:
        ends = [count * n // self.threads for n in range(self.threads + 1)]
        list(self.pool.map(work, pairwise(ends)))


def _new(count: int, kind: type[np.generic]) -> npt.NDArray[Any]:
    """Zeros [count] in pages of the usual size.

    numpy asks for huge ones. A virtual machine that hands free memory back to its host has to have these from it anew:
    of TIES with a tensor of 1 GB that took 2 to 3 seconds of 9, usual pages .5. Elsewhere huge ones would save .3.
    """
    size = count * np.dtype(kind).itemsize
    if not hasattr(mmap, "MAP_ANONYMOUS"):
        return np.zeros(count, kind)
    return np.frombuffer(mmap.mmap(-1, max(size, 1), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS), kind, count)


def _set(bits: Bits, start: int, stop: int) -> None:
    """Set the bits of places `start` to `stop`."""
    held, first, last = bits.view(np.uint8), -(-start // 8), stop // 8
    held[first:last] = 255
    for place in (*range(start, min(8 * first, stop)), *range(max(8 * last, start), stop)):
        held[place // 8] |= 1 << place % 8


def _mask(library: Native, sizes: Real, wanted: tuple[int, int], largest_first: bool) -> Mask:
    """The same of sizes [n] themselves, as a mask [n]."""
    values: Float32 = np.ascontiguousarray(sizes, np.float32)
    start, stop = wanted[0], min(wanted[1], len(values))
    about = Inputs([values], np.zeros_like(values), values.shape, [{}])
    whole = Whole(about, len(values), lambda _: iter([(0, about)]))
    (found,) = chosen(library, whole, FLOAT32, [(start, stop)], largest_first)
    return found.mask(len(values))
