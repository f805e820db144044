"""Blocks of GGUF tensors: sizes, values (common types here, others by `gguf`), rounding cells. Reads no files.

A block of a few bits a weight and its scales stands for 32 or 256 numbers. The cell of a number is half a step of its
block on either side, as the quantisers of llama.cpp round (`ggml-quants.c`): Q4_0 to Q8_0 divide by a scale of which
they then store a half-precision number, so that cells are widened by that; K-quants divide by the stored scales. At the
open ends of a K-quant's range, where larger numbers are cut off, nothing is known and a cell is NaN.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modelprov.checkpoints.formats.dtypes import Bytes, DType, Float32, Float64
from modelprov.checkpoints.formats.gguf_common import decode_common
from modelprov.errors import UsageError

Cells = tuple[Float64, Float64]
INSTALL = "Install it with: pip install 'modelprov[quantised]' (from a clone: pip install -e '.[quantised]')."


@dataclass(frozen=True, slots=True)
class Kind:
    """One type of GGUF tensors: its name, the elements and bytes of a block, and the plain float that it is, if any."""

    name: str
    elements: int
    bytes: int
    plain: DType | None = None

    @property
    def bits(self) -> float:
        """Bits a weight, scales included."""
        return 8 * self.bytes / self.elements


# Numbers, block sizes and bytes as in ggml (`ggml.h`, `ggml-common.h`).
KINDS = {
    0: Kind("F32", 1, 4, DType.F32), 1: Kind("F16", 1, 2, DType.F16), 30: Kind("BF16", 1, 2, DType.BF16),
    28: Kind("F64", 1, 8, DType.F64),
    2: Kind("Q4_0", 32, 18), 3: Kind("Q4_1", 32, 20), 6: Kind("Q5_0", 32, 22), 7: Kind("Q5_1", 32, 24),
    8: Kind("Q8_0", 32, 34), 9: Kind("Q8_1", 32, 40), 10: Kind("Q2_K", 256, 84), 11: Kind("Q3_K", 256, 110),
    12: Kind("Q4_K", 256, 144), 13: Kind("Q5_K", 256, 176), 14: Kind("Q6_K", 256, 210), 15: Kind("Q8_K", 256, 292),
    16: Kind("IQ2_XXS", 256, 66), 17: Kind("IQ2_XS", 256, 74), 18: Kind("IQ3_XXS", 256, 98),
    19: Kind("IQ1_S", 256, 50), 20: Kind("IQ4_NL", 32, 18), 21: Kind("IQ3_S", 256, 110), 22: Kind("IQ2_S", 256, 82),
    23: Kind("IQ4_XS", 256, 136), 24: Kind("I8", 1, 1), 25: Kind("I16", 1, 2), 26: Kind("I32", 1, 4),
    27: Kind("I64", 1, 8), 29: Kind("IQ1_M", 256, 56), 34: Kind("TQ1_0", 256, 54), 35: Kind("TQ2_0", 256, 66),
    39: Kind("MXFP4", 32, 17), 40: Kind("NVFP4", 64, 36),
}  # fmt: skip
NUMBERS = {kind.name: number for number, kind in KINDS.items()}

UNDECODED = frozenset({"Q8_1", "Q8_K", "I8", "I16", "I32", "I64"})
"""Types of intermediate results and of tables, which hold no weights."""


@dataclass(frozen=True, slots=True)
class _Steps:
    """How a type rounds: where its integers lie in a block, the bytes of its least and its largest, and their steps.

    `divided`: the scale that it divides by is rounded afterwards; `offset`: the least is not 0 but a stored minimum.
    """

    begin: int
    end: int
    least: int
    most: int
    steps: int
    divided: bool
    offset: bool


STEPS = {
    "Q8_0": _Steps(2, 34, 0x81, 0x7F, 254, True, False),
    "Q4_0": _Steps(2, 18, 0x00, 0xFF, 15, True, False),
    "Q5_0": _Steps(2, 22, 0x00, 0xFF, 31, True, False),
    "Q4_1": _Steps(4, 20, 0x00, 0xFF, 15, True, True),
    "Q5_1": _Steps(4, 24, 0x00, 0xFF, 31, True, True),
    "Q4_K": _Steps(16, 144, 0x00, 0xFF, 15, False, True),
    "Q5_K": _Steps(16, 176, 0x00, 0xFF, 31, False, True),
    "Q6_K": _Steps(0, 192, 0x00, 0xFF, 63, False, False),
}
SEARCHED = frozenset({"Q4_0", "Q4_1", "Q5_0", "Q5_1"})
"""Types whose scales are searched, and their numbers moved, where an importance matrix is given."""
HALF, HALF_LEAST = 2.0**-11, 2.0**-25
"""Rounding of a half-precision number, relative and absolute."""
SINGLE = 2.0**-21
"""Of the float32 arithmetic of a quantiser, generously."""


def require_library() -> None:
    """Raise `UsageError` where the library that decodes is not installed."""
    try:
        import gguf  # noqa: F401
    except ImportError as error:
        raise UsageError("quantised GGUF weights are decoded by gguf, which is not installed", INSTALL) from error


def decode(raw: Bytes, kind: Kind) -> Float32:
    """The values of blocks uint8 [n, bytes] as float32 [n, elements].

    Raises `UsageError` without the library, for a type that only that decodes.
    """
    common = decode_common(raw, kind.name)
    if common is not None:
        return common
    require_library()
    from gguf import GGMLQuantizationType, dequantize

    with np.errstate(all="ignore"):  # scales that are infinite or NaN: whoever reads counts them
        row = np.ascontiguousarray(raw).reshape(1, -1)  # the library walks over rows, sixteen at a time
        values = dequantize(row, GGMLQuantizationType(NUMBERS[kind.name]))
    return np.asarray(values, np.float32).reshape(len(raw), kind.elements)


def has_cells(kind: Kind, importance: bool) -> bool:
    """Whether numbers of a type are the nearest ones; `importance` says that a matrix of importance moved them."""
    return kind.name in STEPS and not (importance and kind.name in SEARCHED)


def cells(raw: Bytes, kind: Kind) -> Cells:
    """Lower and upper bounds, float64 [n, elements] each, of what was rounded to the values; NaN where not known."""
    how = STEPS[kind.name]
    values = decode(raw, kind).astype(np.float64)
    least, most = (_all(raw, kind, how, byte) for byte in (how.least, how.most))
    with np.errstate(all="ignore"):
        step = (most - least) / how.steps
        size = np.abs(step)
        half = size / 2
        reach = np.abs(values - least) if how.offset else np.abs(values)
        if how.divided:
            slack = np.maximum(HALF, HALF_LEAST / size) * (reach + half)
            slack += np.maximum(HALF * np.abs(least), HALF_LEAST) if how.offset else 0.0
        else:
            slack = SINGLE * (reach + half + (np.abs(least) if how.offset else 0.0))
        lower, upper = values - half - slack, values + half + slack
        number = np.round((values - least) / step)
        if how.divided and not how.offset:  # the sign that has one number less: what lies beyond is cut off
            cut = (number == how.steps) & (kind.name != "Q8_0")
            lower = np.where(cut & (step < 0), lower - half, lower)
            upper = np.where(cut & (step > 0), upper + half, upper)
        known = np.isfinite(lower) & np.isfinite(upper) & (size > 0)
        if not how.divided:
            known &= (number > 0) & (number < how.steps)
    return np.where(known, lower, np.nan), np.where(known, upper, np.nan)


def _all(raw: Bytes, kind: Kind, how: _Steps, byte: int) -> Float64:
    """The values of blocks with the same scales and one integer everywhere."""
    changed = raw.copy()
    changed[:, how.begin : how.end] = byte
    return decode(changed, kind).astype(np.float64)
