"""Weights of one byte each with scales beside them, in safetensors: found by names and shapes, decoded when read.

FP8 with one scale for a block (`weight_scale_inv`, as DeepSeek and Qwen write it; the number to multiply by, whatever
its name says), for a row or for a tensor (`weight_scale`, compressed-tensors, FBGEMM, ModelOpt), and int8
(`weight_scale` of compressed-tensors, `SCB` of bitsandbytes). What does not fit together stays, refused by its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from modelprov.checkpoints.formats.dtypes import Bytes, DType, Float64
from modelprov.checkpoints.formats.scaled_codes import CODES, SCALES, bounds, scaled_bounds, scales_of, values
from modelprov.checkpoints.layouts.decoded import PackedTensor, with_decoded
from modelprov.checkpoints.layouts.roles import sections_of
from modelprov.checkpoints.sources.interface import Source
from modelprov.checkpoints.types import Checkpoint, Packing, RefusedTensor, TensorRef

BLOCK = (128, 128)
LONGEST_ROW = 1 << 24
"""Elements; whole rows are decoded."""
BITSANDBYTES = 127.0
"""Of a row's largest number, which `SCB` is."""
Stored = TensorRef | RefusedTensor


@dataclass(frozen=True, slots=True)
class ScaledTensor:
    """A matrix of codes or a stack of them, and its scales, each for a block of rows and columns; by where they lie."""

    name: str
    shape: tuple[int, ...]
    code: str
    codes: tuple[int, int]
    scale: str
    scales: tuple[int, int]
    block: tuple[int, int]
    by: str
    divisor: float
    supposed: bool

    @property
    def dtype(self) -> DType:
        """What it is read as."""
        return DType.F32

    @property
    def _grid(self) -> tuple[int, int]:
        """Blocks of rows of a matrix, blocks of columns."""
        return -(-self.shape[-2] // self.block[0]), -(-self.shape[-1] // self.block[1])

    @property
    def packing(self) -> Packing:
        """See `PackedTensor`."""
        width = 1 if self.scale == "F8_E8M0" else DType(self.scale).size
        scales = self._grid[0] * self._grid[1]
        bits = 8 * (1 + width * scales / max(self.shape[-2] * self.shape[-1], 1))
        return Packing(f"{CODES[self.code]} with a scale for each {self.by}", bits, True, self.supposed)

    def read(self, source: Source, first: int, count: int) -> Bytes:
        """See `PackedTensor`."""
        codes, rows, at = self._rows(source, first, count)
        made, wide = values(codes, self.code), self.block[1]
        with np.errstate(all="ignore"):
            if made.shape[1] % wide == 0:
                grouped = made.reshape(*rows.shape, wide)
                grouped *= rows.astype(np.float32)[..., None]
            else:
                made *= self._spread(rows).astype(np.float32)
        return np.ascontiguousarray(made.reshape(-1)[at : at + count], "<f4").view(np.uint8)

    def cells(self, source: Source, first: int, count: int) -> tuple[Float64, Float64] | None:
        """See `PackedTensor`."""
        codes, rows, at = self._rows(source, first, count)
        scale = self._spread(rows)
        lower, upper = scaled_bounds(*bounds(codes, self.code), scale, self.scale)
        known = np.isfinite(lower) & np.isfinite(upper) & (scale != 0)
        return tuple(np.where(known, bound, np.nan).reshape(-1)[at : at + count] for bound in (lower, upper))  # type: ignore[return-value]

    def _rows(self, source: Source, first: int, count: int) -> tuple[Bytes, Float64, int]:
        """The rows that hold these elements: codes [rows, columns], scales [rows, blocks], where the first one is."""
        (height, columns), high = self.shape[-2:], self.block[0]
        begin, end = first // columns, -(-(first + count) // columns)
        codes = np.empty((end - begin, columns), np.uint8)
        source.read_into(self.codes[0], self.codes[1] + begin * columns, codes.reshape(-1).data)
        width = 1 if self.scale == "F8_E8M0" else DType(self.scale).size
        down, across = self._grid
        row = np.arange(begin, end)
        place = row // height * down + row % height // high  # a stack's matrices have blocks of their own
        top, bottom = int(place[0]), int(place[-1]) + 1
        raw = np.empty((bottom - top) * across * width, np.uint8)
        source.read_into(self.scales[0], self.scales[1] + top * across * width, raw.data)
        scale = scales_of(raw, self.scale).reshape(bottom - top, across) / self.divisor
        return codes, scale[place - top], first - begin * columns

    def _spread(self, rows: Float64) -> Float64:
        """The scale of every element of some rows."""
        return rows if self._grid[1] == 1 else np.repeat(rows, self.block[1], axis=1)[:, : self.shape[-1]]


def with_scaled(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint with its scaled matrices as plain floats, their scales taken out of the tensors."""
    stored: dict[str, Stored] = {**checkpoint.tensors, **checkpoint.refused}
    side = _side(checkpoint.config)
    found: list[PackedTensor] = []
    used: set[str] = set()
    for name, tensor in checkpoint.refused.items():
        if tensor.format not in CODES or len(tensor.shape) not in (2, 3) or not 0 < tensor.shape[-1] <= LONGEST_ROW:
            continue
        for beside in (f"{name}_scale_inv", f"{name}_scale", f"{name.removesuffix('weight')}SCB"):
            scale = stored.get(beside)
            made = None if scale is None or beside == name else _scaled(tensor, scale, beside, stored, side)
            if made is not None:
                found.append(made)
                used.add(beside)
                break
    if not found:
        return checkpoint
    decoded = with_decoded(checkpoint, found)
    return replace(
        decoded,
        tensors={name: ref for name, ref in decoded.tensors.items() if name not in used},
        refused={name: tensor for name, tensor in decoded.refused.items() if name not in used},
    )


def _scaled(
    tensor: RefusedTensor, scale: Stored, beside: str, stored: Mapping[str, Stored], side: tuple[int, int]
) -> ScaledTensor | None:
    """The matrix with these scales, where their formats and shapes fit together."""
    form = scale.format if isinstance(scale, RefusedTensor) else str(scale.dtype)
    named = beside.rpartition(".")[2]
    asymmetric = f"{tensor.name}_zero_point" in stored
    if form not in SCALES or asymmetric or (named == "SCB" and tensor.format != "I8"):
        return None
    rows, columns = tensor.shape[-2:]
    stack = len(tensor.shape) == 3
    if stack and (len(scale.shape) != 3 or scale.shape[0] != tensor.shape[0] or not rows):
        return None
    blocks = _blocks((rows, columns), scale.shape[1:] if stack else scale.shape, side)
    if blocks is None:
        return None
    block, by = blocks
    int8 = tensor.format == "I8"
    return ScaledTensor(
        tensor.name, tensor.shape, tensor.format, (tensor.shard, tensor.start), form, (scale.shard, scale.start),
        block, by, BITSANDBYTES if named == "SCB" else 1.0, int8 and named != "SCB",
    )  # fmt: skip


def _blocks(
    shape: tuple[int, int], scales: tuple[int, ...], side: tuple[int, int]
) -> tuple[tuple[int, int], str] | None:
    """Which elements share a scale, by the scales' shape, and in words; None where they do not fit."""
    rows, columns = shape
    if all(length == 1 for length in scales):
        return (max(rows, 1), columns), "tensor"
    if scales in ((rows,), (rows, 1)):
        return (1, columns), "row"
    if scales == (-(-rows // side[0]), -(-columns // side[1])):
        return side, f"block of {side[0]} × {side[1]}"
    if len(scales) == 2 and scales[0] == rows and columns % scales[1] == 0:
        return (1, columns // scales[1]), f"{columns // scales[1]} values"
    return None


def _side(config: Mapping[str, Any] | None) -> tuple[int, int]:
    """Rows and columns of a block, as the config says, else as all such models had it so far."""
    for _, section in sections_of(config, "quantization_config"):
        size = _block_size(section)
        if isinstance(size, list) and len(size) == 2 and all(type(each) is int and 0 < each < 1 << 20 for each in size):
            return size[0], size[1]
    return BLOCK


def _block_size(section: Mapping[str, Any]) -> Any:
    """What a `quantization_config` says of blocks: in a key of its own, or of a group of compressed-tensors."""
    groups = section.get("config_groups")
    for group in groups.values() if isinstance(groups, dict) else ():
        weights = group.get("weights") if isinstance(group, dict) else None
        if isinstance(weights, dict) and weights.get("block_structure"):
            return weights["block_structure"]
    return section.get("weight_block_size")
