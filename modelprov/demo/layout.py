"""Names, shapes and dtypes of a Qwen3.5-MoE checkpoint at any scale, and the config.json that goes with it. No values.

At `PUBLISHED` scale the layout is that of Qwen3.5-397B-A17B, tensor for tensor; a family is the same in miniature.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from modelprov.checkpoints.formats.dtypes import DType

TEXT = "model.language_model."
VISUAL = "model.visual."


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One tensor of a layout."""

    name: str
    shape: tuple[int, ...]
    dtype: DType = DType.BF16

    @property
    def size(self) -> int:
        """Bytes."""
        return math.prod(self.shape) * self.dtype.size


@dataclass(frozen=True, slots=True)
class VisionScale:
    """How big the vision tower is: blocks, widths in elements, patches in pixels (frames in time)."""

    depth: int = 2
    hidden: int = 64
    width: int = 224
    patch: int = 16
    frames: int = 2
    positions: int = 256
    merge: int = 2
    heads: int = 4


@dataclass(frozen=True, slots=True)
class FamilyScale:
    """How big the models of a family are; widths in elements. Every `full_every`-th layer has full attention."""

    layers: int = 8
    hidden: int = 128
    experts: int = 16
    expert_width: int = 48
    shared_width: int = 128
    vocabulary: int = 8192
    heads: int = 4
    kv_heads: int = 2
    head_width: int = 32
    linear_key_heads: int = 4
    linear_value_heads: int = 8
    linear_head_width: int = 32
    convolution: int = 4
    full_every: int = 4
    experts_per_token: int = 4
    vision: VisionScale = VisionScale()


SMALL = FamilyScale()
"""6.6 million parameters, 13 MB a checkpoint. Router and experts are wide enough to carry a verdict."""

TINY = FamilyScale(
    layers=4,
    hidden=64,
    expert_width=16,
    shared_width=32,
    vocabulary=512,
    heads=2,
    linear_key_heads=2,
    linear_value_heads=4,
    vision=VisionScale(depth=1, hidden=32, width=64, positions=64, patch=4),
)
"""Half a million parameters: for tests."""

PUBLISHED = FamilyScale(
    layers=60,
    hidden=4096,
    experts=512,
    expert_width=1024,
    shared_width=1024,
    vocabulary=248320,
    heads=32,
    head_width=256,
    linear_key_heads=16,
    linear_value_heads=64,
    linear_head_width=128,
    experts_per_token=10,
    vision=VisionScale(depth=27, hidden=1152, width=4304, positions=2304, heads=16),
)
"""Qwen3.5-397B-A17B: 2,924 tensors, 806,795,875,168 bytes. To compare layouts with, not to write."""


def layout(scale: FamilyScale) -> tuple[TensorSpec, ...]:
    """Every tensor in the publisher's order: text model, vision tower, MTP block."""
    return (*_text(scale), *_vision(scale), *_mtp(scale))


def config(scale: FamilyScale, *, mtp: bool = True) -> dict[str, Any]:
    """The `config.json` of a `qwen3_5_moe` model at this scale; `mtp` says whether it has the MTP block."""
    vision = scale.vision
    return {
        "architectures": ["Qwen3_5MoeForConditionalGeneration"],
        "model_type": "qwen3_5_moe",
        "dtype": "bfloat16",
        "tie_word_embeddings": False,
        "text_config": {
            "model_type": "qwen3_5_moe_text",
            "vocab_size": scale.vocabulary,
            "hidden_size": scale.hidden,
            "num_hidden_layers": scale.layers,
            "layer_types": [
                "full_attention" if _is_full(scale, layer) else "linear_attention" for layer in range(scale.layers)
            ],
            "full_attention_interval": scale.full_every,
            "num_attention_heads": scale.heads,
            "num_key_value_heads": scale.kv_heads,
            "head_dim": scale.head_width,
            "attn_output_gate": True,
            "linear_num_key_heads": scale.linear_key_heads,
            "linear_num_value_heads": scale.linear_value_heads,
            "linear_key_head_dim": scale.linear_head_width,
            "linear_value_head_dim": scale.linear_head_width,
            "linear_conv_kernel_dim": scale.convolution,
            "num_experts": scale.experts,
            "num_experts_per_tok": scale.experts_per_token,
            "moe_intermediate_size": scale.expert_width,
            "shared_expert_intermediate_size": scale.shared_width,
            "mtp_num_hidden_layers": int(mtp),
            "hidden_act": "silu",
            "rms_norm_eps": 1e-6,
            "tie_word_embeddings": False,
        },
        "vision_config": {
            "model_type": "qwen3_5_moe",
            "depth": vision.depth,
            "hidden_size": vision.hidden,
            "intermediate_size": vision.width,
            "num_heads": vision.heads,
            "out_hidden_size": scale.hidden,
            "patch_size": vision.patch,
            "temporal_patch_size": vision.frames,
            "spatial_merge_size": vision.merge,
            "num_position_embeddings": vision.positions,
        },
    }


def _is_full(scale: FamilyScale, layer: int) -> bool:
    return (layer + 1) % scale.full_every == 0


def _text(scale: FamilyScale) -> Iterator[TensorSpec]:
    width = scale.hidden
    yield TensorSpec(f"{TEXT}embed_tokens.weight", (scale.vocabulary, width))
    for layer in range(scale.layers):
        block = f"{TEXT}layers.{layer}."
        yield TensorSpec(block + "input_layernorm.weight", (width,))
        yield TensorSpec(block + "post_attention_layernorm.weight", (width,))
        yield from (_full_attention if _is_full(scale, layer) else _linear_attention)(block, scale)
        yield TensorSpec(block + "mlp.gate.weight", (scale.experts, width))
        yield TensorSpec(block + "mlp.experts.gate_up_proj", (scale.experts, 2 * scale.expert_width, width))
        yield TensorSpec(block + "mlp.experts.down_proj", (scale.experts, width, scale.expert_width))
        yield from _shared_expert(block, scale)
    yield TensorSpec(f"{TEXT}norm.weight", (width,))
    yield TensorSpec("lm_head.weight", (scale.vocabulary, width))


def _linear_attention(block: str, scale: FamilyScale) -> Iterator[TensorSpec]:
    attention, width, values = block + "linear_attn.", scale.hidden, scale.linear_value_heads
    inner = values * scale.linear_head_width
    mixed = 2 * scale.linear_key_heads * scale.linear_head_width + inner
    yield TensorSpec(attention + "in_proj_qkv.weight", (mixed, width))
    yield TensorSpec(attention + "in_proj_z.weight", (inner, width))
    yield TensorSpec(attention + "in_proj_a.weight", (values, width))
    yield TensorSpec(attention + "in_proj_b.weight", (values, width))
    yield TensorSpec(attention + "conv1d.weight", (mixed, 1, scale.convolution))
    yield TensorSpec(attention + "dt_bias", (values,))
    yield TensorSpec(attention + "A_log", (values,), DType.F32)
    yield TensorSpec(attention + "norm.weight", (scale.linear_head_width,), DType.F32)
    yield TensorSpec(attention + "out_proj.weight", (width, inner))


def _full_attention(block: str, scale: FamilyScale) -> Iterator[TensorSpec]:
    attention, width, head = block + "self_attn.", scale.hidden, scale.head_width
    yield TensorSpec(attention + "q_proj.weight", (2 * scale.heads * head, width))  # the query and its output gate
    yield TensorSpec(attention + "k_proj.weight", (scale.kv_heads * head, width))
    yield TensorSpec(attention + "v_proj.weight", (scale.kv_heads * head, width))
    yield TensorSpec(attention + "o_proj.weight", (width, scale.heads * head))
    yield TensorSpec(attention + "q_norm.weight", (head,))
    yield TensorSpec(attention + "k_norm.weight", (head,))


def _shared_expert(block: str, scale: FamilyScale) -> Iterator[TensorSpec]:
    expert, width = block + "mlp.shared_expert", scale.hidden
    yield TensorSpec(expert + ".gate_proj.weight", (scale.shared_width, width))
    yield TensorSpec(expert + ".up_proj.weight", (scale.shared_width, width))
    yield TensorSpec(expert + ".down_proj.weight", (width, scale.shared_width))
    yield TensorSpec(expert + "_gate.weight", (1, width))


def _mtp(scale: FamilyScale) -> Iterator[TensorSpec]:
    """The block that predicts a second token; its experts are stored one by one, unlike the text model's."""
    width = scale.hidden
    yield TensorSpec("mtp.fc.weight", (width, 2 * width))
    for name in ("norm", "pre_fc_norm_embedding", "pre_fc_norm_hidden"):
        yield TensorSpec(f"mtp.{name}.weight", (width,))
    block = "mtp.layers.0."
    yield TensorSpec(block + "input_layernorm.weight", (width,))
    yield TensorSpec(block + "post_attention_layernorm.weight", (width,))
    yield from _full_attention(block, scale)
    yield TensorSpec(block + "mlp.gate.weight", (scale.experts, width))
    for expert in range(scale.experts):
        yield TensorSpec(f"{block}mlp.experts.{expert}.gate_proj.weight", (scale.expert_width, width))
        yield TensorSpec(f"{block}mlp.experts.{expert}.up_proj.weight", (scale.expert_width, width))
        yield TensorSpec(f"{block}mlp.experts.{expert}.down_proj.weight", (width, scale.expert_width))
    yield from _shared_expert(block, scale)


def _vision(scale: FamilyScale) -> Iterator[TensorSpec]:
    vision = scale.vision
    width = vision.hidden
    merged = width * vision.merge**2
    yield from _affine("patch_embed.proj", (width, 3, vision.frames, vision.patch, vision.patch))
    yield TensorSpec(f"{VISUAL}pos_embed.weight", (vision.positions, width))
    for number in range(vision.depth):
        block = f"blocks.{number}."
        yield from _affine(block + "norm1", (width,))
        yield from _affine(block + "norm2", (width,))
        yield from _affine(block + "attn.qkv", (3 * width, width))
        yield from _affine(block + "attn.proj", (width, width))
        yield from _affine(block + "mlp.linear_fc1", (vision.width, width))
        yield from _affine(block + "mlp.linear_fc2", (width, vision.width))
    yield from _affine("merger.norm", (width,))
    yield from _affine("merger.linear_fc1", (merged, merged))
    yield from _affine("merger.linear_fc2", (scale.hidden, merged))


def _affine(name: str, shape: tuple[int, ...]) -> Iterator[TensorSpec]:
    yield TensorSpec(f"{VISUAL}{name}.weight", shape)
    yield TensorSpec(f"{VISUAL}{name}.bias", shape[:1])
