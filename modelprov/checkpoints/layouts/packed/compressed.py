"""compressed-tensors `pack-quantized`: integers of 1 to 8 bits in int32 words (W4A16 and its like).

`weight_packed` [rows, words], `weight_scale` [rows, groups], perhaps `weight_zero_point` (packed along rows) and
`weight_g_idx` (the group of each column); `weight_shape` has the sides. A number is (code - zero point) · scale. Which
algorithm chose the codes, plain rounding, GPTQ or AWQ, the file does not say: cells hold where all of them agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from modelprov.checkpoints.formats.grouped import CodeBook, Groups, Order, Slack, integers, unpack
from modelprov.checkpoints.formats.scaled_codes import QUOTIENT
from modelprov.checkpoints.layouts.packed.stored import LONGEST, Found, InUnits, Packed, Stored, sides, window
from modelprov.checkpoints.sources.interface import Source


@dataclass(frozen=True)
class PackedIntegers(InUnits):
    """A matrix of such words."""

    width: int
    words: Stored
    scale: Stored
    zero: Stored | None
    index: Stored | None

    supposed = True

    @property
    def format(self) -> str:
        """See `InUnits`."""
        by = "row" if self._groups == 1 else f"{self.shape[-1] // self._groups} values"
        zero = "" if self.zero is None else ", with zero points"
        return f"compressed-tensors int{self.width} with a scale for each {by}{zero}"

    @property
    def bits(self) -> float:
        """See `InUnits`."""
        extra = 8 * self.scale.width + (0 if self.zero is None else self.width)
        return self.width + extra * self._groups / self.shape[-1]

    @property
    def book(self) -> CodeBook:
        """Signed integers, from the lowest."""
        return integers(self.width, -(1 << (self.width - 1)))

    @property
    def slack(self) -> Slack:
        """See `InUnits`; with a zero point its sum with the quotient is rounded too."""
        return Slack(QUOTIENT, 0.0 if self.zero is None else QUOTIENT)

    @property
    def _groups(self) -> int:
        return self.scale.shape[1] if len(self.scale.shape) > 1 else 1

    def groups(self, source: Source, begin: int, end: int) -> Groups:
        """See `InUnits`."""
        words = self.words.rows(source, begin, end)
        scale = self.scale.numbers(self.scale.rows(source, begin, end))
        offset = None
        if self.zero is not None:
            first, last, at = window(begin, end, self.width, self.zero.shape[0])
            held = self.zero.rows(source, first, last).reshape(last - first, -1, 4)
            streamed = unpack(held.transpose(1, 0, 2).reshape(held.shape[1], -1), self.width)
            own = streamed[:, begin - at : end - at].T
            offset = -(own.astype(np.float32) - (1 << (self.width - 1))) * scale
        index = None
        if self.index is not None:
            index = self.index.bytes(source, 0, self.index.across * self.index.shape[0]).view("<i4").astype(np.int64)
            index = np.clip(index, 0, self._groups - 1)
        if self.width == 4:
            return Groups(words, Order.LOW_FIRST, self.shape[-1], scale, offset, index)
        return Groups(unpack(words, self.width), Order.BYTES, self.shape[-1], scale, offset, index)


def find(found: Found) -> Iterator[Packed]:
    """All matrices that are stored so."""
    for name in found.ending("weight_packed"):
        words = found.get(f"{name}weight_packed", "I32", sides=2)
        scale = found.get(f"{name}weight_scale", "BF16", "F16", "F32")
        shape = sides(found.whole(f"{name}weight_shape"))
        if words is None or scale is None or shape is None or not 0 < shape[1] <= LONGEST:
            continue
        rows, columns = shape
        groups = 1 if scale.shape in ((rows,), (rows, 1)) else scale.shape[1] if len(scale.shape) == 2 else 0
        widths = [bits for bits in range(1, 9) if words.shape == (rows, -(-columns * bits // 32))]
        widths = [bits for bits in widths if columns * bits % 32 == 0] or widths  # a short row fits several
        if len(widths) != 1 or not groups or scale.shape[0] != rows or columns % groups:
            continue
        (width,) = widths
        zero = found.get(f"{name}weight_zero_point", "I32", sides=2)
        index = found.get(f"{name}weight_g_idx", "I32", sides=1)
        if f"{name}weight_zero_point" in found.stored and (
            zero is None or zero.shape != (-(-rows * width // 32), groups)
        ):
            continue
        if f"{name}weight_g_idx" in found.stored and (index is None or index.shape != (columns,)):
            continue
        used = [f"{name}weight_{part}" for part in ("packed", "scale", "shape", "zero_point", "g_idx", "global_scale")]
        yield Packed(PackedIntegers(f"{name}weight", shape, width, words, scale, zero, index), tuple(used))
