"""HQQ: integers in bytes, group after group of the flattened matrix; those of the first half in the high bits.

`W_q` [groups · bits / 8, size], `scale` and `zero` [groups, 1], and its settings as tensors (`shape`, `axis`); with
`axis` 0 all of it turned, [size · bits / 8, groups] and [1, groups]. A number is (code - zero) · scale. Scale and zero
are searched, and codes are then the nearest: cells hold where all agree.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from modelprov.checkpoints.formats.dtypes import Bytes
from modelprov.checkpoints.formats.grouped import CodeBook, Groups, Order, Slack, integers
from modelprov.checkpoints.formats.scaled_codes import QUOTIENT
from modelprov.checkpoints.layouts.packed.stored import LONGEST, Found, InUnits, Packed, Stored, sides
from modelprov.checkpoints.sources.interface import Source

WIDTHS = (1, 2, 4, 8)


@dataclass(frozen=True)
class Hqq(InUnits):
    """A matrix; its units are groups of the flattened one, or with `turned` a number of each of all groups."""

    width: int
    turned: bool
    codes: Stored
    scales: Stored
    zeros: Stored

    supposed = True

    @property
    def format(self) -> str:
        """See `InUnits`."""
        return f"HQQ int{self.width} with a scale for each {self._size} values"

    @property
    def bits(self) -> float:
        """See `InUnits`."""
        return self.width + 8 * (self.scales.width + self.zeros.width) / self._size

    @property
    def book(self) -> CodeBook:
        """See `InUnits`."""
        return integers(self.width)

    @property
    def slack(self) -> Slack:
        """See `InUnits`."""
        return Slack(QUOTIENT, QUOTIENT)

    @property
    def unit(self) -> int:
        """See `InUnits`."""
        return self.codes.shape[1]

    @property
    def _size(self) -> int:
        """Numbers that share a scale."""
        return self.codes.shape[0] * 8 // self.width if self.turned else self.unit

    def groups(self, source: Source, begin: int, end: int) -> Groups:
        """See `InUnits`."""
        first, last = (0, 1) if self.turned else (begin, end)
        scale, zero = (each.numbers(each.rows(source, first, last)) for each in (self.scales, self.zeros))
        if self.turned:
            scale, zero = (np.broadcast_to(each, (end - begin, self.unit)) for each in (scale, zero))
        return Groups(self._codes(source, begin, end), Order.BYTES, self.unit, scale, -zero * scale)

    def _codes(self, source: Source, begin: int, end: int) -> Bytes:
        high, pieces, at = self.codes.shape[0], [], begin
        while at < end:
            part, first = divmod(at, high)
            last = min(high, first + end - at)
            shift = np.uint8(8 - self.width * (part + 1))
            pieces.append((self.codes.rows(source, first, last) >> shift) & np.uint8((1 << self.width) - 1))
            at += last - first
        return np.concatenate(pieces)


def find(found: Found) -> Iterator[Packed]:
    """All matrices that are stored so, grouped along rows (axis 1) or along columns (axis 0)."""
    for name in found.ending(".W_q"):
        codes = found.get(f"{name}.W_q", "U8", sides=2)
        scales, zeros = (found.get(f"{name}.{part}", "F16", "BF16", "F32", sides=2) for part in ("scale", "zero"))
        shape, axis = sides(found.whole(f"{name}.shape")), found.whole(f"{name}.axis")
        if codes is None or scales is None or zeros is None or shape is None or axis not in ((0,), (1,)):
            continue
        turned, numbers = axis == (0,), shape[0] * shape[1]
        across = codes.shape[1]
        lines = numbers // across if across else 0  # rows of codes, one a byte
        widths = [bits for bits in WIDTHS if lines * bits == codes.shape[0] * 8]
        whole = scales.shape == zeros.shape == ((1, across) if turned else (lines, 1)) and lines * across == numbers
        if whole and len(widths) == 1 and 0 < across <= LONGEST:
            used = tuple(each for each in found.stored if each.startswith(f"{name}.") and each != f"{name}.bias")
            yield Packed(Hqq(f"{name}.weight", shape, widths[0], turned, codes, scales, zeros), used)
