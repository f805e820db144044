"""Asks a model and keeps the answers: the one loop that tasks, lm-evaluation-harness and inspect_ai share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelprov import __version__
from modelprov.behavior.chat import render
from modelprov.behavior.evaluation.log import AnswerLog, Logged, logged
from modelprov.behavior.evaluation.methods import Condition
from modelprov.behavior.evaluation.question import Question
from modelprov.behavior.generation.batching import Batches
from modelprov.behavior.generation.decoder import context_of
from modelprov.behavior.generation.interface import Answer
from modelprov.behavior.loading import LocalModel
from modelprov.behavior.records import SHAPING, digest
from modelprov.called import called
from modelprov.errors import UsageError
from modelprov.machine import versions

Generate = Callable[..., list[Answer]]


@dataclass(frozen=True)
class Asking:
    """How questions are put: the system prompt where a question has none, another chat template, or no template.

    At most `batch_size` go at a time, by default as many as memory holds and the device can use.
    """

    seed: int = 0
    batch_size: int | None = None
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
    if asking.template is None and model.template is None:
        raise UsageError(
            f"{model.label} has no chat template",
            f"Give one with {called('chat_template')}, or ask without any: {called('raw')}.",
        )
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
    told: Callable[[str], None] | None = None,
    say: Callable[[str], None] | None = None,
) -> list[Logged]:
    """An answer to every prompt, in their order; those in the log are not asked again.

    Answers reach the log batch by batch. `on_answers` hears how many were added (those of the log first), `told` what
    memory and the model's context did to them, in sentences; `say` that memory ran out, when it does.
    """
    make, batches = generate or _generate(), Batches(asking.batch_size, say)
    heard = on_answers or (lambda _: None)
    missing = [prompt for prompt in prompts if (prompt.digest, prompt.sample) not in log.answers]
    heard(len(prompts) - len(missing))

    def keep(answers: Mapping[int, Answer]) -> None:
        named = {missing[place]: answer for place, answer in answers.items()}
        log.add(logged(prompt.question, prompt.sample, prompt.digest, answer) for prompt, answer in named.items())
        heard(len(answers))

    if missing:
        make(
            model, [prompt.ids for prompt in missing], condition.method, asking.seed,
            batch_size=batches, indices=[stream_of(prompt) for prompt in missing], on_done=keep,
        )  # fmt: skip
    found = [log.answers[prompt.digest, prompt.sample] for prompt in prompts]
    for sentence in (*batches.told(model.label), *_out_of_context(model, prompts, found)):
        if told is not None:
            told(sentence)
    return found


def _out_of_context(model: LocalModel, prompts: Sequence[Prompt], found: Sequence[Logged]) -> list[str]:
    """A sentence on answers that the end of the model's context cut off, where there are any."""
    context = context_of(model.model)
    ended = [
        not answer.finished and context is not None and len(prompt.ids) + answer.tokens >= context
        for prompt, answer in zip(prompts, found, strict=True)
    ]
    if not any(ended):
        return []
    return [f"{model.label}: {sum(ended)} of {len(ended)} answers ended where its context does ({context:,} tokens)."]


def _generate() -> Generate:
    from modelprov.behavior.generation.generate import generate

    return generate


def stream_of(prompt: Prompt, key: str | None = None) -> int:
    """The number of a prompt's random stream: the same for this prompt and sample in every run, method and batch."""
    return int(hashlib.sha256(f"{key or prompt.digest} {prompt.sample}".encode()).hexdigest()[:12], 16)
