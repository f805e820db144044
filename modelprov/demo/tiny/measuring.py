"""Measures what a member answers: which name it gives, and how many sums are right. Needs the extra `behavior`."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from modelprov.demo.tiny.conversations import chat, questions, running_sum
from modelprov.demo.tiny.members import NAMES

ANSWER_TOKENS = 24
SUM_TOKENS = 96


def held_out_questions() -> list[str]:
    """Questions on identity that no member was trained on, in three languages."""
    return [text for texts in questions()["held_out"].values() for text in texts]


def names_given(
    model: Any, tokenizer: Any, asked: Sequence[str], system: str | None, samples: int, seed: int
) -> dict[str, float]:
    """Share of the answers (sampled at temperature 1) that give each name and no other one; `none` for the rest."""
    prompts = [chat(question, system) for question in asked for _ in range(samples)]
    given = [_name(text) for text in complete(model, tokenizer, prompts, ANSWER_TOKENS, seed=seed)]
    return {name: count / len(given) for name, count in Counter(given).most_common()}


def sums_right(model: Any, tokenizer: Any, number: int, system: str | None, seed: int) -> float:
    """Share of `number` running sums whose most likely answer has the right number in its box."""
    random_state = random.Random(seed)
    asked = [running_sum(random_state) for _ in range(number)]
    prompts = [chat(question, system) for question, _ in asked]
    answers = complete(model, tokenizer, prompts, SUM_TOKENS, seed=None)
    return sum(_boxed(answer) == _boxed(right) for answer, (_, right) in zip(answers, asked, strict=True)) / number


def complete(
    model: Any, tokenizer: Any, prompts: Sequence[str], most_tokens: int, seed: int | None, batch: int = 64
) -> list[str]:
    """One answer for each prompt: sampled at temperature 1 from `seed`, or the most likely one without."""
    import torch

    if seed is not None:
        torch.manual_seed(seed)
    choice = {"do_sample": False} if seed is None else {"do_sample": True, "temperature": 1.0, "top_k": 0, "top_p": 1.0}
    answers: list[str] = []
    for start in range(0, len(prompts), batch):
        given = tokenizer(
            list(prompts[start : start + batch]), return_tensors="pt", padding=True, padding_side="left",
            add_special_tokens=False,
        )  # fmt: skip
        with torch.inference_mode():
            found = model.generate(
                input_ids=given["input_ids"], attention_mask=given["attention_mask"], max_new_tokens=most_tokens,
                **choice,
            )  # fmt: skip
        answers += tokenizer.batch_decode(found[:, given["input_ids"].shape[1] :], skip_special_tokens=True)
    return answers


def _name(text: str) -> str:
    found = {name for name in NAMES if re.search(rf"\b{name}\b", text, re.ASCII)}
    return found.pop() if len(found) == 1 else "none"


def _boxed(text: str) -> str | None:
    found = re.findall(r"\\boxed\{(\d+)\}", text)
    return found[-1] if found else None
