"""Adapters against peft itself, where it is installed: made, saved and merged by it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.types import Checkpoint

peft = pytest.importorskip("peft")
transformers = pytest.importorskip("transformers")

ALMOST_ALL = 0.999
"""Of the changed weights, to the last bit; the others by one bit, where float32 sums in another order."""


def llama() -> Any:
    config = transformers.LlamaConfig(
        vocab_size=160, hidden_size=64, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, tie_word_embeddings=False, attention_bias=True,
    )  # fmt: skip
    return transformers.LlamaForCausalLM(config)


def gpt2() -> Any:
    return transformers.GPT2LMHeadModel(
        transformers.GPT2Config(vocab_size=160, n_positions=32, n_embd=64, n_layer=2, n_head=4)
    )


LORA, IA3 = peft.LoraConfig, peft.IA3Config
CASES = {
    "LoRA": (llama, lambda: LORA(r=4, lora_alpha=8, target_modules=["q_proj", "down_proj"])),
    "rank-stabilised with patterns": (
        llama, lambda: LORA(
            r=4, lora_alpha=8, use_rslora=True, target_modules="all-linear",
            rank_pattern={"q_proj": 8, "layers.1.mlp.up_proj": 2}, alpha_pattern={"v_proj": 3},
        ),
    ),
    "DoRA": (llama, lambda: LORA(r=4, use_dora=True, target_modules=["q_proj", "down_proj"])),
    "saved modules and biases": (
        llama, lambda: LORA(
            r=4, target_modules=["q_proj"], modules_to_save=["lm_head"], bias="all", layers_to_transform=[1]
        ),
    ),
    "IA3": (
        llama, lambda: IA3(target_modules=["k_proj", "v_proj", "down_proj"], feedforward_modules=["down_proj"])
    ),
    "GPT-2": (gpt2, lambda: LORA(r=4, target_modules=["c_attn", "c_proj"], fan_in_fan_out=True)),
    "GPT-2 with IA3": (
        gpt2, lambda: IA3(
            target_modules=["c_attn", "mlp.c_proj"], feedforward_modules=["mlp.c_proj"], fan_in_fan_out=True
        ),
    ),
}  # fmt: skip


def words(checkpoint: Checkpoint, name: str) -> Any:
    ref = checkpoint.tensors[name]
    raw = bytearray(ref.stop - ref.start)
    checkpoint.source.read_into(ref.shard, ref.start, memoryview(raw))
    return np.frombuffer(raw, np.int16).astype(int)


@pytest.mark.parametrize("what", CASES)
def test_the_bytes_are_those_that_peft_merges(tmp_path: Path, what: str) -> None:
    make, config = CASES[what]
    torch.manual_seed(0)
    base = make().to(torch.bfloat16)
    base.save_pretrained(tmp_path / "base")
    adapted = peft.get_peft_model(copy.deepcopy(base), config())
    for parameter in adapted.parameters():
        if parameter.requires_grad:
            parameter.data += torch.randn_like(parameter) * 0.05
    adapted.save_pretrained(tmp_path / "adapter")
    peft.PeftModel.from_pretrained(base, tmp_path / "adapter").merge_and_unload().save_pretrained(tmp_path / "merged")
    before, merged = (open_checkpoint(str(tmp_path / name)) for name in ("base", "merged"))
    own = open_checkpoint(f"{tmp_path / 'base'}+{tmp_path / 'adapter'}")
    assert own.tensors.keys() == merged.tensors.keys()
    changed = equal = 0
    for name in merged.tensors:
        apart = abs(words(own, name) - words(merged, name))
        moved = words(before, name) != words(merged, name)
        assert apart.max() <= 1
        changed += int(moved.sum())
        equal += int((moved & (apart == 0)).sum())
    assert changed > 0
    assert equal >= ALMOST_ALL * changed
