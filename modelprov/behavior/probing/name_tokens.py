"""How likely a model finds each declared name where an answer would say it, by its own probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modelprov.behavior.loading import LocalModel
from modelprov.behavior.probing.arms import Prompt
from modelprov.behavior.probing.questions import Question
from modelprov.behavior.probing.results import DeclaredName, NameLogProbability
from modelprov.behavior.probing.speakers import token_ids

STEMS = {"en": "I am ", "pt": "Eu sou ", "zh": "我是"}
A_LANGUAGE = 4
"""Questions about the name that are used of each language."""


def name_log_probabilities(
    model: LocalModel, arm: str, questions: Sequence[Question], prompts: Sequence[Prompt],
    names: Sequence[DeclaredName], batch_size: int = 8,
) -> tuple[NameLogProbability, ...]:  # fmt: skip
    """For each alias, ln P(alias | prompt, "I am "), averaged over a few questions about the name in each language.

    All aliases are scored from the same token on: the last that all continuations of a prompt share. A thought that
    the prompt has opened is closed first.
    """
    chosen = _chosen(questions, prompts)
    aliases = [(one.name, alias) for one in names for alias in one.aliases]
    if not chosen or not aliases:
        return ()
    sums = [[0.0, 0.0, 0] for _ in aliases]
    for asked, prompt in chosen:
        start = _closed(prompt.text or "")
        if prompt.bare and asked.language != "zh":
            start += " "
        texts = [f"{start}{STEMS[asked.language]}{alias}" for _, alias in aliases]
        ids = [token_ids(model, Prompt(text=text, bare=prompt.bare)) for text in texts]
        stem = token_ids(model, Prompt(text=f"{start}{STEMS[asked.language]}".rstrip(), bare=prompt.bare))
        shared = _shared((*ids, stem))
        for sum_, scores in zip(sums, _score(model, ids, shared, batch_size), strict=True):
            sum_[0] += scores[0]
            sum_[1] += sum(scores)
            sum_[2] += len(scores)
    return tuple(
        NameLogProbability(
            model=model.label, arm=arm, name=name, alias=alias, first_token=first / len(chosen),
            whole=whole / len(chosen), tokens=round(length / len(chosen)), questions=len(chosen),
        )
        for (name, alias), (first, whole, length) in zip(aliases, sums, strict=True)
    )  # fmt: skip


def _shared(sequences: Sequence[Sequence[int]]) -> int:
    """How many first tokens all sequences have in common."""
    shortest = min(map(len, sequences))
    return next((at for at in range(shortest) if len({one[at] for one in sequences}) > 1), shortest)


def _chosen(questions: Sequence[Question], prompts: Sequence[Prompt]) -> list[tuple[Question, Prompt]]:
    taken: dict[str, int] = {}
    found = []
    for asked, prompt in zip(questions, prompts, strict=True):
        if asked.kind == "name" and prompt.text is not None and taken.get(asked.language, 0) < A_LANGUAGE:
            taken[asked.language] = taken.get(asked.language, 0) + 1
            found.append((asked, prompt))
    return found


def _closed(text: str) -> str:
    return text if text.rfind("<think>") <= text.rfind("</think>") else text.rstrip() + "\n\n</think>\n\n"


def _score(model: LocalModel, sequences: Sequence[Sequence[int]], shared: int, batch_size: int) -> list[list[float]]:
    """Ln P of every token from `shared` on, given all before it; padded on the right, where nothing looks back."""
    import torch

    found: list[list[float]] = []
    for start in range(0, len(sequences), batch_size):
        part = sequences[start : start + batch_size]
        width = max(map(len, part))
        ids = torch.tensor([[*one, *[0] * (width - len(one))] for one in part], device=model.model.device)
        mask = torch.tensor([[1] * len(one) + [0] * (width - len(one)) for one in part], device=model.model.device)
        with torch.inference_mode():
            logits: Any = model.model(input_ids=ids, attention_mask=mask).logits.float()
        logs = logits.log_softmax(-1)
        for row, one in enumerate(part):
            found.append([float(logs[row, at - 1, one[at]]) for at in range(max(shared, 1), len(one))])
    return found
