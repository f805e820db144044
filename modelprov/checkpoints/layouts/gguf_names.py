"""What llama.cpp calls the tensors of each architecture, and what its converter does to them. Names only, no bytes.

The words are those of `gguf-py/gguf/tensor_mapping.py`, the changes those of `convert_hf_to_gguf.py`. An architecture
that is not listed here is not read: its converter may reorder rows, and a wrong order shows kin as strangers.
"""

from __future__ import annotations

import re

LLAMA = frozenset({"llama", "granite", "arcee", "smollm3"})
"""Whose converter reorders the rows of q and k within each head, from halves to pairs, for another rotary embedding."""
PLAIN = frozenset(
    {"qwen2", "qwen2moe", "qwen3", "qwen3moe", "phi3", "olmo2", "gemma", "gemma2", "gemma3", "starcoder2"}
)
GEMMA = frozenset({"gemma", "gemma2", "gemma3"})
"""Whose converter adds 1 to every norm."""
KNOWN = LLAMA | PLAIN

OUTER = {"token_embd": "model.embed_tokens", "output": "lm_head", "output_norm": "model.norm"}
INNER = {
    "attn_norm": "input_layernorm", "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
    "attn_qkv": "self_attn.qkv_proj", "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm", "attn_k_norm": "self_attn.k_norm",
    "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
    "ffn_gate_inp": "mlp.gate", "ffn_gate_inp_shexp": "mlp.shared_expert_gate",
    "ffn_gate_shexp": "mlp.shared_expert.gate_proj", "ffn_up_shexp": "mlp.shared_expert.up_proj",
    "ffn_down_shexp": "mlp.shared_expert.down_proj",
}  # fmt: skip
EXPERTS = {"ffn_gate_exps": "gate_proj", "ffn_up_exps": "up_proj", "ffn_down_exps": "down_proj"}
SANDWICH = {
    "post_attention_norm": "post_attention_layernorm", "ffn_norm": "pre_feedforward_layernorm",
    "post_ffw_norm": "post_feedforward_layernorm",
}  # fmt: skip
OWN = {
    "gemma2": SANDWICH, "gemma3": SANDWICH, "olmo2": SANDWICH,
    "phi3": {"ffn_up": "mlp.gate_up_proj"},
    "starcoder2": {"ffn_up": "mlp.c_fc", "ffn_down": "mlp.c_proj"},
}  # fmt: skip
"""Words that mean something else in these architectures."""

BLOCK = re.compile(r"blk\.([0-9]{1,6})\.([a-z_]+)\.(weight|bias)")


def canonical(name: str, architecture: str) -> str | None:
    """The common name of a tensor, a stack of experts without its `experts.N`; None for one that is no weight here."""
    if (found := BLOCK.fullmatch(name)) is not None:
        layer, word, kind = found.groups()
        if word in EXPERTS:
            return f"model.layers.{layer}.mlp.experts.{EXPERTS[word]}.{kind}"
        known = OWN.get(architecture, {}).get(word) or INNER.get(word)
        return None if known is None else f"model.layers.{layer}.{known}.{kind}"
    word, _, kind = name.rpartition(".")
    return f"{OUTER[word]}.{kind}" if word in OUTER and kind in ("weight", "bias") else None


def is_stack(name: str) -> bool:
    """Whether GGUF stores the experts of a layer in this tensor."""
    found = BLOCK.fullmatch(name)
    return found is not None and found[2] in EXPERTS


def expert(name: str, number: int) -> str:
    """The common name of one expert of a stack."""
    return name.replace(".experts.", f".experts.{number}.")


def changed(name: str, architecture: str, shape: tuple[int, ...]) -> str | None:
    """What the converter did to a tensor that cannot be undone exactly; None where nothing."""
    if architecture in GEMMA and len(shape) == 1 and name.endswith("norm.weight"):
        return "with 1 added"
    return None


def heads_of(name: str, architecture: str) -> str | None:
    """The key that counts the heads whose rows the converter reordered in this tensor; None where it did not."""
    found = BLOCK.fullmatch(name)
    if architecture not in LLAMA or found is None:
        return None
    return {"attn_q": "attention.head_count", "attn_k": "attention.head_count_kv"}.get(found[2])
