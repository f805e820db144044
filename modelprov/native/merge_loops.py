"""The loops of merges in C (`merging.c`, `sizes.c`, `parting.c`, `choosing.c`, and others) as Python calls them.

Arrays in, arrays out, contiguous; numbers are float32 of finite values, and `code` is the format that every operation
is rounded to. What the numbers mean is said by `recipes/methods`.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]
Counts = npt.NDArray[np.uint32]
Keys = npt.NDArray[np.uint16 | np.uint32]
Bits = npt.NDArray[np.uint64]
Generator = npt.NDArray[np.uint64]

_INTEGER, _POINTER, _FLOAT = ctypes.c_int64, ctypes.c_void_p, ctypes.c_float
MERGE_RESULTS = {
    "weighted": ctypes.c_int, "choose": ctypes.c_int, "load": _INTEGER, "all_finite": _INTEGER,
    "add_in_levels": _INTEGER, "bring_pivot": _INTEGER, "meet": _INTEGER,
}  # fmt: skip
MERGE_ARGUMENTS = {
    "load": [_POINTER, _INTEGER, _INTEGER, _POINTER],
    "all_finite": [_POINTER, _INTEGER, _INTEGER],
    "weighted": [_INTEGER, _POINTER, _INTEGER, _INTEGER, *[_POINTER] * 3, _INTEGER, _INTEGER, _POINTER],
    "count_sizes": [_POINTER, _POINTER, _INTEGER, _INTEGER, _INTEGER, _POINTER],
    "fill_keys": [_POINTER, _POINTER, *[_INTEGER] * 5, _POINTER],
    "bring_pivot": [_POINTER, *[_INTEGER] * 3],
    "mark_stops": [_POINTER, *[_INTEGER] * 5, _POINTER, _POINTER],
    "meet": [_POINTER, _POINTER, _INTEGER, _POINTER],
    "exchange_keys": [_POINTER, _INTEGER, _INTEGER, _POINTER, *[_INTEGER] * 5],
    "undo_moves": [_POINTER, _INTEGER, _INTEGER, _POINTER, _INTEGER, _INTEGER],
    "choose": [_POINTER, *[_INTEGER] * 6, _POINTER],
    "thin": [_POINTER, _POINTER, _INTEGER, _INTEGER, _INTEGER, _POINTER, _POINTER, _POINTER],
    "thin_by_bits": [_POINTER, _POINTER, _INTEGER, _INTEGER, _POINTER, _INTEGER, _POINTER],
    "blended": [_POINTER, _POINTER, _INTEGER, _POINTER, ctypes.c_float, _INTEGER, _INTEGER, _POINTER],
    "pack_bf16": [_POINTER, _INTEGER, _POINTER],
    "moved": [
        _POINTER, _POINTER, _INTEGER, _INTEGER, _POINTER, _INTEGER, _INTEGER, ctypes.c_float, _INTEGER, _INTEGER,
        _INTEGER, _POINTER,
    ],
    "thin_by_chance": [_POINTER, _POINTER, _INTEGER, _INTEGER, _POINTER, _INTEGER, _INTEGER, _FLOAT, _POINTER],
    "sizes_by_chance": [_POINTER, _POINTER, _INTEGER, _INTEGER, _POINTER, _INTEGER, _INTEGER, _POINTER],
    "add_squares": [_POINTER, _INTEGER, _POINTER],
    "add_in_levels": [_POINTER, _INTEGER, _POINTER, _INTEGER, _INTEGER, _INTEGER],
    "unit_products": [_POINTER, _POINTER, _INTEGER, _POINTER, _INTEGER, _POINTER],
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class MergeLoops:
    """The functions of the library that merges call."""

    _load: Any
    _all_finite: Any
    _weighted: Any
    _count_sizes: Any
    _fill_keys: Any
    _bring_pivot: Any
    _mark_stops: Any
    _meet: Any
    _exchange_keys: Any
    _undo_moves: Any
    _choose: Any
    _thin: Any
    _thin_by_bits: Any
    _blended: Any
    _pack_bf16: Any
    _moved: Any
    _thin_by_chance: Any
    _sizes_by_chance: Any
    _add_squares: Any
    _add_in_levels: Any
    _unit_products: Any

    def load(self, raw: Bytes, code: int, out: Float32) -> bool:
        """Fill `out` float32 [n] with stored numbers of a format within float32; whether all of them are finite."""
        return bool(self._load(raw.ctypes.data, int(code), out.size, out.ctypes.data))

    def all_finite(self, raw: Bytes, code: int, count: int) -> bool:
        """Whether `count` stored numbers of a format within float32, aligned or not, are finite."""
        return bool(self._all_finite(raw.ctypes.data, int(code), int(count)))

    def weighted(
        self, arithmetic: int, raw: Bytes, codes: Int64, weights: Float64, order: Int64, out_code: int, count: int,
        out: Bytes,
    ) -> None:  # fmt: skip
        """Fill `out` with the stored bytes, bf16 or float32, of a weighted sum; see `merge/fused.py`."""
        failed = self._weighted(
            int(arithmetic), raw.ctypes.data, raw.strides[0], len(codes), codes.ctypes.data, weights.ctypes.data,
            order.ctypes.data, int(out_code), int(count), out.ctypes.data,
        )  # fmt: skip
        if failed:
            raise MemoryError("no memory for the kernel's scratch")

    def count_sizes(self, tensor: Float32, base: Float32, code: int, known: int, bins: Counts) -> None:
        """Add to `bins` uint32 [4, 65536] the sizes of `tensor` [n] - `base` [n], each operation rounded to `code`.

        By the upper 16 bits where `known` is below 0, else, of those whose upper bits it is, by the lower.
        """
        self._count_sizes(tensor.ctypes.data, base.ctypes.data, tensor.size, int(code), int(known), bins.ctypes.data)

    def fill_keys(self, tensor: Float32, base: Float32, code: int, key: tuple[int, int], keys: Keys) -> None:
        """Fill `keys` [n] with those of the sizes of such changes.

        A `key` is said by how far bits are shifted, and by what they are taken from (below 0: they are the key).
        """
        self._fill_keys(
            tensor.ctypes.data, base.ctypes.data, tensor.size, int(code), *map(int, key), keys.itemsize == 4,
            keys.ctypes.data,
        )  # fmt: skip

    def bring_pivot(self, keys: Keys, first: int, last: int) -> int:
        """Bring the pivot by which an introsort parts `first` to `last` of the keys to their front; from where."""
        return int(self._bring_pivot(keys.ctypes.data, keys.itemsize == 4, first, last))

    def mark_stops(self, keys: Keys, part: tuple[int, int], words: tuple[int, int], front: Bits, back: Bits) -> None:
        """Set of some `words` the bits of keys where a scan of a `part` from its front stops, and one from its back.

        The first word is that of the part's first key; bits are those of places. Keys of whole words can be read.
        """
        self._mark_stops(
            keys.ctypes.data, keys.itemsize == 4, *part, *words, front.ctypes.data, back.ctypes.data
        )  # fmt: skip

    def meet(self, front: Bits, back: Bits) -> tuple[int, int]:
        """Make of stops the moves, in `front`: how many pairs, and where the upper part begins, from the first bit."""
        cut = np.empty(1, np.int64)
        pairs = int(self._meet(front.ctypes.data, back.ctypes.data, len(front), cut.ctypes.data))
        return pairs, int(cut[0])

    def exchange_keys(
        self, keys: Keys, first: int, moves: Bits, pairs: tuple[int, int], wanted: tuple[bool, bool] = (True, True)
    ) -> None:
        """Move some of the pairs of a part that begins at `first`, the outermost being the first.

        Only the keys of the lower part and the upper one that are `wanted` are right then.
        """
        self._exchange_keys(
            keys.ctypes.data, keys.itemsize == 4, first, moves.ctypes.data, len(moves), *pairs, *wanted
        )  # fmt: skip

    def undo_moves(self, bits: Bits, first: int, pivot: int, moves: Bits, pairs: int) -> None:
        """Bring `bits` of places after a part was parted, its `pivot` from there, to the places before."""
        self._undo_moves(bits.ctypes.data, first, pivot, moves.ctypes.data, len(moves), pairs)

    def choose(self, keys: Keys, part: tuple[int, int], depth: int, wanted: tuple[int, int], bits: Bits) -> None:
        """Set the `bits` of those of a `part` that an introsort puts at `wanted`, start to stop, and clear others'.

        It takes the steps of the GNU C++ library's `std::sort`, as far as they decide this.
        """
        if self._choose(keys.ctypes.data, keys.itemsize == 4, *part, depth, *wanted, bits.ctypes.data):
            raise MemoryError("no memory for the places of keys")

    def thin(
        self, tensor: Float32, base: Float32, code: int, first: int, cuts: tuple[float, float],
        last: tuple[int, int], out: Float32,
    ) -> None:  # fmt: skip
        """Fill `out` [n] with the changes whose sizes the first cut keeps and the second one does not, 0 elsewhere."""
        held, places = np.array(cuts, np.float32), np.array(last, np.int64)
        self._thin(
            tensor.ctypes.data, base.ctypes.data, tensor.size, int(code), int(first), held.ctypes.data,
            places.ctypes.data, out.ctypes.data,
        )  # fmt: skip

    def thin_by_bits(self, tensor: Float32, base: Float32, code: int, bits: Bits, first: int, out: Float32) -> None:
        """Fill `out` [n] with the changes whose `bits` are set, from that of `first` on, 0 elsewhere.

        A word follows the last bit.
        """
        self._thin_by_bits(
            tensor.ctypes.data, base.ctypes.data, tensor.size, int(code), bits.ctypes.data, int(first), out.ctypes.data
        )

    def blended(
        self, x: Float32, y: Float32, factors: tuple[float, float], divisor: float, code: int, out_code: int,
        out: Float32,
    ) -> None:  # fmt: skip
        """Fill `out` [n] with `x` [n] and `y` [n] times their factors, added, and divided unless `divisor` is 0."""
        held = np.array(factors, np.float32)
        self._blended(
            x.ctypes.data, y.ctypes.data, x.size, held.ctypes.data, float(divisor), int(code), int(out_code),
            out.ctypes.data,
        )  # fmt: skip

    def pack_bf16(self, values: Float32, out: Bytes) -> None:
        """Fill `out` uint8 [2 n] with the stored bytes of numbers that bf16 holds."""
        self._pack_bf16(values.ctypes.data, values.size, out.ctypes.data)

    def moved(
        self, base: Float32, changes: Float32, weights: Float32, vote: bool, normalize: bool, scale: float,
        code: int, out_code: int, out: Float32,
    ) -> None:  # fmt: skip
        """Fill `out` [n] with `base` [n] + `changes` [k, n] by their `weights` [k]; see `methods/combining.py`."""
        self._moved(
            base.ctypes.data, changes.ctypes.data, changes.strides[0] // 4, len(changes), weights.ctypes.data,
            bool(vote), bool(normalize), float(scale), int(code), int(out_code), base.size, out.ctypes.data,
        )  # fmt: skip

    def thin_by_chance(
        self, tensor: Float32, base: Float32, code: int, drawn: tuple[Generator, int, int], factor: float, out: Float32
    ) -> None:
        """Fill `out` [n] with the changes that are kept by chance, times `factor`; 0 elsewhere.

        `drawn` is a generator uint64 [4] (halves of its state and of its increment, the high ones first), the place of
        the first number, and what numbers times 2**24 have to be below: all are kept, and none drawn, at 2**24.
        """
        generator, place, least = drawn
        self._thin_by_chance(
            tensor.ctypes.data, base.ctypes.data, tensor.size, int(code), generator.ctypes.data, int(place), int(least),
            float(factor), out.ctypes.data,
        )  # fmt: skip

    def sizes_by_chance(
        self, tensor: Float32, base: Float32, code: int, drawn: tuple[Generator, int, int], sums: Float64
    ) -> None:
        """Fill `sums` float64 [groups, 2] with the sizes of such changes and of those that are kept.

        A group is of 8,192 elements, as many as numpy converts at a time, the last one of what is left.
        """
        generator, place, least = drawn
        self._sizes_by_chance(
            tensor.ctypes.data, base.ctypes.data, tensor.size, int(code), generator.ctypes.data, int(place), int(least),
            sums.ctypes.data,
        )  # fmt: skip

    def add_squares(self, values: Float32, lanes: Float32) -> None:
        """Add the squares of `values` [8 n] to `lanes` [8], each to the lane of its place."""
        self._add_squares(values.ctypes.data, values.size, lanes.ctypes.data)

    def add_in_levels(self, values: Float32, levels: Float32, at: int, power: int, wide: bool) -> int:
        """Add `values` to `levels` [4, 4, 8] as torch's cascaded sum does; see `methods/loops.py`."""
        done = self._add_in_levels(
            values.ctypes.data, values.size, levels.ctypes.data, int(at), int(power), bool(wide)
        )  # fmt: skip
        return int(done)

    def unit_products(self, x: Float32, y: Float32, divisors: tuple[float, float], code: int, out: Float32) -> None:
        """Fill `out` [n] with the products of `x` [n] and `y` [n], each divided by its number; all rounded."""
        held = np.array(divisors, np.float32)
        self._unit_products(x.ctypes.data, y.ctypes.data, x.size, held.ctypes.data, int(code), out.ctypes.data)
