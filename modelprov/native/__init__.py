"""The C kernels as Python meets them: found, checked, loaded and called; or None, and numba computes instead.

Arrays in, arrays out: what the numbers mean is said by those who call. They are called by ctypes, which lets other
threads run meanwhile. A library that was built from other sources, or returns other bits than it should, is not used.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from modelprov.native.build import LIBRARY, digest_of_sources

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]
Counts = npt.NDArray[np.uint32]
Items = npt.NDArray[np.uint32]

CHOICE = "MODELPROV_KERNEL"
"""In the environment: `numba` leaves the C kernels aside."""
NAMES = {"avx2": "AVX2", "avx512": "AVX-512", "neon": "NEON"}
PLACE = Path(__file__).parent / LIBRARY
NO_MEMORY, NOT_WITHIN = 1, 2


class _Work(ctypes.Structure):
    """`Work` of work.h."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("n", "segments", "tensors", "recipes")),
        *(
            (name, ctypes.c_void_p)
            for name in (
                "address", "size", "tensor", "count", "start", "dtype", "rounded_to", "arithmetic", "order", "weights",
                "counts", "sums",
            )
        ),
    )  # fmt: skip


_INTEGER, _POINTER = ctypes.c_int64, ctypes.c_void_p
RESULTS = {
    "moments": ctypes.c_int, "weighted": ctypes.c_int, "load": _INTEGER, "send_windows": _INTEGER,
    "count_equal": _INTEGER,
}  # fmt: skip
ARGUMENTS = {
    "moments": [ctypes.POINTER(_Work)],
    "evaluate": [_INTEGER, _POINTER, _INTEGER, _INTEGER, _POINTER, _POINTER, _INTEGER, _POINTER, _INTEGER],
    "count_equal": [
        _INTEGER, _POINTER, _INTEGER, _INTEGER, _POINTER, _POINTER, _INTEGER, _POINTER, _INTEGER, _INTEGER,
    ],
    "widen": [_POINTER, _INTEGER, _INTEGER, _POINTER],
    "rounding_cells": [_POINTER, ctypes.c_double, ctypes.c_double, _POINTER, _POINTER, _INTEGER],
    "cumulative": [_POINTER, _POINTER, _INTEGER],
    "round_bf16": [_POINTER, _POINTER, _INTEGER],
    "send_windows": [_POINTER, _INTEGER, _POINTER, _POINTER],
    "load": [_POINTER, _INTEGER, _INTEGER, _POINTER],
    "weighted": [_INTEGER, _POINTER, _INTEGER, _INTEGER, *[_POINTER] * 3, _INTEGER, _INTEGER, _POINTER],
    "count_sizes": [_POINTER, _POINTER, _INTEGER, _INTEGER, _INTEGER, _POINTER],
    "fill_items": [_POINTER, _POINTER, *[_INTEGER] * 4, *[_POINTER] * 3],
    "choose": [_POINTER, _INTEGER, _INTEGER, _INTEGER, _POINTER, _POINTER],
    "thin": [_POINTER, _POINTER, _INTEGER, _INTEGER, _INTEGER, _POINTER, _POINTER, _POINTER],
    "thin_by_bits": [_POINTER, _POINTER, _INTEGER, _INTEGER, *[_POINTER] * 5],
    "blended": [_POINTER, _POINTER, _INTEGER, _POINTER, ctypes.c_float, _INTEGER, _INTEGER, _POINTER],
    "pack_bf16": [_POINTER, _INTEGER, _POINTER],
    "moved": [
        _POINTER, _POINTER, _INTEGER, _INTEGER, _POINTER, _INTEGER, _INTEGER, ctypes.c_float, _INTEGER, _INTEGER,
        _INTEGER, _POINTER,
    ],
}  # fmt: skip
"""Of each function of the library; those that are not among `RESULTS` return nothing."""
PLAIN = ("send_windows",)
"""Functions that there is one variant of."""


@dataclass(frozen=True, eq=False)
class Native:
    """The functions of the library for this processor; `variant` is the name of the instructions that they use."""

    variant: str
    _moments: Any
    _evaluate: Any
    _count_equal: Any
    _widen: Any
    _rounding_cells: Any
    _cumulative: Any
    _round_bf16: Any
    _load: Any
    _weighted: Any
    _count_sizes: Any
    _fill_items: Any
    _choose: Any
    _thin: Any
    _thin_by_bits: Any
    _blended: Any
    _pack_bf16: Any
    _moved: Any
    _send_windows: Any

    def moments(
        self, address: Int64, size: Int64, tensor: Int64, count: Int64, start: Int64, dtype: Int64, rounded_to: Int64,
        arithmetic: Int64, order: Int64, weights: Float64, counts: Int64, sums: Float64,
    ) -> None:  # fmt: skip
        """Add the moments of segments to their rows of `counts` and `sums`; see `forensics/sums/kernels/interface.py`.

        `address` and `size` are of the checkpoints' buffers. Raises `ValueError` where a segment is not within its
        buffer, `MemoryError`.
        """
        whole = (address, size, tensor, count, start, dtype, rounded_to, arithmetic, order)
        given = [*(np.ascontiguousarray(array, np.int64).ravel() for array in whole)]
        given.append(np.ascontiguousarray(weights, np.float64).view(np.int64).ravel())
        # In one array: asking numpy where an array lies takes microseconds, and there are calls for small blocks.
        held = np.concatenate(given)
        places = accumulate((8 * len(array) for array in given[:-1]), initial=held.ctypes.data)
        shape = (len(address), len(count), weights.shape[1], len(arithmetic))
        work = _Work(*shape, *places, counts.ctypes.data, sums.ctypes.data)
        failed = self._moments(ctypes.byref(work))
        if failed == NO_MEMORY:
            raise MemoryError("no memory for the kernel's scratch")
        if failed == NOT_WITHIN:
            raise ValueError("a segment is not within its buffer")

    def evaluate(
        self, arithmetic: int, parents: Float32, weights: Float64, order: Int64, code: int, out: Float32
    ) -> None:
        """Fill `out` float32 [m]; see `recipes/arithmetics.py`, which checks and arranges the arguments."""
        self._evaluate(
            int(arithmetic), parents.ctypes.data, len(parents), parents.strides[0] // 4, weights.ctypes.data,
            order.ctypes.data, int(code), out.ctypes.data, len(out),
        )  # fmt: skip

    def equal_counter(
        self, code: int, parents: Float32, suspect: npt.NDArray[np.uint32]
    ) -> Callable[[int, Float64, Int64, int], int]:
        """A function of (arithmetic, weights, order, spare) that counts elements with the bits of `suspect` uint32 [m].

        Of `parents` float32 [k, m], rows and suspect contiguous; -1 where more than `spare` elements have other bits.
        Where the arrays lie is asked once: the function is called thousands of times.
        """
        k, row, m = len(parents), parents.strides[0] // 4, len(suspect)
        where, bits = parents.ctypes.data, suspect.ctypes.data

        def counted(
            arithmetic: int, weights: Float64, order: Int64, spare: int, _kept: object = (parents, suspect)
        ) -> int:  # `_kept`: the arrays live as long as the function that was told where they lie
            weights = np.ascontiguousarray(weights, np.float64)
            given, places = weights.ctypes.data, order.ctypes.data
            return int(self._count_equal(arithmetic, where, k, row, given, places, code, bits, m, spare))

        return counted

    def widen(self, raw: Bytes, code: int, out: Float64) -> None:
        """Fill `out` float64 [n] with the stored numbers `raw`, both contiguous, exactly."""
        self._widen(raw.ctypes.data, int(code), out.size, out.ctypes.data)

    def rounding_cells(self, values: Float64, unit: float, smallest: float, lower: Float64, upper: Float64) -> None:
        """Fill `lower` and `upper` float64 [n] of `values` [n], all contiguous; see `formats/dtypes.py`."""
        self._rounding_cells(values.ctypes.data, unit, smallest, lower.ctypes.data, upper.ctypes.data, values.size)

    def cumulative(self, values: Float64, out: Float64) -> None:
        """Fill `out` float64 [n] with the normal distribution below `values` float64 [n], both contiguous."""
        self._cumulative(values.ctypes.data, out.ctypes.data, values.size)

    def round_bf16(self, values: Float32, out: Float32) -> None:
        """Fill `out` float32 [n] with `values` rounded to bf16, both contiguous; what is not finite stays as it is."""
        self._round_bf16(values.ctypes.data, out.ctypes.data, values.size)

    def load(self, raw: Bytes, code: int, out: Float32) -> bool:
        """Fill `out` float32 [n] with stored numbers of a format within float32; whether all of them are finite."""
        return bool(self._load(raw.ctypes.data, int(code), out.size, out.ctypes.data))

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

    def fill_items(
        self, tensor: Float32, base: Float32, code: int, key: tuple[int, int], ties: Int64, numbers: Int64, items: Items
    ) -> None:  # fmt: skip
        """Fill `items` uint32 [n] with what `choose` sorts: the sizes of such changes, and which tie is which.

        A `key` is said by how far bits are shifted, and by what they are taken from (below 0: they are the key). `ties`
        [2, 2] are keys and numbers of those at the borders, `numbers` [2] how many of either came before, and after.
        """
        self._fill_items(
            tensor.ctypes.data, base.ctypes.data, tensor.size, int(code), *map(int, key), ties.ctypes.data,
            numbers.ctypes.data, items.ctypes.data,
        )  # fmt: skip

    def choose(self, items: Items, start: int, stop: int, ties: Int64, bits: Bytes) -> None:
        """Set the `bits` of the ties that an introsort of `items` [n] puts at `start` to `stop`.

        The lowest bit of a byte is the first; those of the second of the `ties` follow those of the first. It takes the
        steps of the GNU C++ library's `std::sort`, as far as they decide this; `items` are moved.
        """
        self._choose(items.ctypes.data, items.size, int(start), int(stop), ties.ctypes.data, bits.ctypes.data)

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

    def thin_by_bits(
        self, tensor: Float32, base: Float32, code: int, bounds: tuple[float, float], ties: tuple[float, float],
        numbers: tuple[int, int], bits: Bytes, out: Float32,
    ) -> None:  # fmt: skip
        """Fill `out` [n] with the changes whose sizes are within `bounds`, 0 elsewhere; of `ties` by their bits.

        `numbers` are those of the first of either tie that may be here, among the `bits`, which eight bytes follow.
        """
        held = np.array([*bounds, *ties], np.float32)
        places = np.array(numbers, np.int64)
        self._thin_by_bits(
            tensor.ctypes.data, base.ctypes.data, tensor.size, int(code), held.ctypes.data, held[2:].ctypes.data,
            places.ctypes.data, bits.ctypes.data, out.ctypes.data,
        )  # fmt: skip

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

    def send_windows(self, lane: Int64, windows: Int64, parts: Int64) -> int | None:
        """Fill and send windows, and return whose turn is next; None where a read or the driver failed.

        `lane` is `Lane` of windows.c, with two windows, `windows` [w, 3] and `parts` [p, 4] its `Window` and `Part`.
        """
        held = [np.ascontiguousarray(array, np.int64) for array in (lane, windows, parts)]
        turn = self._send_windows(held[0].ctypes.data, len(windows), held[1].ctypes.data, held[2].ctypes.data)
        return None if turn < 0 else int(turn)


@lru_cache
def native() -> Native | None:
    """The library for this processor, checked once a process; None where numba has to do."""
    found = _found()
    return found if isinstance(found, Native) else None


@lru_cache
def for_merging() -> Native | None:
    """The same, with the loops of merges checked too, once a process that merges."""
    from modelprov.native.check import MERGING, merging_digest

    library = native()
    return library if library is not None and merging_digest(library) == MERGING else None


def why_not() -> str:
    """Why there are no C kernels here; empty where there are."""
    found = _found()
    return found if isinstance(found, str) else ""


class NotUsableError(Exception):
    """Why a library is not used, in words."""


def opened(place: Path) -> Native:
    """The library at a place, for this processor, unchecked. Raises `NotUsableError`."""
    try:
        library = ctypes.CDLL(str(place))
        if _text(library.modelprov_sources) != digest_of_sources():
            raise NotUsableError("built from other sources than are here: install modelprov again")
        variant = _text(library.modelprov_variant)
        if not variant:
            raise NotUsableError("this processor lacks the instructions that they were built for")
        names = {name: name if name in PLAIN else f"{name}_{variant}" for name in ARGUMENTS}
        functions = {name: getattr(library, f"modelprov_{there}") for name, there in names.items()}
    except (OSError, AttributeError) as error:
        raise NotUsableError(f"they cannot be loaded: {error}") from error
    for name, function in functions.items():
        function.restype, function.argtypes = RESULTS.get(name), ARGUMENTS[name]
    return Native(NAMES[variant], **{f"_{name}": function for name, function in functions.items()})


@lru_cache
def _found() -> Native | str:
    from modelprov.native.check import same_bits

    if os.environ.get(CHOICE) == "numba":
        return f"{CHOICE} asks for numba"
    if not PLACE.exists():
        return "not built when modelprov was installed: no C compiler, or a kind of processor that they do not know"
    try:
        library = opened(PLACE)
    except NotUsableError as reason:
        return str(reason)
    return library if same_bits(library) else f"their {library.variant} variant computes other bits than it should"


def _text(function: Any) -> str:
    function.restype = ctypes.c_char_p
    return str(function().decode())
