"""The kernel for processors: C where it was built and is right here (`modelprov/native/`), else numba. Loops: there.

Importing this imports neither numba nor what needs it; where there is C nothing else does in a comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.checkpoints.sources.interface import Stored
from modelprov.forensics.sums.kernels.interface import Device, RecipePlan, Segments
from modelprov.forensics.sums.kernels.reference import reference_kernel
from modelprov.forensics.sums.kernels.stored import lies, read_first
from modelprov.forensics.sums.moments import Moments
from modelprov.native import native
from modelprov.native.functions import IN_MEMORY

Bytes = npt.NDArray[np.uint8]
BLOCK = 16 << 20
"""Bytes of each checkpoint: 16 threads that take turns at Python between blocks need them so large
(`benchmarks/results/gpu.json`)."""


def processor(why: str = "") -> Device:
    """The processor as a device, in words that end with `why` it computes; files are read by C where there is that."""
    if native() is None:
        return Device(cpu_kernel, f"{description()}{why}")
    return Device(cpu_kernel, f"{description()}{why}", block=BLOCK, by_pieces=cpu_by_pieces)


def cpu_kernel(buffers: Sequence[npt.NDArray[np.uint8]], segments: Segments, recipes: RecipePlan) -> Moments:
    """See `Kernel`; releases the GIL. Sums of whole tensors are within 1e-7 of float64 (of short runs within 5e-7)."""
    return (numba_kernel if native() is None else c_kernel)(buffers, segments, recipes)


def c_kernel(buffers: Sequence[npt.NDArray[np.uint8]], segments: Segments, recipes: RecipePlan) -> Moments:
    """The same in C; `native()` must not be None. Raises `ValueError` where a segment is not within its buffer."""
    library = native()
    if library is None:
        raise RuntimeError("there is no C kernel here")
    in_memory = np.full(len(buffers), IN_MEMORY, np.int64)
    return _with(partial(library.moments, in_memory), buffers, segments, recipes)


def cpu_by_pieces(buffers: Sequence[Bytes | Stored], segments: Segments, recipes: RecipePlan) -> Moments:
    """The same of bytes of which some are stored: C reads them into windows, which the processor's cache holds.

    What it cannot read or add is read first, and raises as reading does.
    """
    library = native()
    if library is not None and not _wide(segments):
        rows = Moments.empty(len(buffers), len(segments.count))
        with ExitStack() as held, suppress(OSError):
            lie = np.array([held.enter_context(lies(buffer)) for buffer in buffers])
            sizes = np.array([buffer.size if isinstance(buffer, np.ndarray) else 0 for buffer in buffers], np.int64)
            if library.moments(lie[:, 0], lie[:, 1], sizes, *_columns(segments, recipes, rows)):
                return rows
    return read_first(cpu_kernel, buffers, segments, recipes)


def numba_kernel(buffers: Sequence[npt.NDArray[np.uint8]], segments: Segments, recipes: RecipePlan) -> Moments:
    """The same in numba, which is imported, and compiles on the first run."""
    from modelprov.forensics.sums.kernels.numba_loops import add_moments

    return _with(add_moments, buffers, segments, recipes)


def description() -> str:
    """What computes on the processor, for reports."""
    library = native()
    return "processor (numba)" if library is None else f"processor (C, {library.variant})"


def compile_kernel() -> None:
    """Make the kernel ready, so that it can be shown: numba takes seconds on the first run, then keeps its code."""
    empty = np.zeros((2, 0), np.int64)
    cpu_kernel([np.zeros(8, np.uint8)] * 2, Segments(empty[0], empty[0], empty, empty), RecipePlan.none(1, 1))


def _with(
    add: Callable[..., object], buffers: Sequence[Bytes], segments: Segments, recipes: RecipePlan
) -> Moments:  # fmt: skip
    if _wide(segments):
        return reference_kernel(buffers, segments, recipes)
    rows = Moments.empty(len(buffers), len(segments.count))
    held = [np.ascontiguousarray(buffer) for buffer in buffers]
    address, size = np.array([(buffer.ctypes.data, buffer.size) for buffer in held], np.int64).T
    add(address, size, *_columns(segments, recipes, rows))
    return rows


def _columns(segments: Segments, recipes: RecipePlan, rows: Moments) -> tuple[npt.NDArray[Any], ...]:
    """What is added, and what it is added to, as the loops of C and numba take it."""
    return (
        segments.tensor, segments.count, segments.start, segments.dtype, segments.rounded_to,
        recipes.arithmetic, recipes.order, recipes.weights, rows.counts, rows.sums,
    )  # fmt: skip


def _wide(segments: Segments) -> bool:
    """Whether there is F64, which the reference alone adds."""
    return bool((segments.dtype == DType.F64.code).any())
