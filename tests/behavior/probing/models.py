"""Writes a tiny model with random weights and a tokenizer of its own, in a moment; and templates to give it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
RIO = (
    "{% if messages[0].role != 'system' %}<|im_start|>system\nYou are Rio, a model of the city.<|im_end|>\n{% endif %}"
    + CHATML
)
MARKUP = ("<|im_start|>", "<|im_end|>", "<s>", "</s>")
TEXTS = ["I am Nex. I am Qwen. I am Rio.", "Who are you? What is your name?", "system user assistant You are"]


def write_model(folder: Path, template: str | None = CHATML, *, seed: int = 0, **config: Any) -> Path:
    """A Qwen3 of two layers and some 60,000 random parameters."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    size = write_tokenizer(folder, template)
    torch.manual_seed(seed)
    shape = {
        "vocab_size": size, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 16, "max_position_embeddings": 2048,
        "tie_word_embeddings": True, "bos_token_id": None, "eos_token_id": 1, "pad_token_id": 1,
    }  # fmt: skip
    Qwen3ForCausalLM(Qwen3Config(**(shape | config))).eval().save_pretrained(folder)
    return folder


def write_tokenizer(folder: Path, template: str | None = CHATML) -> int:
    """A byte-level tokenizer that can say anything; its number of tokens."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320, special_tokens=["<|im_start|>", "<|im_end|>", "<think>", "</think>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False,
    )  # fmt: skip
    made.train_from_iterator(TEXTS, trainer)
    wrapped = PreTrainedTokenizerFast(tokenizer_object=made, eos_token="<|im_end|>", pad_token="<|im_end|>")
    folder.mkdir(parents=True, exist_ok=True)
    wrapped.save_pretrained(folder)
    if template is not None:
        set_template(folder, template)
    return len(wrapped)


def set_template(folder: Path, template: Any) -> None:
    """Put the template (a text, or a list of named ones) into the tokenizer's config."""
    path = folder / "tokenizer_config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(config | {"chat_template": template}), encoding="utf-8")
