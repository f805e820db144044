"""bitsandbytes in four bits (NF4, FP4): blocks of the flattened matrix or stack, each with its largest.

`weight` [bytes, 1] has two codes a byte, the first in the high half; `weight.absmax` a number for each block, in FP32
or as codes of one byte (`nested`: a table, a scale for each block of blocks, and an offset); a JSON text in
`weight.quant_state.bitsandbytes__nf4` the shape. A number is the code's times the block's largest. It is the nearest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float32
from modelprov.checkpoints.formats.four_bit_floats import FP4, NF4
from modelprov.checkpoints.formats.grouped import CodeBook, Groups, Order, Slack
from modelprov.checkpoints.layouts.packed.stored import Found, InUnits, Packed, Stored, shape_told
from modelprov.checkpoints.sources.interface import Source

STATE = ".quant_state.bitsandbytes__"
BOOKS = {"nf4": NF4, "fp4": FP4}
BLOCKS = frozenset(1 << power for power in range(4, 13))
SINGLE = 2.0**-20
"""Of products in float32, relative; the largest number of a block is stored as it is."""
NESTED = 2.0**-4
"""Of a largest number that is stored in a byte, relative to those of its block: the widest step of the table is twice
that, near its ends."""


@dataclass(frozen=True)
class Nested:
    """How the blocks' largest numbers are coded: by a table, times a scale for some blocks, and an offset."""

    table: Stored
    scale: Stored
    block: int
    offset: float


@dataclass(frozen=True)
class FourBits(InUnits):
    """A matrix or a stack; its units are blocks of the flattened one."""

    kind: str
    block: int
    codes: Stored
    largest: Stored
    nested: Nested | None

    @property
    def format(self) -> str:
        """See `InUnits`."""
        return f"bitsandbytes {self.kind.upper()}{'' if self.nested is None else ', nested'}"

    @property
    def bits(self) -> float:
        """See `InUnits`."""
        extra = 32.0 if self.nested is None else 8 + 32 / self.nested.block
        return 4 + extra / self.block

    @property
    def book(self) -> CodeBook:
        """See `InUnits`."""
        return BOOKS[self.kind]

    @property
    def slack(self) -> Slack:
        """See `InUnits`."""
        return Slack(SINGLE if self.nested is None else NESTED)

    @property
    def unit(self) -> int:
        """See `InUnits`."""
        return self.block

    def groups(self, source: Source, begin: int, end: int) -> Groups:
        """See `InUnits`."""
        each = self.block // 2
        codes = np.zeros(((end - begin) * each), np.uint8)
        held = self.codes.bytes(source, begin * each, min(end * each, self.codes.count))
        codes[: held.size] = held
        return Groups(codes.reshape(-1, each), Order.HIGH_FIRST, self.block, self._largest(source, begin, end)[:, None])

    def _largest(self, source: Source, begin: int, end: int) -> Float32:
        raw = self.largest.bytes(source, begin * self.largest.width, end * self.largest.width)
        if self.nested is None:
            plain: Float32 = self.largest.numbers(raw[None])[0]
            return plain
        own, first, last = self.nested, begin // self.nested.block, -(-end // self.nested.block)
        table = own.table.numbers(own.table.bytes(source, 0, own.table.count * 4)[None])[0]
        scale = own.scale.numbers(own.scale.bytes(source, 4 * first, 4 * last)[None])[0]
        made: Float32 = np.asarray(
            table[raw] * scale[np.arange(begin, end) // own.block - first] + np.float32(own.offset), np.float32
        )
        return made


def find(found: Found) -> Iterator[Packed]:
    """All matrices that are stored so."""
    for kind in BOOKS:
        for name in found.ending(f"{STATE}{kind}"):
            made = _one(found, name, kind)
            if made is not None:
                used = [f"{name}.{part}" for part in ("absmax", "quant_map", "nested_absmax", "nested_quant_map")]
                yield Packed(made, (*used, f"{name}{STATE}{kind}"))


def _one(found: Found, name: str, kind: str) -> FourBits | None:
    told = found.said(f"{name}{STATE}{kind}")
    said, block = told.get("shape"), told.get("blocksize")
    shape = shape_told(said if isinstance(said, list) else None)
    codes = found.get(name, "U8")
    largest = found.get(f"{name}.absmax", "F32", "U8", sides=1)
    if shape is None or codes is None or largest is None or type(block) is not int or block not in BLOCKS:
        return None
    count = prod(shape)
    blocks = -(-count // block)
    if codes.count != -(-count // 2) or largest.count != blocks:
        return None
    if largest.form == "F32":
        return FourBits(name, shape, kind, block, codes, largest, None)
    size, offset = told.get("nested_blocksize"), told.get("nested_offset")
    table = found.get(f"{name}.nested_quant_map", "F32", sides=1)
    scale = found.get(f"{name}.nested_absmax", "F32", sides=1)
    if table is None or scale is None or type(size) is not int or size < 1 or not isinstance(offset, int | float):
        return None
    if table.count != 256 or scale.count != -(-blocks // size):
        return None
    return FourBits(name, shape, kind, block, codes, largest, Nested(table, scale, size, float(offset)))
