"""Packs models as the programs do that people use, in numpy and in memory; held against those programs' own files.

`FORMS` has a function for each form: a matrix float32 [rows, columns] to its tensors by endings, or None where the
sides do not fit. What does not fit is stored in FP8 by row. `LATER` has those that came after the calibration of
quantised models, whose cases are numbered through `FORMS`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import DType, encode_single, round_bf16
from modelprov.checkpoints.formats.four_bit_floats import E2M1, FP4, NF4
from modelprov.checkpoints.formats.grouped import CodeBook
from modelprov.checkpoints.formats.scaled_codes import values
from modelprov.checkpoints.layouts.packed.finding import with_packed
from modelprov.checkpoints.layouts.scaled import with_scaled
from modelprov.checkpoints.types import Checkpoint, RefusedTensor, Shard, TensorRef
from modelprov.demo.writing import Weights
from tests.factories import Tensor, stored, write_checkpoint
from tests.memory import Memory

Float32 = npt.NDArray[np.float32]
Parts = dict[str, Tensor]
BLOCK = 16
CODES = np.arange(256, dtype=np.uint8)


def bf16(numbers: npt.ArrayLike) -> Float32:
    """Rounded to bf16."""
    return round_bf16(np.asarray(numbers, np.float32))


def nearest(numbers: Float32, table: Float32) -> npt.NDArray[np.uint8]:
    """The code of the nearest number of a table; what is beyond its ends becomes its ends."""
    order = np.argsort(table, kind="stable")
    order = order[np.isfinite(table[order])]
    held = table[order]
    middles = (held[1:] + held[:-1]) / 2
    return order[np.searchsorted(middles, numbers)].astype(np.uint8)


def tiles(weights: Float32, size: int) -> Float32:
    return weights.reshape(len(weights), -1, size)


def group_of(columns: int, most: int = 32) -> int:
    """The largest power of two up to `most` that divides a row."""
    return min(most, columns & -columns)


def words(codes: npt.NDArray[Any], bits: int) -> npt.NDArray[np.int32]:
    """Codes [rows, n] as a stream of bits in words, the first in the lowest bits."""
    streamed = (codes[..., None].astype(np.uint8) >> np.arange(bits, dtype=np.uint8)) & 1
    flat = streamed.reshape(len(codes), -1)
    return np.packbits(np.pad(flat, ((0, 0), (0, -flat.shape[1] % 32))), axis=1, bitorder="little").view("<i4")


def halves(codes: npt.NDArray[np.uint8], *, low_first: bool = True) -> npt.NDArray[np.uint8]:
    """Two codes a byte."""
    first, second = codes[..., ::2], codes[..., 1::2]
    return first | (second << 4) if low_first else (first << 4) | second


def fp8(weights: Float32, high: int, wide: int) -> tuple[npt.NDArray[np.uint8], Float32]:
    """Codes and scales in bf16, as compressed-tensors divides."""
    rows, columns = weights.shape
    padded = np.pad(weights, ((0, -rows % high), (0, -columns % wide)))
    blocks = padded.reshape(padded.shape[0] // high, high, padded.shape[1] // wide, wide)
    scale = bf16(np.maximum(bf16(np.abs(blocks).max(axis=(1, 3)) / 448), 1e-30))
    made = bf16(blocks / scale[:, None, :, None])
    codes = nearest(np.clip(made, -448, 448), values(CODES, "F8_E4M3")).reshape(padded.shape)
    return np.ascontiguousarray(codes[:rows, :columns]), scale


def fp8_row(weights: Float32) -> Parts:
    codes, scale = fp8(weights, 1, weights.shape[1])
    return {"weight": (codes.tobytes(), "F8_E4M3", codes.shape), "weight_scale": (scale, "BF16")}


def fp8_tensor(weights: Float32) -> Parts:
    codes, scale = fp8(weights, *weights.shape)
    return {"weight": (codes.tobytes(), "F8_E4M3", codes.shape), "weight_scale": (scale, "F32")}


def fp8_block(weights: Float32) -> Parts:
    codes, scale = fp8(weights, BLOCK, BLOCK)
    return {"weight": (codes.tobytes(), "F8_E4M3", codes.shape), "weight_scale_inv": (scale, "F32")}


def int8_row(weights: Float32) -> Parts:
    """compressed-tensors W8A8."""
    scale = bf16(np.maximum(bf16(np.abs(weights).max(axis=1, keepdims=True)) / 127.5, 1e-30))
    codes = np.clip(np.round(bf16(weights / scale)), -128, 127).astype(np.int8)
    return {"weight": codes, "weight_scale": (scale, "BF16")}


def int8_bitsandbytes(weights: Float32) -> Parts:
    largest = np.maximum(np.abs(weights).max(axis=1), np.float32(1e-30))
    codes = np.round(weights * (np.float32(127) / largest[:, None])).astype(np.int8)
    return {"weight": codes, "SCB": largest}


def packed_integers(weights: Float32, bits: int = 4, most: int = 32) -> Parts:
    """compressed-tensors W4A16 and W8A16, symmetric."""
    size = weights.shape[1] if bits == 8 else group_of(weights.shape[1], most)
    own = tiles(weights, size)
    largest = np.abs(own).max(axis=2)
    scale = bf16(np.maximum(bf16(largest / bf16(((1 << bits) - 1) / 2)), 1e-30))
    codes = np.clip(np.round(bf16(own / scale[..., None])), -(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    shifted = (codes.reshape(weights.shape) + (1 << (bits - 1))).astype(np.uint8)
    return {
        "weight_packed": words(shifted, bits), "weight_scale": (scale, "BF16"),
        "weight_shape": np.array(weights.shape, np.int64),
    }  # fmt: skip


def four_bits(weights: Float32, kind: str = "nf4", size: int = 64) -> Parts:
    """bitsandbytes, not nested."""
    flat = np.pad(weights.reshape(-1), (0, -weights.size % size)).reshape(-1, size)
    largest = np.maximum(np.abs(flat).max(axis=1), np.float32(1e-38))
    book: CodeBook = NF4 if kind == "nf4" else FP4
    codes = nearest(flat * (np.float32(1) / largest)[:, None], book.values).reshape(-1)[: weights.size]
    packed = halves(np.pad(codes, (0, codes.size % 2)), low_first=False)
    state = {"quant_type": kind, "blocksize": size, "dtype": "bfloat16", "shape": list(weights.shape)}
    return {
        "weight": packed[:, None], "weight.absmax": largest, "weight.quant_map": book.values,
        f"weight.quant_state.bitsandbytes__{kind}": np.frombuffer(json.dumps(state).encode(), np.uint8),
    }  # fmt: skip


def mxfp4(weights: Float32) -> Parts | None:
    """compressed-tensors: a power of two that puts the largest number below 8."""
    if weights.shape[1] % 32:
        return None
    own = tiles(weights, 32)
    largest = np.maximum(np.abs(own).max(axis=2), np.float32(1e-30))
    power = np.floor(np.log2(largest)) - 2
    codes = nearest(own / np.exp2(power)[..., None], E2M1.values).reshape(weights.shape)
    return {"weight_packed": halves(codes), "weight_scale": (power + 127).astype(np.uint8)}


def nvfp4(weights: Float32) -> Parts | None:
    if weights.shape[1] % 16:
        return None
    own, whole = tiles(weights, 16), np.float32(448 * 6 / max(np.abs(weights).max(), 1e-30))
    table = values(CODES, "F8_E4M3")
    scale_codes = nearest(np.abs(own).max(axis=2) / 6 * whole, table)
    scale_codes = np.where(table[scale_codes] == 0, 1, scale_codes).astype(np.uint8)
    codes = nearest(own / (table[scale_codes] / whole)[..., None], E2M1.values).reshape(weights.shape)
    return {
        "weight_packed": halves(codes), "weight_scale": (scale_codes.tobytes(), "F8_E4M3", scale_codes.shape),
        "weight_global_scale": np.array([whole], np.float32),
    }  # fmt: skip


def mlx(weights: Float32, bits: int = 4, size: int = 8) -> Parts:
    """MLX, affine: the end with the larger size is kept, the scale goes from there."""
    own = tiles(weights, size)
    low, most, steps = own.min(axis=2), own.max(axis=2), np.float32((1 << bits) - 1)
    downward = np.abs(low) > np.abs(most)
    scale = np.maximum((most - low) / steps, np.float32(1e-7))
    scale = np.where(downward, scale, -scale)
    edge = np.where(downward, low, most)
    zero = np.round(edge / scale)
    scale = np.where(zero != 0, edge / np.where(zero != 0, zero, 1), scale).astype(np.float32)
    bias = np.where(zero != 0, edge, 0).astype(np.float32)
    codes = np.clip(np.round((own - bias[..., None]) / scale[..., None]), 0, steps).reshape(weights.shape)
    return {"weight": words(codes, bits).view("<u4"), "scales": (scale, "BF16"), "biases": (bias, "BF16")}


def hqq(weights: Float32, size: int = 8) -> Parts | None:
    """HQQ before its zero points are searched."""
    own = weights.reshape(-1, size)
    if len(own) % 2:
        return None
    low, most = own.min(axis=1, keepdims=True), own.max(axis=1, keepdims=True)
    scale = np.minimum(np.where(most - low <= 1e-4, np.float32(1), 15 / np.maximum(most - low, 1e-30)), 2e4)
    zero = -low * scale
    codes = np.clip(np.round(own * scale + zero), 0, 15).astype(np.uint8)
    half = len(codes) // 2
    return {
        "W_q": (codes[:half] << 4) | codes[half:], "scale": (1 / scale).astype(np.float16),
        "zero": zero.astype(np.float16), "shape": np.array(weights.shape, np.int64), "axis": np.array(1, np.int32),
        "nbits": np.array(4, np.int32),
    }  # fmt: skip


def gptq(weights: Float32) -> Parts | None:
    """GPTQ's form with its errors spread: what rounding left of a column is taken from the next one's numbers."""
    rows, columns = weights.shape
    if rows % 8 or columns % 8:
        return None
    size = group_of(columns)
    own = tiles(weights, size)
    low, most = own.min(axis=2), own.max(axis=2)
    scale = np.maximum((most - low) / 15, 1e-7).astype(np.float16).astype(np.float32)
    zero = np.clip(np.round(-low / scale), 1, 15)
    codes, left = np.empty((rows, columns), np.uint8), np.zeros(rows, np.float32)
    for column in range(columns):
        group = column // size
        wanted = weights[:, column] + np.float32(0.3) * left
        codes[:, column] = np.clip(np.round(wanted / scale[:, group] + zero[:, group]), 0, 15)
        left = wanted - (codes[:, column] - zero[:, group]) * scale[:, group]
    return {
        "qweight": words(codes, 4).T, "qzeros": words((zero.T - 1).astype(np.uint8), 4),
        "scales": scale.T.astype(np.float16), "g_idx": (np.arange(columns) // size).astype(np.int32),
    }  # fmt: skip


def awq(weights: Float32) -> Parts | None:
    """AWQ's form, its columns multiplied by what activations would say."""
    rows, columns = weights.shape
    if rows % 8:
        return None
    size = group_of(columns)
    by = np.exp2(np.random.default_rng(columns).uniform(-0.5, 0.5, columns)).astype(np.float32)
    own = tiles(weights * by, size)
    low, most = own.min(axis=2), own.max(axis=2)
    scale = np.maximum((most - low) / 15, 1e-7).astype(np.float16).astype(np.float32)
    zero = np.clip(np.round(-low / scale), 0, 15)
    codes = np.clip(np.round(own / scale[..., None] + zero[..., None]), 0, 15).reshape(weights.shape).astype(np.uint8)

    def ordered(held: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
        return words(held.reshape(len(held), -1, 8)[:, :, [0, 2, 4, 6, 1, 3, 5, 7]].reshape(len(held), -1), 4)

    return {
        "qweight": ordered(codes.T), "qzeros": ordered(zero.T.astype(np.uint8)), "scales": scale.T.astype(np.float16),
    }  # fmt: skip


def awq_rows(weights: Float32, size: int = 64) -> Parts | None:
    """AutoAWQ's form for GEMV: outputs first, codes in order, groups filled up to two words of zeros."""
    columns = weights.shape[1]
    if columns % size:
        return None
    own = tiles(weights, size)
    low, most = own.min(axis=2), own.max(axis=2)
    scale = np.maximum((most - low) / 15, 1e-7).astype(np.float16).astype(np.float32)
    zero = np.clip(np.round(-low / scale), 0, 15)
    codes = np.clip(np.round(own / scale[..., None]) + zero[..., None], 0, 15).reshape(weights.shape).astype(np.uint8)
    filled = ((0, 0), (0, -(columns // size) % 16))
    return {
        "qweight": words(codes, 4), "qzeros": words(np.pad(zero, filled).astype(np.uint8), 4),
        "scales": np.pad(scale, filled).astype(np.float16),
    }  # fmt: skip


def torchao_int8(weights: Float32) -> Parts:
    """What torchao calls an Int8Tensor by row, as `flatten_tensor_state_dict` names the parts; it needs `metadata`."""
    scale = bf16(np.maximum(np.abs(weights).max(axis=1, keepdims=True) / 127.5, 1e-30))
    codes = np.clip(np.round(weights / scale), -128, 127).astype(np.int8)
    return {
        "_weight_qdata": codes, "_weight_scale": scale.astype(np.float32),
        "_weight_zero_point": np.zeros((len(weights), 1), np.int8),
    }  # fmt: skip


FORMS: dict[str, Callable[[Float32], Parts | None]] = {
    "FP8 row": fp8_row, "FP8 tensor": fp8_tensor, "FP8 block": fp8_block, "int8 W8A8": int8_row,
    "int8 bitsandbytes": int8_bitsandbytes, "W4A16": packed_integers,
    "W8A16": lambda weights: packed_integers(weights, 8), "NF4": four_bits,
    "FP4": lambda weights: four_bits(weights, "fp4"), "MXFP4": mxfp4, "NVFP4": nvfp4, "MLX 4": mlx,
    "MLX 8": lambda weights: mlx(weights, 8), "HQQ": hqq, "GPTQ": gptq, "AWQ": awq,
}  # fmt: skip
LATER: dict[str, Callable[[Float32], Parts | None]] = {"AWQ GEMV": awq_rows, "torchao int8": torchao_int8}
CONFIG: dict[str, Any] = {
    "quantization_config": {"weight_block_size": [BLOCK, BLOCK]}, "quantization": {"group_size": 8},
}  # fmt: skip


def tensors_of(weights: Weights, form: str) -> dict[str, Tensor]:
    """All tensors of a model, its matrices in a form; embeddings, heads and vectors are packed too where they fit."""
    made: dict[str, Tensor] = {}
    for name, (numbers, dtype) in weights.items():
        stem, _, kind = name.rpartition(".")
        if numbers.ndim != 2 or kind != "weight":
            made[name] = (np.asarray(numbers, np.float32), str(dtype))
            continue
        plain = np.nan_to_num(np.ascontiguousarray(numbers, np.float32), posinf=0, neginf=0)
        parts = (FORMS | LATER)[form](plain) or fp8_row(plain)
        made |= {f"{stem}.{part}": tensor for part, tensor in parts.items()}
    return made


def metadata(made: Mapping[str, Tensor]) -> dict[str, str]:
    """What torchao's files say of each of their tensors beside the parts."""
    told = {"_type": "Int8Tensor", "_tensor_data_names": ["qdata", "scale", "zero_point"]}
    codes = {
        name: part for name, part in made.items() if name.endswith("._weight_qdata") and not isinstance(part, tuple)
    }
    return {
        name.replace("._weight_qdata", ".weight"): json.dumps(told | {"_data": {"block_size": [1, part.shape[1]]}})
        for name, part in codes.items()
    }


def packed_form(label: str, weights: Weights, form: str) -> Checkpoint:
    """An opened checkpoint with its matrices in this form, in memory."""
    plain: dict[str, TensorRef] = {}
    refused: dict[str, RefusedTensor] = {}
    pieces, at = [], 0
    made = tensors_of(weights, form)
    for name, tensor in made.items():
        data, dtype, shape = (
            (bytes(encode_single(tensor[0], DType.BF16)), "BF16", list(tensor[0].shape))
            if isinstance(tensor, tuple) and len(tensor) == 2 and tensor[1] == "BF16"
            else stored(tensor)
        )
        place = (name, tuple(shape), 0, at, at + len(data))
        if dtype in tuple(DType):
            plain[name] = TensorRef(name, DType(dtype), *place[1:])
        else:
            refused[name] = RefusedTensor(name, dtype, *place[1:])
        pieces.append(data)
        at += len(data)
    source = Memory((b"".join(pieces),))
    config = {"quantization_config": {"group_size": 64}} if form == "AWQ GEMV" else CONFIG
    opened = Checkpoint(
        label, label, plain, (Shard(source.names[0], at, ""),), source, config=config, refused=refused,
        metadata=metadata(made),
    )  # fmt: skip
    return with_packed(with_scaled(opened))


def write_form(folder: Path, weights: Weights, form: str, config: Mapping[str, Any]) -> Path:
    """The same as a folder on disk."""
    return write_checkpoint(folder, tensors_of(weights, form), config={**config, **CONFIG})
