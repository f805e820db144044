"""The kernel for processors: C where it was built and is right here (`modelprov/native/`), else numba. Loops: there.

Importing this imports neither numba nor what needs it; where there is C nothing else does in a comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.forensics.sums.kernels.interface import RecipePlan, Segments
from modelprov.forensics.sums.kernels.reference import reference_kernel
from modelprov.forensics.sums.moments import Moments
from modelprov.native import native


def cpu_kernel(buffers: Sequence[npt.NDArray[np.uint8]], segments: Segments, recipes: RecipePlan) -> Moments:
    """See `Kernel`; releases the GIL. Sums of whole tensors are within 1e-7 of float64 (of short runs within 5e-7)."""
    return (numba_kernel if native() is None else c_kernel)(buffers, segments, recipes)


def c_kernel(buffers: Sequence[npt.NDArray[np.uint8]], segments: Segments, recipes: RecipePlan) -> Moments:
    """The same in C; `native()` must not be None. Raises `ValueError` where a segment is not within its buffer."""
    library = native()
    if library is None:
        raise RuntimeError("there is no C kernel here")
    return _with(library.moments, buffers, segments, recipes)


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
    add: Callable[..., None], buffers: Sequence[npt.NDArray[np.uint8]], segments: Segments, recipes: RecipePlan
) -> Moments:
    if (segments.dtype == DType.F64.code).any():
        return reference_kernel(buffers, segments, recipes)
    rows = Moments.empty(len(buffers), len(segments.count))
    held = [np.ascontiguousarray(buffer) for buffer in buffers]
    add(
        np.array([buffer.ctypes.data for buffer in held], np.int64),
        np.array([buffer.size for buffer in held], np.int64),
        segments.tensor, segments.count, segments.start, segments.dtype, segments.rounded_to,
        recipes.arithmetic, recipes.order, recipes.weights, rows.counts, rows.sums,
    )  # fmt: skip
    return rows
