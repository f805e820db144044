"""Three small models whose tokenizers differ, for `tokenizer_source`: the same bytes wherever they are made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

HIDDEN = 16
WORDS: dict[str, tuple[list[str], list[str]]] = {
    # tokens of the vocabulary; tokens added behind it
    "A": ([*list("abcdefg"), "ab", "abc", "de"], ["<s>", "<|im_start|>"]),
    "B": ([*list("gfedcba"), "ba", "de", "fg"], ["<|im_start|>", "<|tool|>", "<s>"]),
    "C": ([*list("abcxyzde"), "ab", "xy", "de"], ["<s>", "<|c|>"]),
}
MORE_ROWS = {"A": 3, "B": 0, "C": 1}
"""Rows of the embeddings that no token stands for."""
RECIPES: dict[str, dict[str, Any]] = {
    "union, linear of three, bfloat16": {"merge_method": "linear", "tokenizer_source": "union", "dtype": "bfloat16"},
    "union, linear of three, float32": {"merge_method": "linear", "tokenizer_source": "union", "dtype": "float32"},
    "one model's, linear of three": {"merge_method": "linear", "tokenizer_source": "B"},
    "union, ties": {"merge_method": "ties", "base_model": "A", "tokenizer_source": "union", "dtype": "float32"},
    "base's, ties": {"merge_method": "ties", "base_model": "A", "tokenizer_source": "base", "dtype": "float32"},
}
SLICES = {
    "merge_method": "passthrough", "tokenizer_source": "union",
    "slices": [{"sources": [{"model": name, "layer_range": [0, 1]}]} for name in "AB"],
}  # fmt: skip


def recipes() -> dict[str, dict[str, Any]]:
    """Every case as YAML has it, models by name."""
    weights = {"A": 0.5, "B": 0.3, "C": 0.25}
    whole = {}
    for case, recipe in RECIPES.items():
        more = {"density": 0.6} if recipe["merge_method"] == "ties" else {}
        others = [name for name in weights if name != recipe.get("base_model")]
        models = [{"model": name, "parameters": {"weight": weights[name], **more}} for name in others]
        whole[case] = recipe | {"models": models}
    return whole | {"union, slices": SLICES}


def mixtures() -> dict[str, dict[str, Any]]:
    """Recipes of mergekit-moe over the same models."""
    experts = [
        {"source_model": "B", "positive_prompts": ["abcab", "gfe"], "negative_prompts": ["dd"]},
        {"source_model": "C", "positive_prompts": ["de", "abcdefgab"], "residual_scale": 0.7},
    ]
    return {
        mode: {"base_model": "A", "gate_mode": mode, "dtype": "float16", "experts": experts}
        for mode in ("cheap_embed", "hidden", "hidden_avg")
    }


def tokenizer(name: str) -> dict[str, Any]:
    """The tokenizer.json of a model."""
    words, added = WORDS[name]
    entries = [
        {"id": len(words) + n, "content": text, "single_word": False, "lstrip": False, "rstrip": False,
         "normalized": False, "special": True}
        for n, text in enumerate(added)
    ]  # fmt: skip
    merges = [[word[:-1], word[-1]] for word in words if len(word) > 1]
    model = {"type": "BPE", "vocab": {word: row for row, word in enumerate(words)}, "merges": merges}
    plain = dict.fromkeys(("truncation", "padding", "normalizer", "pre_tokenizer", "post_processor", "decoder"))
    return {"version": "1.0", **plain, "added_tokens": entries, "model": model}


def write_models(folder: Path) -> None:
    """The three models, each in a folder of its name, weights in float16."""
    for number, (name, (words, added)) in enumerate(WORDS.items()):
        rng = np.random.default_rng([20261128, number])
        rows, place = len(words) + len(added) + MORE_ROWS[name], folder / name
        shapes = {"model.embed_tokens": (rows, HIDDEN), "lm_head": (rows, HIDDEN), "model.norm": (HIDDEN,)}
        layer = "model.layers.0."
        shapes |= {f"{layer}{norm}": (HIDDEN,) for norm in ("input_layernorm", "post_attention_layernorm")}
        shapes |= {f"{layer}self_attn.{part}_proj": (HIDDEN, HIDDEN) for part in "qkvo"}
        shapes |= {f"{layer}mlp.{part}_proj": (HIDDEN, HIDDEN) for part in ("gate", "up", "down")}
        place.mkdir(parents=True)
        tensors = {f"{each}.weight": rng.standard_normal(shape).astype(np.float16) for each, shape in shapes.items()}
        save_file(tensors, place / "model.safetensors")
        config = {
            "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": HIDDEN,
            "intermediate_size": HIDDEN, "num_attention_heads": 2, "num_key_value_heads": 2, "num_hidden_layers": 1,
            "vocab_size": rows, "tie_word_embeddings": False, "torch_dtype": "float16", "rms_norm_eps": 1e-5,
        }  # fmt: skip
        (place / "config.json").write_text(json.dumps(config))
        (place / "tokenizer.json").write_text(json.dumps(tokenizer(name)))
        settings = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>"}
        (place / "tokenizer_config.json").write_text(json.dumps(settings))
