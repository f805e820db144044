"""The GGUF types that most files are in, decoded in numpy in a third of the library's time, to the same bits.

A block is codes in groups that share a scale, and perhaps a minimum: code · scale - minimum. Blocks are laid out as in
ggml (`ggml-common.h`); the library `gguf` is the oracle of every type here, and decodes all others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import Bytes, Float32

EACH = 32
"""Elements of a block of the plain types, and of a group of the K-quants whose codes are side by side."""


@dataclass(frozen=True, eq=False)
class Codes:
    """Codes of n blocks, 8 bits signed [n, elements], and what groups of equal length share, float32 [n, groups]."""

    codes: npt.NDArray[np.int8]
    scale: Float32
    least: Float32 | None = None


def decode_common(raw: Bytes, name: str) -> Float32 | None:
    """The values of blocks uint8 [n, bytes] of a type, float32 [n, elements]; None for any other type."""
    read = READERS.get(name)
    if read is None:
        return None
    found = read(np.ascontiguousarray(raw))
    values = found.codes.astype(np.float32)
    grouped = values.reshape(*found.scale.shape, -1)
    with np.errstate(all="ignore"):  # scales that are infinite or NaN: whoever reads counts them
        grouped *= found.scale[..., None]
        if found.least is not None:
            grouped += found.least[..., None]
    return values


def _halves(raw: Bytes, begin: int) -> Float32:
    """The half-precision numbers at a byte of each block, float32 [n, 1]."""
    return np.ascontiguousarray(raw[:, begin : begin + 2]).view("<f2").astype(np.float32)


def _nibbles(raw: Bytes, across: int) -> Bytes:
    """Codes of four bits in bytes [n, m]: of each `across` bytes the low halves, then the high ones, [n, 2 m]."""
    runs = raw.reshape(len(raw), -1, across)
    made = np.empty((len(raw), runs.shape[1], 2, across), np.uint8)
    np.bitwise_and(runs, np.uint8(15), out=made[:, :, 0])
    np.right_shift(runs, np.uint8(4), out=made[:, :, 1])
    return made.reshape(len(raw), -1)


def _fifth(raw: Bytes) -> Bytes:
    """A bit of each element of a plain type, as the fifth of its code."""
    return np.unpackbits(np.ascontiguousarray(raw), axis=1, bitorder="little") << np.uint8(4)


def _signed(codes: Bytes, middle: int) -> npt.NDArray[np.int8]:
    """Codes less the one that stands for 0."""
    codes -= np.uint8(middle)
    return codes.view(np.int8)


def _q8_0(raw: Bytes) -> Codes:
    return Codes(np.ascontiguousarray(raw[:, 2:]).view(np.int8), _halves(raw, 0))


def _q4_0(raw: Bytes) -> Codes:
    return Codes(_signed(_nibbles(raw[:, 2:], EACH // 2), 8), _halves(raw, 0))


def _q4_1(raw: Bytes) -> Codes:
    return Codes(_signed(_nibbles(raw[:, 4:], EACH // 2), 0), _halves(raw, 0), _halves(raw, 2))


def _q5_0(raw: Bytes) -> Codes:
    return Codes(_signed(_nibbles(raw[:, 6:], EACH // 2) | _fifth(raw[:, 2:6]), 16), _halves(raw, 0))


def _q5_1(raw: Bytes) -> Codes:
    codes = _nibbles(raw[:, 8:], EACH // 2) | _fifth(raw[:, 4:8])
    return Codes(_signed(codes, 0), _halves(raw, 0), _halves(raw, 2))


def _shared(raw: Bytes) -> tuple[Float32, Float32]:
    """Scales and minima [n, 8] of Q4_K and Q5_K: 6 bits each, in 12 bytes, times a number of the block."""
    first, second, mixed = (raw[:, begin : begin + 4] for begin in (4, 8, 12))
    scale = np.concatenate([first & 0x3F, (mixed & 0x0F) | ((first >> 2) & 0x30)], axis=1)
    least = np.concatenate([second & 0x3F, (mixed >> 4) | ((second >> 2) & 0x30)], axis=1)
    with np.errstate(all="ignore"):
        return _halves(raw, 0) * scale.astype(np.float32), -(_halves(raw, 2) * least.astype(np.float32))


def _q4_k(raw: Bytes) -> Codes:
    return Codes(_signed(_nibbles(raw[:, 16:], EACH), 0), *_shared(raw))


def _q5_k(raw: Bytes) -> Codes:
    codes = _nibbles(raw[:, 48:], EACH).reshape(len(raw), -1, EACH)
    for group in range(codes.shape[1]):
        codes[:, group] |= ((raw[:, 16:48] >> np.uint8(group)) & np.uint8(1)) << np.uint8(4)
    return Codes(_signed(codes.reshape(len(raw), -1), 0), *_shared(raw))


def _q6_k(raw: Bytes) -> Codes:
    high = raw[:, 128:192].reshape(len(raw), 2, EACH)
    codes = _nibbles(raw[:, :128], 2 * EACH).reshape(len(raw), 2, 4, EACH)
    for group in range(4):
        codes[:, :, group] |= ((high >> np.uint8(2 * group)) & np.uint8(3)) << np.uint8(4)
    with np.errstate(all="ignore"):
        scale = _halves(raw, 208) * np.ascontiguousarray(raw[:, 192:208]).view(np.int8).astype(np.float32)
    return Codes(_signed(codes.reshape(len(raw), -1), 32), scale)


READERS: dict[str, Callable[[Bytes], Codes]] = {
    "Q8_0": _q8_0, "Q4_0": _q4_0, "Q4_1": _q4_1, "Q5_0": _q5_0, "Q5_1": _q5_1, "Q4_K": _q4_k, "Q5_K": _q5_k,
    "Q6_K": _q6_k,
}  # fmt: skip
