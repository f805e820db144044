"""Tiny models with random weights and a tokenizer, made on the fly. Tests nothing."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen3_5ForCausalLM,
    Qwen3_5TextConfig,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from modelprov.behavior.loading import LocalModel

TAGS = ("<think>", "</think>")
EOS, OTHER_EOS = "<|end|>", "<|stop|>"


def tokenizer(tags: tuple[str, ...] = TAGS, extra: tuple[str, ...] = ()) -> Any:
    """Bytes as tokens, then some words, then special tokens and thinking tags."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {one: number for number, one in enumerate([*letters, *extra])}
    inner = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(tokenizer_object=inner, eos_token=EOS, pad_token="<|pad|>")
    made.add_special_tokens({"additional_special_tokens": [OTHER_EOS]})
    made.add_tokens(list(tags))
    return made


@cache
def network(
    kind: str, vocabulary: int, seed: int = 0, sharpness: float = 1.0, dtype: torch.dtype = torch.float32
) -> Any:
    """A model of one architecture; `sharpness` multiplies the logits, so that entropies and choices vary."""
    common: dict[str, Any] = {
        "vocab_size": vocabulary, "hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4,
        "num_key_value_heads": 2, "max_position_embeddings": 4096, "tie_word_embeddings": False,
        "bos_token_id": None, "eos_token_id": None, "pad_token_id": None,
    }  # fmt: skip
    torch.manual_seed(seed)
    if kind == "llama":
        model: Any = LlamaForCausalLM(LlamaConfig(num_hidden_layers=2, **common))
    elif kind == "qwen3":
        model = Qwen3ForCausalLM(Qwen3Config(num_hidden_layers=2, head_dim=8, **common))
    else:
        config = Qwen3_5TextConfig(
            num_hidden_layers=4, head_dim=8, linear_key_head_dim=8, linear_value_head_dim=8, linear_num_key_heads=2,
            linear_num_value_heads=4, layer_types=["linear_attention", "full_attention"] * 2, **common,
        )  # fmt: skip
        model = Qwen3_5ForCausalLM(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() > 1 and "linear_attn" not in name:  # which would amplify rounding from step to step
                weight.normal_(0, 0.18)
        model.get_input_embeddings().weight.normal_(0, 1.0)
        model.lm_head.weight.mul_(sharpness)
    return model.eval().to(dtype)


def local(
    kind: str = "qwen3", seed: int = 0, sharpness: float = 2.0, words: Any = None, dtype: torch.dtype = torch.float32
) -> LocalModel:
    """A `LocalModel` around a tiny network."""
    words = words or tokenizer()
    eos = tuple(words.convert_tokens_to_ids([EOS, OTHER_EOS]))
    model = network(kind, len(words), seed, sharpness, dtype)
    return LocalModel(kind, "nowhere", Path(), model, words, eos, None, "none")


def prompts(lengths: tuple[int, ...] = (5, 9, 3, 7)) -> list[list[int]]:
    """Prompts of these lengths, all different."""
    generator = torch.Generator().manual_seed(7)
    return [torch.randint(0, 200, (length,), generator=generator).tolist() for length in lengths]
