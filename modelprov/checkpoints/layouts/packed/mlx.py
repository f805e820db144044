"""MLX: integers of 2 to 8 bits in uint32 words along a row, a scale and a bias for each group.

`weight` [rows, words], `scales` and `biases` [rows, groups], stacks of experts of such; the config's `quantization` has
the size of a group. A number is code · scale + bias. It is the nearest to what the scale before it was rounded to bf16
gave.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from modelprov.checkpoints.formats.grouped import CodeBook, Groups, Order, Slack, integers, unpack
from modelprov.checkpoints.formats.scaled_codes import QUOTIENT
from modelprov.checkpoints.layouts.packed.stored import LONGEST, Found, InUnits, Packed, Stored
from modelprov.checkpoints.sources.interface import Source

WIDTHS = (2, 3, 4, 5, 6, 8)


@dataclass(frozen=True)
class Mlx(InUnits):
    """A matrix of such words, or a stack of them."""

    width: int
    words: Stored
    scales: Stored
    biases: Stored

    @property
    def format(self) -> str:
        """See `InUnits`."""
        return f"MLX int{self.width} with a scale for each {self.shape[-1] // self.scales.shape[1]} values"

    @property
    def bits(self) -> float:
        """See `InUnits`."""
        return self.width + 8 * (self.scales.width + self.biases.width) * self.scales.shape[1] / self.shape[-1]

    @property
    def book(self) -> CodeBook:
        """See `InUnits`."""
        return integers(self.width)

    @property
    def slack(self) -> Slack:
        """See `InUnits`."""
        return Slack(QUOTIENT / 2, QUOTIENT)

    def groups(self, source: Source, begin: int, end: int) -> Groups:
        """See `InUnits`."""
        words = self.words.rows(source, begin, end)
        scale, bias = (each.numbers(each.rows(source, begin, end)) for each in (self.scales, self.biases))
        if self.width == 4:
            return Groups(words, Order.LOW_FIRST, self.shape[-1], scale, bias)
        return Groups(unpack(words, self.width), Order.BYTES, self.shape[-1], scale, bias)


def find(found: Found) -> Iterator[Packed]:
    """All matrices that are stored so."""
    section = found.config.get("quantization")
    told: Mapping[str, Any] = section if isinstance(section, dict) else {}
    for name in found.ending(".biases"):
        words = found.get(f"{name}.weight", "U32")
        scales, biases = (found.get(f"{name}.{part}", "BF16", "F16", "F32") for part in ("scales", "biases"))
        own = told.get(name)
        size = (own if isinstance(own, dict) else told).get("group_size", 64)
        if words is None or scales is None or biases is None or type(size) is not int or not 0 < size <= LONGEST:
            continue
        if len(words.shape) not in (2, 3) or len(scales.shape) != len(words.shape):
            continue
        *high, across = words.shape
        columns = scales.shape[-1] * size
        widths = [bits for bits in WIDTHS if across * 32 == columns * bits]
        if len(widths) == 1 and scales.shape == biases.shape == (*high, columns // size) and 0 < columns <= LONGEST:
            parts = (words.flat, scales.flat, biases.flat)
            yield Packed(
                Mlx(f"{name}.weight", (*high, columns), widths[0], *parts), (f"{name}.scales", f"{name}.biases")
            )
