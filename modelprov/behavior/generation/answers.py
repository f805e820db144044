"""Turns generated tokens into text, and text into thought and final answer. Grades nothing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from modelprov.behavior.generation.vocabulary import CLOSE, OPEN, special_ids, thinking_tags


def text_of(tokenizer: Any, tokens: Sequence[int]) -> str:
    """The tokens decoded, special tokens left out except the thinking tags, spaces left as they are."""
    kept = set(thinking_tags(tokenizer) or ()) & set(tokenizer.all_special_ids)
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
    """Thought and final answer in `text`, which goes on from `prompt` (its last turn); see `Answer`.

    A thought may have begun in the prompt. Where it never ends there is no final answer, and what stands after it
    began is the thought.
    """
    begun = prompt.rfind(OPEN) > prompt.rfind(CLOSE)
    before, closed, after = text.rpartition(CLOSE)
    if OPEN in after or (not closed and begun):
        return _clean(text), None
    if closed:
        return _clean(before), after.strip()
    return None, text.strip()


def _clean(thought: str) -> str:
    return thought.replace(OPEN, "").replace(CLOSE, "").strip()
