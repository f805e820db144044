"""Asks a model and keeps the answers: the one loop that tasks, lm-evaluation-harness and inspect_ai share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelprov import __version__
from modelprov.behavior.chat import render
from modelprov.behavior.evaluation.log import AnswerLog, Logged, logged
from modelprov.behavior.evaluation.methods import Condition
from modelprov.behavior.evaluation.question import Question
from modelprov.behavior.generation.interface import Answer
from modelprov.behavior.loading import LocalModel
from modelprov.behavior.records import SHAPING, digest
from modelprov.records import versions

Generate = Callable[..., list[Answer]]


@dataclass(frozen=True)
class Asking:
    """How questions are put: the system prompt where a question has none, another chat template, or no template."""

    seed: int = 0
    batch_size: int = 8
    system: str | None = None
    template: str | None = None
    raw: bool = False
    log: Path | None = None


@dataclass(frozen=True)
class Prompt:
    """A question as token ids; `sample` numbers the answers wanted to it."""

    question: str
    ids: tuple[int, ...]
    sample: int = 0

    @property
    def digest(self) -> str:
        """The first 64 bits of a SHA-256 of the token ids."""
        return hashlib.sha256(" ".join(map(str, self.ids)).encode()).hexdigest()[:16]


def settings_of(model: LocalModel, condition: Condition, asking: Asking) -> dict[str, Any]:
    """Everything beside the prompt that shapes an answer, as plain data: the key of a log.

    The batch size is left out: each prompt draws from a generator of its own, so only rounding could differ.
    """
    return {
        "model": model.digest,
        "template": None if asking.raw else template_digest(model, asking),
        "method": condition.method.as_dict(),
        "seed": asking.seed,
        "device": str(model.model.device).partition(":")[0],
        "dtype": str(model.model.dtype),
        "eos": list(model.eos),
        "versions": {"modelprov": __version__} | versions(SHAPING),
    }


def template_digest(model: LocalModel, asking: Asking) -> str | None:
    """SHA-256 of the chat template in use; None where there is none."""
    used = None if asking.raw else asking.template or model.tokenizer.chat_template
    return None if used is None else digest(used)


def prompt_ids(model: LocalModel, question: Question, asking: Asking) -> tuple[int, ...]:
    """The question as token ids, in the model's chat template or as it stands."""
    system = asking.system if question.system is None else question.system
    if asking.raw:
        text = question.prompt if system is None else f"{system}\n\n{question.prompt}"
        return tuple(model.tokenizer(text)["input_ids"])
    messages = [{"role": "user", "content": question.prompt}]
    if system is not None:
        messages.insert(0, {"role": "system", "content": system})
    return tuple(render(model, messages, asking.template))


def answer_all(
    model: LocalModel,
    prompts: Sequence[Prompt],
    condition: Condition,
    asking: Asking,
    log: AnswerLog,
    on_answers: Callable[[int], None] | None = None,
    generate: Generate | None = None,
) -> list[Logged]:
    """An answer to every prompt, in their order; those in the log are not asked again.

    Answers reach the log batch by batch. `on_answers` hears how many were added (those of the log first).
    """
    make = generate or _generate()
    heard = on_answers or (lambda _: None)
    missing = [one for one in prompts if (one.digest, one.sample) not in log.answers]
    heard(len(prompts) - len(missing))
    missing.sort(key=lambda one: len(one.ids))  # little padding
    for start in range(0, len(missing), asking.batch_size):
        batch = missing[start : start + asking.batch_size]
        answers = make(
            model, [one.ids for one in batch], condition.method, asking.seed,
            batch_size=len(batch), indices=[stream_of(one) for one in batch],
        )  # fmt: skip
        log.add(
            logged(one.question, one.sample, one.digest, answer) for one, answer in zip(batch, answers, strict=True)
        )
        heard(len(batch))
    return [log.answers[one.digest, one.sample] for one in prompts]


def _generate() -> Generate:
    from modelprov.behavior.generation.generate import generate

    return generate


def stream_of(prompt: Prompt, key: str | None = None) -> int:
    """The number of a prompt's random stream: the same for this prompt and sample in every run, method and batch."""
    return int(hashlib.sha256(f"{key or prompt.digest} {prompt.sample}".encode()).hexdigest()[:12], 16)
