"""The functions of the C kernels: their arguments and results as C has them, and as Python calls them.

Arrays in, arrays out: what the numbers mean is said by those who call. They are called by ctypes, which lets other
threads run meanwhile. Nothing is loaded here.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

from modelprov.native.merge_loops import MERGE_ARGUMENTS, MERGE_RESULTS, MergeLoops

Int64 = npt.NDArray[np.int64]
Float64 = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]
Bytes = npt.NDArray[np.uint8]

NO_MEMORY, NOT_WITHIN, NOT_READ = 1, 2, 3
SIZES = (2, 2, 4, 8)
"""Bytes of an element, by the code of its format."""
IN_MEMORY = -1
"""In the place of a file's descriptor: what lies beside it is an address."""


class _Work(ctypes.Structure):
    """`Work` of work.h."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("n", "segments", "tensors", "recipes")),
        *(
            (name, ctypes.c_void_p)
            for name in (
                "descriptor", "address", "size", "tensor", "count", "start", "dtype", "rounded_to", "arithmetic",
                "order", "weights", "counts", "sums",
            )
        ),
    )  # fmt: skip


_INTEGER, _POINTER = ctypes.c_int64, ctypes.c_void_p
_FLOAT = ctypes.c_double
_ELEMENTS = [_INTEGER, _POINTER, _INTEGER, _INTEGER, _POINTER, _POINTER, _INTEGER, _POINTER, _INTEGER, _INTEGER]
RESULTS = {
    "moments": ctypes.c_int, "send_windows": _INTEGER, "count_equal": _INTEGER, "reach": _FLOAT, **MERGE_RESULTS,
}  # fmt: skip
ARGUMENTS = {
    "moments": [ctypes.POINTER(_Work)],
    "evaluate": [_INTEGER, _POINTER, _INTEGER, _INTEGER, _POINTER, _POINTER, _INTEGER, _POINTER, _INTEGER],
    "count_equal": _ELEMENTS,
    "reach": [*_ELEMENTS, _INTEGER, _FLOAT, _FLOAT, _FLOAT, _INTEGER, _POINTER],
    "widen": [_POINTER, _INTEGER, _INTEGER, _POINTER],
    "rounding_cells": [_POINTER, _FLOAT, _FLOAT, _POINTER, _POINTER, _INTEGER],
    "cumulative": [_POINTER, _POINTER, _INTEGER],
    "round_bf16": [_POINTER, _POINTER, _INTEGER],
    "squares": [_POINTER, _INTEGER, _INTEGER, _INTEGER, _POINTER, _POINTER, _POINTER, _POINTER, _POINTER],
    "apart": [_POINTER, _INTEGER, _POINTER, _INTEGER, _INTEGER, _POINTER],
    "send_windows": [_POINTER, _INTEGER, _POINTER, _POINTER],
    **MERGE_ARGUMENTS,
}  # fmt: skip
"""Of each function of the library; those that are not among `RESULTS` return nothing."""
PLAIN = ("send_windows",)
"""Functions that there is one variant of."""


class SameBits:
    """Counts elements of a weighted sum that have given bits. Where the arrays lie is asked once, and they are kept."""

    def __init__(
        self, count: Any, reach: Any, code: int, parents: Float32, suspect: npt.NDArray[np.uint32]
    ) -> None:  # fmt: skip
        self._kept = parents, suspect
        self._count, self._reach, self.elements = count, reach, len(suspect)
        self._parents = parents.ctypes.data, len(parents), parents.strides[0] // 4
        self._suspect = int(code), suspect.ctypes.data, len(suspect)

    def count(self, arithmetic: int, weights: Float64, order: Int64, spare: int) -> int:
        """How many come out with `weights` float64 [k]; -1 where more than `spare` elements have other bits."""
        weights = np.ascontiguousarray(weights, np.float64)
        where = weights.ctypes.data, order.ctypes.data
        return int(self._count(arithmetic, *self._parents, *where, *self._suspect, spare))

    def reach(
        self, arithmetic: int, weights: Float64, order: Int64, spare: int, parent: int, sign: float,
        ends: tuple[float, float], halvings: int,
    ) -> float:  # fmt: skip
        """How far the weight of `parent` may go in the direction of `sign`; see `forensics/search/same_bits.py`.

        `ends` are the distance that is tried first, to be doubled, and the furthest.
        """
        weights = np.ascontiguousarray(weights, np.float64)
        moved = np.empty_like(weights)
        where = weights.ctypes.data, order.ctypes.data
        return float(
            self._reach(
                arithmetic, *self._parents, *where, *self._suspect, spare, parent, sign, *ends, halvings,
                moved.ctypes.data,
            )
        )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Native(MergeLoops):
    """The functions of the library for this processor; `variant` is the name of the instructions that they use."""

    variant: str
    _moments: Any
    _evaluate: Any
    _count_equal: Any
    _reach: Any
    _widen: Any
    _rounding_cells: Any
    _cumulative: Any
    _round_bf16: Any
    _squares: Any
    _apart: Any
    _send_windows: Any

    def moments(
        self, descriptor: Int64, address: Int64, size: Int64, tensor: Int64, count: Int64, start: Int64, dtype: Int64,
        rounded_to: Int64, arithmetic: Int64, order: Int64, weights: Float64, counts: Int64, sums: Float64,
    ) -> bool:  # fmt: skip
        """Add the moments of segments to their rows of `counts` and `sums`; see `forensics/sums/kernels/interface.py`.

        `address` and `size` are of the checkpoints' buffers; those with a `descriptor` other than `IN_MEMORY` are read
        from that file. False where one could not be read, and the rows are worth nothing. Raises `ValueError` where a
        segment is not within its buffer, `MemoryError`.
        """
        whole = (descriptor, address, size, tensor, count, start, dtype, rounded_to, arithmetic, order)
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
        return bool(failed != NOT_READ)

    def evaluate(
        self, arithmetic: int, parents: Float32, weights: Float64, order: Int64, code: int, out: Float32
    ) -> None:
        """Fill `out` float32 [m]; see `recipes/arithmetics.py`, which checks and arranges the arguments."""
        self._evaluate(
            int(arithmetic), parents.ctypes.data, len(parents), parents.strides[0] // 4, weights.ctypes.data,
            order.ctypes.data, int(code), out.ctypes.data, len(out),
        )  # fmt: skip

    def same_bits(self, code: int, parents: Float32, suspect: npt.NDArray[np.uint32]) -> SameBits:
        """Held against the bits `suspect` uint32 [m]: `parents` float32 [k, m], rows and suspect contiguous."""
        return SameBits(self._count_equal, self._reach, code, parents, suspect)

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

    def squares(
        self, raw: Bytes, code: int, of_columns: Float64 | None, of_rows: Float64 | None, by_row: Float64,
        by_column: Float64,
    ) -> None:  # fmt: skip
        """Fill `by_row` [rows] with sums of squares of stored rows, and add those of columns to `by_column` [columns].

        `raw` are their bytes; `of_columns` and `of_rows` what squares are multiplied by. All are contiguous. Raises
        `ValueError` where there are fewer bytes or factors.
        """
        weighted = ((of_columns, by_column), (of_rows, by_row))
        if raw.size < by_row.size * by_column.size * SIZES[code] or any(
            factors is not None and factors.size < sums.size for factors, sums in weighted
        ):
            raise ValueError("rows are not within their bytes")
        given = [None if each is None else each.ctypes.data for each in (of_columns, of_rows)]
        scratch = np.empty_like(by_column)
        self._squares(
            raw.ctypes.data, int(code), by_row.size, by_column.size, *given, by_row.ctypes.data, by_column.ctypes.data,
            scratch.ctypes.data,
        )  # fmt: skip

    def apart(self, first: Float64, second: Float64) -> Int64:
        """Of ascending rows [p, n] and [q, n] how far every two are apart, times n, int64 [p, q]; both contiguous."""
        found = np.empty((len(first), len(second)), np.int64)
        self._apart(first.ctypes.data, len(first), second.ctypes.data, len(second), first.shape[1], found.ctypes.data)
        return found

    def send_windows(self, lane: Int64, windows: Int64, parts: Int64) -> int | None:
        """Fill and send windows, and return whose turn is next; None where a read or the driver failed.

        `lane` is `Lane` of windows.c, with two windows, `windows` [w, 3] and `parts` [p, 4] its `Window` and `Part`.
        """
        held = [np.ascontiguousarray(array, np.int64) for array in (lane, windows, parts)]
        turn = self._send_windows(held[0].ctypes.data, len(windows), held[1].ctypes.data, held[2].ctypes.data)
        return None if turn < 0 else int(turn)
