"""Turns generated tokens into text, and text into thought and final answer. Grades nothing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from modelprov.behavior.generation.vocabulary import mark_ids, special_ids
from modelprov.behavior.thinking import split


def text_of(tokenizer: Any, tokens: Sequence[int]) -> str:
    """The tokens decoded, special tokens left out except the marks of thoughts, spaces left as they are."""
    kept = mark_ids(tokenizer) & set(tokenizer.all_special_ids)
    runs = groupby(tokens, key=lambda token: token in kept)
    return "".join(
        tokenizer.decode(list(run), skip_special_tokens=not tag, clean_up_tokenization_spaces=False)
        for tag, run in runs
    )


def begun_answer(tokenizer: Any, prompt: Sequence[int]) -> str:
    """What a prompt already says of the answer: its text after the last special token that is no thinking tag."""
    special = special_ids(tokenizer)
    start = max((place + 1 for place, token in enumerate(prompt) if token in special), default=0)
    return text_of(tokenizer, prompt[start:])


def parts(prompt: str, text: str) -> tuple[str | None, str | None]:
    """Thought and final answer in `text`, which goes on from `prompt` (its last turn); see `Answer`."""
    return split(text, prompt)
