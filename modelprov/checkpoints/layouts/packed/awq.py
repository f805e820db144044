"""AWQ (AutoAWQ's GEMM layout): integers of four bits in int32 words along the outputs, in the order of its kernel.

`qweight` [inputs, outputs / 8], `qzeros` [groups, outputs / 8], `scales` [groups, outputs]. A number is
(code - zero) · scale. AWQ multiplies the columns of a matrix, and divides what feeds them, before it rounds: the
numbers are not those of the model that was quantised, and nothing bounds what these were.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from modelprov.checkpoints.formats.dtypes import Bytes
from modelprov.checkpoints.formats.grouped import CodeBook, Groups, Order, integers
from modelprov.checkpoints.layouts.packed.stored import LONGEST, Found, InUnits, Packed, Stored
from modelprov.checkpoints.sources.interface import Source

ORDER = np.array([0, 4, 1, 5, 2, 6, 3, 7])
"""Where in a word each of eight outputs lies, in halves of a byte."""
EACH = len(ORDER)


@dataclass(frozen=True)
class Awq(InUnits):
    """A matrix [outputs, inputs]; its rows are columns of what is stored."""

    words: Stored
    scales: Stored
    zeros: Stored

    nearest = False

    @property
    def format(self) -> str:
        """See `InUnits`."""
        return f"AWQ int4 with a scale for each {self.shape[1] // self.scales.shape[0]} values"

    @property
    def bits(self) -> float:
        """See `InUnits`."""
        return 4 + 20 * self.scales.shape[0] / self.shape[1]

    @property
    def book(self) -> CodeBook:
        """See `InUnits`."""
        return integers(4)

    def groups(self, source: Source, begin: int, end: int) -> Groups:
        """See `InUnits`."""
        first, last, size = begin // EACH, -(-end // EACH), self.scales.width
        own = slice(begin - first * EACH, end - first * EACH)
        codes = _ordered(self.words.columns(source, 4 * first, 4 * last))[own]
        zero = _ordered(self.zeros.columns(source, 4 * first, 4 * last))[own]
        scale = np.ascontiguousarray(self.scales.numbers(self.scales.columns(source, begin * size, end * size)).T)
        return Groups(codes, Order.BYTES, self.shape[1], scale, -zero.astype(np.float32) * scale)


def find(found: Found) -> Iterator[Packed]:
    """All matrices that are stored so."""
    for name in found.ending(".qweight"):
        words, zeros = (found.get(f"{name}.{part}", "I32", sides=2) for part in ("qweight", "qzeros"))
        scales = found.get(f"{name}.scales", "F16", "BF16", sides=2)
        if words is None or zeros is None or scales is None or f"{name}.g_idx" in found.stored:
            continue
        (inputs, across), (groups, outputs) = words.shape, scales.shape
        fits = outputs == across * EACH and zeros.shape == (groups, across) and groups and inputs % groups == 0
        if fits and 0 < inputs <= LONGEST:
            used = tuple(f"{name}.{part}" for part in ("qweight", "qzeros", "scales"))
            yield Packed(Awq(f"{name}.weight", (outputs, inputs), words, scales, zeros), used)


def _ordered(words: Bytes) -> Bytes:
    """Codes [outputs, n] of words [n, bytes]."""
    turned = np.ascontiguousarray(words.view("<u4").T)
    made = np.empty((len(turned), EACH, turned.shape[1]), np.uint8)
    for output, place in enumerate(ORDER):
        made[:, output] = (turned >> np.uint32(4 * place)) & np.uint32(15)
    return made.reshape(-1, turned.shape[1])
