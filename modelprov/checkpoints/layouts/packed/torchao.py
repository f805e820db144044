"""torchao, as its `flatten_tensor_state_dict` puts tensors into safetensors: parts by name, what they are in metadata.

Of `layer.weight` there are `layer._weight_qdata`, `layer._weight_scale` and perhaps `layer._weight_zero_point`; the
file's metadata has a JSON text under `layer.weight` with the class, the sides of a block that shares a scale, and the
parts. Read are `Int8Tensor`, `IntxUnpackedToInt8Tensor` (1 to 8 bits, a byte each) and `Float8Tensor`; what else the
library packs, for one kind of chip, stays refused by its name. Which algorithm chose integers the file does not say.
Source: `torchao.prototype.safetensors` and `torchao.quantization` of torchao 0.18.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from modelprov.checkpoints.formats.dtypes import Bytes
from modelprov.checkpoints.formats.grouped import CodeBook, Groups, Order, Slack, integers
from modelprov.checkpoints.formats.scaled_codes import QUOTIENT
from modelprov.checkpoints.layouts.packed.stored import LONGEST, Found, InUnits, Packed, Stored
from modelprov.checkpoints.layouts.scaled import ScaledTensor
from modelprov.checkpoints.sources.interface import Source
from modelprov.foreign.json_text import JsonError, parse_json

CODES = "_qdata"
INTEGERS = {"Int8Tensor": "int8", "IntxUnpackedToInt8Tensor": ""}
"""Classes of integers, and their type where the class says it."""
FLOATS = "Float8Tensor"
WIDTHS = {f"int{bits}": bits for bits in range(1, 9)}
PARTS = frozenset({"qdata", "scale", "zero_point", "act_quant_scale", "act_quant_zero_point"})
"""Of these none changes what the weights are; with `act_pre_scale` they are those of a model that was smoothed."""


@dataclass(frozen=True)
class TorchaoIntegers(InUnits):
    """A matrix or a stack of integers, a byte each, however few bits they have."""

    width: int
    size: int
    codes: Stored
    scale: Stored
    zero: Stored | None

    supposed = True

    @property
    def format(self) -> str:
        """See `InUnits`."""
        by = "row" if self.size == self.shape[-1] else f"{self.size} values"
        return f"torchao int{self.width} with a scale for each {by}"

    @property
    def bits(self) -> float:
        """See `InUnits`; a number takes a byte."""
        beside = sum(each.width for each in (self.scale, self.zero) if each is not None)
        return 8 * (1 + beside / self.size)

    @property
    def book(self) -> CodeBook:
        """Signed integers, from the lowest."""
        return integers(self.width, -self._half)

    @property
    def slack(self) -> Slack:
        """See `InUnits`: numbers are multiplied by a reciprocal, both rounded in the model's format."""
        return Slack(2 * QUOTIENT)

    @property
    def _half(self) -> int:
        return 1 << (self.width - 1)

    def groups(self, source: Source, begin: int, end: int) -> Groups:
        """See `InUnits`."""
        codes = self._from_lowest(self.codes.rows(source, begin, end))
        scale, offset = self.scale.numbers(self.scale.rows(source, begin, end)), None
        if self.zero is not None:
            offset = -self.zero.rows(source, begin, end).view(np.int8).astype(np.float32) * scale
        return Groups(codes, Order.BYTES, self.shape[-1], scale, offset)

    def _from_lowest(self, raw: Bytes) -> Bytes:
        """Codes from 0 up, of signed bytes; what is beyond the width is its end."""
        signed = np.clip(raw.view(np.int8), -self._half, self._half - 1)
        return (signed.astype(np.int16) + self._half).astype(np.uint8)


def find(found: Found) -> Iterator[Packed]:
    """All matrices and stacks that are stored so."""
    for name in found.ending(CODES):
        module, _, word = name.rpartition("._")
        told = _told(found, f"{module}.{word}")
        kind, data, parts = (told.get(key) for key in ("_type", "_data", "_tensor_data_names"))
        if (
            not isinstance(data, dict)
            or not isinstance(parts, list)
            or not all(isinstance(part, str) and part in PARTS for part in parts)
        ):
            continue
        block = data.get("block_size")
        if not isinstance(block, list) or not all(type(side) is int and side > 0 for side in block):
            continue
        tensor = _integers(found, name, f"{module}.{word}", str(kind), data, parts, block) or (
            _floats(found, name, f"{module}.{word}", block) if kind == FLOATS else None
        )
        if tensor is not None:
            yield Packed(tensor, tuple(name.removesuffix(CODES) + f"_{part}" for part in parts))


def _told(found: Found, name: str) -> Mapping[str, Any]:
    """What the metadata say of a tensor; nothing where that is no object."""
    try:
        told = parse_json(found.metadata.get(name, ""))
    except JsonError:
        return {}
    return told if isinstance(told, dict) else {}


def _integers(
    found: Found, stem: str, name: str, kind: str, data: Mapping[str, Any], parts: Sequence[str], block: Sequence[int]
) -> TorchaoIntegers | None:
    codes = found.get(f"{stem}{CODES}", "I8")
    scale = found.get(f"{stem}_scale", "F32", "BF16", "F16")
    target = data.get("target_dtype")
    width = WIDTHS.get(INTEGERS.get(kind) or (str(target.get("_data")) if isinstance(target, dict) else ""))
    if kind not in INTEGERS or codes is None or scale is None or width is None or len(codes.shape) not in (2, 3):
        return None
    *high, columns = codes.shape
    if len(block) != len(codes.shape) or any(side != 1 for side in block[:-1]) or not 0 < columns <= LONGEST:
        return None
    shared = (*high, columns // block[-1])
    if columns % block[-1] or scale.shape != shared or not prod(high):
        return None
    zero = found.get(f"{stem}_zero_point", "I8")
    if "zero_point" in parts and (zero is None or zero.shape != shared):
        return None
    return TorchaoIntegers(
        name, codes.shape, width, block[-1], codes.flat, scale.flat,
        zero.flat if zero is not None and "zero_point" in parts else None,
    )  # fmt: skip


def _floats(found: Found, stem: str, name: str, block: Sequence[int]) -> ScaledTensor | None:
    codes = found.get(f"{stem}{CODES}", "F8_E4M3", "F8_E5M2")
    scale = found.get(f"{stem}_scale", "F32", "BF16")
    if codes is None or scale is None or len(codes.shape) not in (2, 3) or len(block) != len(codes.shape):
        return None
    *stack, rows, columns = codes.shape
    high, wide = min(block[-2], rows), min(block[-1], columns)
    if any(side != 1 for side in block[:-2]) or not rows or not 0 < columns <= LONGEST:
        return None
    if scale.shape != (*stack, -(-rows // high), -(-columns // wide)):
        return None
    by = "tensor" if (high, wide) == (rows, columns) else f"block of {high} × {wide}"
    by = by if high > 1 else "row" if wide == columns else f"{wide} values"
    return ScaledTensor(
        name, codes.shape, codes.form, (codes.shard, codes.start), scale.form, (scale.shard, scale.start),
        (high, wide), by, 1.0, supposed=False,
    )  # fmt: skip
