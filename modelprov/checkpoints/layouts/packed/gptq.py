"""GPTQ (AutoGPTQ, GPTQModel, AutoRound's export): integers in int32 words along the inputs, one column an output.

`qweight` [inputs · bits / 32, outputs], `scales` [groups, outputs], `qzeros` [groups, outputs · bits / 32], `g_idx`
[inputs]. A number is (code - zero) · scale, and zeros are stored less 1, but for `checkpoint_format` `gptq_v2`. GPTQ
moves numbers on purpose, so that nothing bounds what they were.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.grouped import CodeBook, Groups, Order, integers, unpack
from modelprov.checkpoints.layouts.packed.stored import LONGEST, Found, InUnits, Packed, Stored, window
from modelprov.checkpoints.layouts.roles import sections_of
from modelprov.checkpoints.sources.interface import Source

WIDTHS = (2, 3, 4, 8)


@dataclass(frozen=True)
class Gptq(InUnits):
    """A matrix [outputs, inputs]; its rows are columns of what is stored."""

    width: int
    words: Stored
    scales: Stored
    zeros: Stored
    index: Stored | None
    less: int

    nearest = False

    @property
    def format(self) -> str:
        """See `InUnits`."""
        return f"GPTQ int{self.width} with a scale for each {-(-self.shape[1] // self.scales.shape[0])} values"

    @property
    def bits(self) -> float:
        """See `InUnits`."""
        return self.width + (16 + self.width) * self.scales.shape[0] / self.shape[1]

    @property
    def book(self) -> CodeBook:
        """See `InUnits`."""
        return integers(self.width)

    def groups(self, source: Source, begin: int, end: int) -> Groups:
        """See `InUnits`."""
        held = self.words.columns(source, 4 * begin, 4 * end).view("<u4")
        words = np.ascontiguousarray(held.T).view(np.uint8)  # [outputs, bytes]
        size = self.scales.width
        scale = self.scales.numbers(self.scales.columns(source, begin * size, end * size)).T
        first, last, at = window(begin, end, self.width, self.zeros.shape[1])
        streamed = unpack(self.zeros.columns(source, 4 * first, 4 * last), self.width)
        zero = streamed[:, begin - at : end - at].T.astype(np.float32) + self.less
        scale = np.ascontiguousarray(scale)
        codes, order = (words, Order.LOW_FIRST) if self.width == 4 else (unpack(words, self.width), Order.BYTES)
        return Groups(codes, order, self.shape[1], scale, -zero * scale, self._index(source))

    def _index(self, source: Source) -> npt.NDArray[np.int64] | None:
        """The group of each input; None where they are in order and of equal length, which is quicker."""
        inputs, groups = self.shape[1], self.scales.shape[0]
        ordered = np.arange(inputs) // -(-inputs // groups)
        stored = ordered
        if self.index is not None:
            stored = self.index.bytes(source, 0, 4 * inputs).view("<i4").astype(np.int64)
        even = inputs % groups == 0 and np.array_equal(stored, ordered)
        return None if even else np.clip(stored, 0, groups - 1)


def find(found: Found) -> Iterator[Packed]:
    """All matrices that are stored so; words that lie along the outputs are AWQ's."""
    _, section = next(sections_of(found.config, "quantization_config"), ("", dict[str, object]()))
    less = 0 if section.get("checkpoint_format") == "gptq_v2" else 1
    for name in found.ending(".qweight"):
        words, zeros = (found.get(f"{name}.{part}", "I32", sides=2) for part in ("qweight", "qzeros"))
        scales = found.get(f"{name}.scales", "F16", "BF16", "F32", sides=2)
        index = found.get(f"{name}.g_idx", "I32", sides=1)
        if words is None or zeros is None or scales is None or section.get("quant_method") == "awq":
            continue
        outputs, groups = scales.shape[1], scales.shape[0]
        for width in WIDTHS:
            inputs = words.shape[0] * 32 // width if index is None else index.shape[0]
            along = words.shape == (-(-inputs * width // 32), outputs)
            if along and 0 < inputs <= LONGEST and zeros.shape == (groups, -(-outputs * width // 32)):
                used = [f"{name}.{part}" for part in ("qweight", "qzeros", "scales", "g_idx")]
                yield Packed(
                    Gptq(f"{name}.weight", (outputs, inputs), width, words, scales, zeros, index, less), tuple(used)
                )
                break
