"""AWQ as AutoAWQ stores it for its kernels of one token at a time (GEMV and its faster successor): outputs come first.

GEMV: `qweight` [outputs, inputs / 8] and `qzeros` [outputs, words], eight codes a word in order, `scales` [outputs,
8 · words]; a number is (code - zero) · scale. GEMV fast: `qweight` int16 [outputs / 4, inputs], `scales` and `qzeros`
[8 · words, outputs] in half precision, the latter to be added: code · scale + zero. Both pad groups to whole words, so
that the config's `group_size` must say how many there are. Source: `gemv.py` and `gemv_fast.py` of AutoAWQ 0.2.9.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from modelprov.checkpoints.formats.dtypes import Bytes, Float32
from modelprov.checkpoints.formats.grouped import CodeBook, Groups, Order, integers, unpack
from modelprov.checkpoints.layouts.packed.stored import LONGEST, Found, InUnits, Packed, Stored
from modelprov.checkpoints.layouts.roles import sections_of
from modelprov.checkpoints.sources.interface import Source

EACH = 8
"""Codes of a word, and groups that scales are padded to."""
BAND, TILE = 4, 64
"""Of GEMV fast: rows that lie together, and how many codes of one come before the next row's."""
PLACES = np.arange(32).reshape(4, 4, 2).transpose(1, 0, 2).reshape(4, 4, 2).transpose(0, 2, 1).reshape(-1)
"""Which of 32 columns each stored code of GEMV fast is of: pairs of four runs of eight, even ones first."""
COLUMNS = np.argsort(PLACES)
"""Where among 32 stored codes each column's lies."""


@dataclass(frozen=True)
class AwqRows(InUnits):
    """A matrix [outputs, inputs] in GEMV's layout."""

    size: int
    words: Stored
    scales: Stored
    zeros: Stored

    nearest = False

    @property
    def format(self) -> str:
        """See `InUnits`."""
        return f"AWQ int4 with a scale for each {self.size} values"

    @property
    def bits(self) -> float:
        """See `InUnits`; groups that fill up a word are stored, too."""
        beside = sum(8 * each.width * each.count for each in (self.scales, self.zeros))
        return 4 + beside / (self.shape[0] * self.shape[1])

    @property
    def book(self) -> CodeBook:
        """See `InUnits`."""
        return integers(4)

    @property
    def _groups(self) -> int:
        return self.shape[1] // self.size

    def groups(self, source: Source, begin: int, end: int) -> Groups:
        """See `InUnits`."""
        scale = self.scales.numbers(self.scales.rows(source, begin, end))[:, : self._groups]
        zero = unpack(self.zeros.rows(source, begin, end), 4)[:, : self._groups].astype(np.float32)
        codes = self.words.rows(source, begin, end)
        return Groups(codes, Order.LOW_FIRST, self.shape[1], np.ascontiguousarray(scale), -zero * scale)


@dataclass(frozen=True)
class AwqBands(AwqRows):
    """The same in the layout of GEMV fast."""

    def groups(self, source: Source, begin: int, end: int) -> Groups:
        """See `InUnits`."""
        first, last = begin // BAND, -(-end // BAND)
        tiles = self.words.rows(source, first, last).reshape(last - first, -1, BAND, TILE // 2)
        stored = unpack(tiles.transpose(0, 2, 1, 3).reshape(BAND * (last - first), -1), 4)
        codes = np.ascontiguousarray(_in_order(stored)[begin - first * BAND : end - first * BAND])
        return Groups(
            codes, Order.BYTES, self.shape[1], self._shared(self.scales, source, begin, end),
            self._shared(self.zeros, source, begin, end),
        )  # fmt: skip

    def _shared(self, stored: Stored, source: Source, begin: int, end: int) -> Float32:
        """What groups share, [outputs, groups]."""
        held = stored.columns(source, begin * stored.width, end * stored.width, (0, self._groups))
        return np.ascontiguousarray(stored.numbers(held).T)


def _in_order(stored: Bytes) -> Bytes:
    """Codes [n, inputs] by columns."""
    made: Bytes = stored.reshape(len(stored), -1, 32)[:, :, COLUMNS].reshape(len(stored), -1)
    return made


def find(found: Found) -> Iterator[Packed]:
    """All matrices that are stored so, where the config says how many numbers share a scale."""
    _, section = next(sections_of(found.config, "quantization_config"), ("", dict[str, object]()))
    told = section.get("group_size", section.get("q_group_size"))
    if type(told) is not int or told < -1 or told == 0:
        return
    for name in found.ending(".qweight"):
        made = _rows(found, name, told) or _bands(found, name, told)
        if made is not None:
            yield Packed(made, tuple(f"{name}.{part}" for part in ("qweight", "qzeros", "scales")))


def _rows(found: Found, name: str, told: int) -> AwqRows | None:
    words, zeros = (found.get(f"{name}.{part}", "I32", sides=2) for part in ("qweight", "qzeros"))
    scales = found.get(f"{name}.scales", "F16", "BF16", sides=2)
    if words is None or zeros is None or scales is None or f"{name}.g_idx" in found.stored:
        return None
    outputs, inputs = words.shape[0], words.shape[1] * EACH
    size = inputs if told == -1 else told
    fits = zeros.shape == (outputs, _padded(inputs, size) // EACH) and scales.shape == (outputs, _padded(inputs, size))
    if not fits or inputs % size or not 0 < inputs <= LONGEST or not outputs:
        return None
    return AwqRows(f"{name}.weight", (outputs, inputs), size, words, scales, zeros)


def _bands(found: Found, name: str, told: int) -> AwqBands | None:
    words = found.get(f"{name}.qweight", "I16", sides=2)
    scales, zeros = (found.get(f"{name}.{part}", "F16", sides=2) for part in ("scales", "qzeros"))
    if words is None or scales is None or zeros is None:
        return None
    outputs, inputs = words.shape[0] * BAND, words.shape[1]
    size = inputs if told == -1 else told
    fits = scales.shape == zeros.shape == (_padded(inputs, size), outputs)
    if not fits or inputs % size or inputs % TILE or not 0 < inputs <= LONGEST or not outputs:
        return None
    return AwqBands(f"{name}.weight", (outputs, inputs), size, words, scales, zeros)


def _padded(inputs: int, size: int) -> int:
    """Groups of a row, filled up to whole words, and these to 128 inputs (`calculate_zeros_width`)."""
    words, whole = -(-(inputs // size) // EACH), 4 if size == 32 else 2 if size == 64 else 1
    return -(-words // whole) * whole * EACH
