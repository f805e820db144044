"""Weighted sums of stored bytes, in pieces that stay in the processor's cache: decoded, evaluated, encoded.

The arithmetic is `recipes.arithmetics.evaluate`. One loop in C does all of it for what is stored as bf16 or float32;
where there are no C kernels one in numba does (`fused_compiled`), which takes a second to load.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import WITHIN_FLOAT32, Bytes, DType, Float32, decode_single, pack_into
from modelprov.native import for_merging
from modelprov.recipes.arithmetics import evaluate

CHUNK = 1 << 16  # elements at a time: enough that calls do not count, few enough for the cache
COMPILED = 4096  # the same for the compiled loop
EXPONENT = {DType.BF16: 0x7F80, DType.F16: 0x7C00, DType.F32: 0x7F800000, DType.F64: 0x7FF0000000000000}
"""Bits that are all set in an infinity or NaN, and in nothing else."""


class Scratch:
    """Buffers of one thread for so many models."""

    def __init__(self, models: int) -> None:
        self.parents: Float32 = np.zeros((models, CHUNK), np.float32)
        self.row: Float32 = np.empty(CHUNK, np.float32)


def weighted(
    arithmetic: int, raw: npt.NDArray[np.uint8], formats: Sequence[DType], weights: npt.NDArray[np.float64],
    order: npt.NDArray[np.int64], stored: DType, scratch: Scratch, out: Bytes, *, large: bool,
) -> None:  # fmt: skip
    """Merge the elements that fill `out` uint8: `raw` uint8 [models, bytes] holds those of each model in its format.

    `weights` and `order` are those of `evaluate`; all formats are within float32. `large` merges are worth the second
    that numba takes to load; the bits are the same.
    """
    count = len(out) // stored.size
    library = for_merging()
    if library is not None and stored is not DType.F16:
        codes = np.array([dtype.code for dtype in formats], np.int64)
        library.weighted(arithmetic, raw, codes, weights, order, stored.code, count, out)
        return
    if large or library is None:
        from modelprov.merge.fused_compiled import weighted as in_numba

        codes = np.array([dtype.code for dtype in formats], np.int64)
        parents, row = (
            scratch.parents.reshape(-1)[: len(codes) * COMPILED].reshape(-1, COMPILED),
            scratch.row[:COMPILED],
        )
        in_numba(arithmetic, raw, codes, weights, order, stored.code, count, parents, row, out)
        return
    sizes, size = [dtype.size for dtype in formats], stored.size
    for first in range(0, count, CHUNK):
        stop = min(first + CHUNK, count)
        parents, row = scratch.parents[:, : stop - first], scratch.row[: stop - first]
        for number, parent in enumerate(parents):
            own = sizes[number]
            decode_single(raw[number, own * first : own * stop], formats[number], parent)
        evaluate(arithmetic, parents, weights, order, stored.code, row)
        pack_into(row, stored, out[size * first : size * stop])


def any_nonfinite(raw: Bytes, dtype: DType) -> bool:
    """Whether an infinity or NaN is among stored numbers; `raw` is uint8 of whole elements, aligned or not."""
    library = for_merging()
    if library is not None and dtype in WITHIN_FLOAT32:
        return not library.all_finite(raw, dtype.code, len(raw) // dtype.size)
    kind = np.dtype(f"<u{dtype.size}")
    words, mask = np.frombuffer(raw, kind), kind.type(EXPONENT[dtype])
    return any(
        bool(((words[at : at + CHUNK] & mask) == mask).any()) for at in range(0, len(words), CHUNK)
    )  # fmt: skip
