"""A tiny model with random weights and thinking tags, saved once; and a generator of known answers in place of one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from modelprov.behavior.generation.batching import Batches
from modelprov.behavior.generation.interface import Answer, Method, Trace
from modelprov.behavior.loading import LocalModel, load_model

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def save_tiny_model(folder: Path, seed: int = 0) -> Path:
    """A Qwen3 of two layers that answers nonsense, with a tokenizer of bytes, ChatML marks and thinking tags."""
    import torch
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    tokenizer = Tokenizer(models.BPE(vocab={one: i for i, one in enumerate([*special, *alphabet])}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(special)
    tokenizer.add_tokens([AddedToken(one, normalized=False) for one in ("<think>", "</think>")])
    wrapped = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>")
    wrapped.chat_template = TEMPLATE
    torch.manual_seed(seed)
    config = Qwen3Config(
        vocab_size=264, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, head_dim=16, max_position_embeddings=2048, tie_word_embeddings=True, eos_token_id=2,
        bos_token_id=None, pad_token_id=0, initializer_range=0.5,
    )  # fmt: skip
    Qwen3ForCausalLM(config).save_pretrained(folder, safe_serialization=True)
    wrapped.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the tiny model."""
    return save_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="session")
def loaded(tiny: Path) -> LocalModel:
    """The tiny model, loaded."""
    import torch

    torch.set_num_threads(1)
    return load_model(str(tiny), "tiny", "cpu")


class Calculator:
    """Stands in for `generate`: adds up what the prompt asks, wrong where `mistaken` says so; counts its calls."""

    def __init__(self, mistaken: Any = None, stop_after: int | None = None) -> None:
        self.mistaken = mistaken or (lambda *_: False)
        self.asked = 0
        self.stop_after = stop_after
        self.indices: list[int] = []

    def __call__(
        self, model: LocalModel, prompts: Sequence[Sequence[int]], method: Method, seed: int, *, batch_size: Batches,  # noqa: ARG002
        indices: Sequence[int], on_done: Callable[[Mapping[int, Answer]], None],
    ) -> list[Answer]:  # fmt: skip
        size, answers = batch_size.most or 8, {}
        for start in range(0, len(prompts), size):
            if self.stop_after is not None and self.asked >= self.stop_after:
                raise KeyboardInterrupt
            batch = range(start, min(start + size, len(prompts)))
            found = {place: self._answer(model, prompts[place], method, indices[place]) for place in batch}
            self.asked += len(batch)
            self.indices += [indices[place] for place in batch]
            answers |= found
            on_done(found)
        return list(answers.values())

    def _answer(self, model: LocalModel, prompt: Sequence[int], method: Method, index: int) -> Answer:
        text = model.tokenizer.decode(list(prompt)).rpartition("user")[2]
        total = sum(map(int, re.findall(r"\d+", text)))
        given = total + 1 if self.mistaken(method, total, index) else total
        answer = f"\\boxed{{{given}}}"
        trace = Trace(4 if method.name == "swir" else 0, 6, 1, 0, 0.5)
        return Answer(tuple(range(10)), f"<think>so</think>{answer}", "so", answer, True, trace)
