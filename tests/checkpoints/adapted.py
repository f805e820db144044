"""Small bases and adapters on disk, and what merging them gives by peft's own description, in plain numpy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import DType, decode, encode
from modelprov.checkpoints.types import Checkpoint
from tests.factories import Tensor, write_checkpoint, write_safetensors

Array = npt.NDArray[np.floating[Any]]
Q, UP, EMBED, HEAD = (
    "model.layers.0.self_attn.q_proj", "model.layers.0.mlp.up_proj", "model.embed_tokens", "lm_head",
)  # fmt: skip
SHAPES = {Q: (24, 16), UP: (40, 16), EMBED: (50, 16), HEAD: (50, 16)}
LORA = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["q_proj"]}


def base_weights(seed: int = 0) -> dict[str, Array]:
    """Weights of a small model, numbers of bf16."""
    random = np.random.default_rng(seed)
    drawn = {f"{name}.weight": random.standard_normal(shape) for name, shape in SHAPES.items()}
    drawn[f"{Q}.bias"] = random.standard_normal(24)
    return {
        name: decode(encode(values, DType.BF16), DType.BF16).reshape(values.shape) for name, values in drawn.items()
    }


def write_base(folder: Path, weights: Mapping[str, Array], form: str = "BF16") -> Path:
    """A base on disk, in two shards."""
    tensors: dict[str, Tensor] = {name: (values, form) for name, values in weights.items()}
    return write_checkpoint(folder, tensors, shards=2, config={"model_type": "llama"})


def write_adapter(folder: Path, tensors: Mapping[str, Array], config: Mapping[str, Any]) -> Path:
    """An adapter on disk; names without the wrapper."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps(dict(config)))
    write_safetensors(
        folder / "adapter_model.safetensors",
        {f"base_model.model.{name}": np.asarray(values, np.float32) for name, values in tensors.items()},
    )
    return folder


def matrices(module: str, rank: int = 4, seed: int = 1) -> dict[str, Array]:
    """LoRA's two matrices for a module."""
    random = np.random.default_rng(seed)
    rows, columns = SHAPES[module]
    return {
        f"{module}.lora_A.weight": random.standard_normal((rank, columns)).astype(np.float32) / 8,
        f"{module}.lora_B.weight": random.standard_normal((rows, rank)).astype(np.float32) / 8,
    }


def values_of(checkpoint: Checkpoint, name: str) -> Array:
    """A tensor's numbers, read in one piece."""
    ref = checkpoint.tensors[name]
    raw = bytearray(ref.stop - ref.start)
    checkpoint.source.read_into(ref.shard, ref.start, memoryview(raw))
    return decode(np.frombuffer(raw, np.uint8), ref.dtype).reshape(ref.shape)


def stored_as(values: Array, form: str = "BF16") -> Array:
    """Numbers as a format holds them."""
    return decode(encode(values.astype(np.float64), DType(form)), DType(form)).reshape(values.shape)
