"""Writes models in FP8 and int8 with scales beside the weights, rounded by torch, stored by the safetensors library."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from modelprov.checkpoints.formats.dtypes import decode
from modelprov.checkpoints.opening import open_checkpoint
from tests.factories import Tensor, write_checkpoint

BLOCK = 128


def as_fp8(folder: Path, out: Path, by: str) -> Path:
    """A checkpoint with its matrices in FP8 (E4M3): scales by `block` (F32, as DeepSeek), `row` (BF16) or `tensor`."""
    checkpoint = open_checkpoint(str(folder))
    tensors: dict[str, Tensor] = {}
    for name, ref in checkpoint.tensors.items():
        raw = np.empty(ref.stop - ref.start, np.uint8)
        checkpoint.source.read_into(ref.shard, ref.start, raw.data)
        values = decode(raw, ref.dtype).reshape(ref.shape).astype(np.float32)
        if values.ndim != 2 or "_proj" not in name:
            tensors[name] = (values, str(ref.dtype))
            continue
        codes, scale = quantised(values, by)
        tensors[name] = (codes.tobytes(), "F8_E4M3", codes.shape)
        ending, form = ("_scale_inv", "F32") if by == "block" else ("_scale", "BF16" if by == "row" else "F32")
        tensors[name + ending] = (scale, form)
    checkpoint.source.close()
    config: dict[str, Any] = json.loads((folder / "config.json").read_text())
    section: dict[str, Any] = {"quant_method": "fp8" if by == "block" else "compressed-tensors"}
    if by == "block":
        section["weight_block_size"] = [BLOCK, BLOCK]
    return write_checkpoint(out, tensors, config=config | {"quantization_config": section})


def quantised(values: np.ndarray, by: str) -> tuple[np.ndarray, np.ndarray]:
    """Codes uint8 of the values' shape, and their scales, by the public formula: the largest number becomes 448."""
    import torch

    rows, columns = values.shape
    high, wide = {"block": (BLOCK, BLOCK), "row": (1, columns), "tensor": (rows, columns)}[by]
    scale = np.empty((-(-rows // high), -(-columns // wide)), np.float32)
    codes = np.empty((rows, columns), np.uint8)
    for i in range(scale.shape[0]):
        for j in range(scale.shape[1]):
            at = slice(i * high, (i + 1) * high), slice(j * wide, (j + 1) * wide)
            largest = torch.tensor(max(float(np.abs(values[at]).max()), 1e-12) / 448)
            own = largest.to(torch.bfloat16).to(torch.float32) if by == "row" else largest
            scale[i, j] = float(own)
            block = (torch.from_numpy(values[at].copy()) / own).clamp(-448, 448)
            codes[at] = block.to(torch.float8_e4m3fn).view(torch.uint8).numpy()
    return codes, scale
