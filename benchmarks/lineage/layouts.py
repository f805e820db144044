"""Layouts of the set: dense, with experts, hybrid, multimodal; what `config.json` says of them. Labels nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.cases.decoders import HEAD_WIDTH, Decoder
from modelprov.checkpoints.formats.dtypes import DType
from modelprov.demo.layout import TensorSpec
from modelprov.demo.writing import Weights
from tests.generated import Rng

DENSE = Decoder(layers=3, hidden=64, width=128, vocabulary=200, heads=8, groups=4)
EXPERTS = Decoder(layers=2, hidden=48, width=48, vocabulary=160, heads=6, groups=3, experts=4)
SHARED = Decoder(layers=2, hidden=48, width=48, vocabulary=160, heads=6, groups=3, experts=4, shared=True)


@dataclass(frozen=True)
class Hybrid(Decoder):
    """Every second layer has linear attention in place of heads, under the names of Qwen3-Next."""

    def specs(self, dtype: DType) -> tuple[TensorSpec, ...]:
        """Names and shapes."""
        made = []
        for told in super().specs(dtype):
            layer = told.name.split(".")[2] if told.name.startswith("model.layers.") else "1"
            if int(layer) % 2 or "self_attn" not in told.name:
                made.append(told)
            elif "q_proj" in told.name:
                block, wide = f"model.layers.{layer}.linear_attn.", 2 * self.hidden
                made += [
                    TensorSpec(f"{block}in_proj_qkvz.weight", (3 * wide, self.hidden), dtype),
                    TensorSpec(f"{block}in_proj_ba.weight", (2 * self.heads, self.hidden), dtype),
                    TensorSpec(f"{block}conv1d.weight", (2 * wide, 1, 4), dtype),
                    TensorSpec(f"{block}out_proj.weight", (self.hidden, wide), dtype),
                    TensorSpec(f"{block}norm.weight", (HEAD_WIDTH,), dtype),
                ]
        return tuple(made)


@dataclass(frozen=True)
class Multimodal(Decoder):
    """A language model under `model.language_model.` beside a small vision tower."""

    def specs(self, dtype: DType) -> tuple[TensorSpec, ...]:
        """Names and shapes."""
        made = [
            TensorSpec(told.name.replace("model.", "model.language_model.", 1), told.shape, dtype)
            for told in super().specs(dtype)
        ]
        for block in range(2):
            place = f"model.visual.blocks.{block}."
            made += [
                TensorSpec(f"{place}attn.qkv.weight", (3 * 32, 32), dtype),
                TensorSpec(f"{place}attn.proj.weight", (32, 32), dtype),
                TensorSpec(f"{place}mlp.linear_fc1.weight", (64, 32), dtype),
                TensorSpec(f"{place}mlp.linear_fc2.weight", (32, 64), dtype),
                TensorSpec(f"{place}norm1.weight", (32,), dtype),
            ]
        return (*made, TensorSpec("model.visual.merger.linear_fc2.weight", (self.hidden, 32), dtype))


HYBRID = Hybrid(layers=4, hidden=64, width=128, vocabulary=200, heads=8, groups=4)
MULTIMODAL = Multimodal(layers=2, hidden=64, width=128, vocabulary=200, heads=8, groups=4)


def shape_of(rng: Rng) -> Decoder:
    """A dense decoder of some size."""
    return Decoder(
        layers=int(rng.integers(2, 5)), hidden=64, width=int(rng.choice([96, 128])),
        vocabulary=int(rng.integers(120, 260)), heads=8, groups=int(rng.choice([4, 8])), head=bool(rng.random() < 0.7),
    )  # fmt: skip


def heads_of(shape: Decoder) -> tuple[int, int]:
    """Query heads and groups."""
    return shape.heads, shape.groups


def config_of(model: Weights, heads: Sequence[int] | None = None) -> dict[str, Any]:
    """What its `config.json` says: all that tools look at, as far as names and shapes give it away."""
    shapes = {name.replace("language_model.", ""): values.shape for name, (values, _) in model.items()}
    tables = [shape for name, shape in shapes.items() if name.endswith("embed_tokens.weight")]
    vocabulary, hidden = tables[0] if tables else (0, 0)
    numbers = [
        int(part) for name in shapes for before, part in zip(name.split("."), name.split(".")[1:], strict=False)
        if before == "layers" and part.isdigit()
    ]  # fmt: skip
    widths = [shape[0] for name, shape in shapes.items() if name.endswith(("gate_proj.weight", "up_proj.weight"))]
    queries, groups = heads or (max(hidden // HEAD_WIDTH, 1), max(hidden // HEAD_WIDTH, 1))
    dtypes = {str(dtype) for _, dtype in model.values()}
    names = {"BF16": "bfloat16", "F16": "float16"}
    config: dict[str, Any] = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": vocabulary, "hidden_size": hidden,
        "num_hidden_layers": max(numbers, default=-1) + 1, "num_attention_heads": queries,
        "num_key_value_heads": groups, "head_dim": HEAD_WIDTH, "intermediate_size": max(widths, default=0),
        "tie_word_embeddings": "lm_head.weight" not in shapes, "rms_norm_eps": 1e-6, "rope_theta": 10000.0,
        "hidden_act": "silu", "torch_dtype": next((names[each] for each in names if each in dtypes), "float32"),
    }  # fmt: skip
    experts = {name.split(".experts.")[1].split(".")[0] for name in shapes if ".experts." in name}
    if experts:
        config |= {
            "architectures": ["Qwen2MoeForCausalLM"], "model_type": "qwen2_moe", "num_experts": len(experts),
            "num_experts_per_tok": 2, "moe_intermediate_size": config["intermediate_size"],
        }  # fmt: skip
    return config
