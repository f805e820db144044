"""The C kernels as Python meets them: found, checked, loaded and called; or None, and numba computes instead.

Arrays in, arrays out: what the numbers mean is said by those who call. They are called by ctypes, which lets other
threads run meanwhile. A library that was built from other sources, or returns other bits than it should, is not used.
"""

from __future__ import annotations

import ctypes
import os
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


@dataclass(frozen=True, eq=False)
class Native:
    """The functions of the library for this processor; `variant` is the name of the instructions that they use."""

    variant: str
    _moments: Any
    _evaluate: Any
    _cumulative: Any
    _round_bf16: Any
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

    def cumulative(self, values: Float64, out: Float64) -> None:
        """Fill `out` float64 [n] with the normal distribution below `values` float64 [n], both contiguous."""
        self._cumulative(values.ctypes.data, out.ctypes.data, values.size)

    def round_bf16(self, values: Float32, out: Float32) -> None:
        """Fill `out` float32 [n] with `values` rounded to bf16, both contiguous; what is not finite stays as it is."""
        self._round_bf16(values.ctypes.data, out.ctypes.data, values.size)

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
        moments, evaluate, cumulative, round_bf16 = (
            getattr(library, f"modelprov_{name}_{variant}")
            for name in ("moments", "evaluate", "cumulative", "round_bf16")
        )
        send_windows = library.modelprov_send_windows
    except (OSError, AttributeError) as error:
        raise NotUsableError(f"they cannot be loaded: {error}") from error
    integer, pointer = ctypes.c_int64, ctypes.c_void_p
    moments.restype, moments.argtypes = ctypes.c_int, [ctypes.POINTER(_Work)]
    evaluate.restype = cumulative.restype = round_bf16.restype = None
    evaluate.argtypes = [integer, pointer, integer, integer, pointer, pointer, integer, pointer, integer]
    cumulative.argtypes = round_bf16.argtypes = [pointer, pointer, integer]
    send_windows.restype, send_windows.argtypes = integer, [pointer, integer, pointer, pointer]
    return Native(NAMES[variant], moments, evaluate, cumulative, round_bf16, send_windows)


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
