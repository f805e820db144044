"""Who is asked: a local model or a served one, behind one small interface. Counts and judges nothing."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

from modelprov.behavior.probing.answer_log import AnswerLog, Spoken
from modelprov.behavior.probing.arms import (
    BARE,
    STRIPPED,
    Prompt,
    UnavailableArmError,
    bare_prompts,
    conversation,
    cut,
    rendered_prompts,
)  # fmt: skip
from modelprov.behavior.probing.hidden_prompts import Frame
from modelprov.behavior.probing.questions import Question
from modelprov.behavior.records import digest
from modelprov.behavior.templates.rendering import Renderer
from modelprov.behavior.thinking import opened_by
from modelprov.called import called
from modelprov.errors import EndpointError
from modelprov.progress import SILENT

if TYPE_CHECKING:
    from modelprov.behavior.generation.batching import Batches
    from modelprov.behavior.loading import LocalModel
    from modelprov.behavior.probing.endpoint_replies import Reply
    from modelprov.behavior.probing.endpoints import Endpoint

GREEDY = "greedy"


@dataclass(frozen=True)
class How:
    """How answers are chosen: greedy, or drawn from the whole distribution at a temperature; at most so many tokens."""

    temperature: float
    max_new_tokens: int

    @property
    def greedy(self) -> bool:
        """Whether the most likely token is taken each time."""
        return self.temperature == 0

    @property
    def name(self) -> str:
        """As tables say it."""
        return GREEDY if self.greedy else f"sampled, T {self.temperature:g}"


@dataclass(frozen=True)
class Asked:
    """One prompt to be answered for the `number`-th time; `place` seeds the draw and depends on nothing else asked."""

    prompt: Prompt
    question: Question
    number: int

    @property
    def place(self) -> int:
        """A number of its own for each wording, name and repetition."""
        return zlib.crc32(f"{self.question.id}|{self.question.asked}|{self.number}".encode())


class Speaker(Protocol):
    """Whoever can be asked. `identity` is what answers depend on: a digest of weights, or an address and a name."""

    @property
    def label(self) -> str:
        """Its name in tables."""
        ...

    @property
    def identity(self) -> str:
        """What answers depend on."""
        ...

    def noticed(self) -> list[str]:
        """What a reader must be told of how it was asked, in sentences."""
        ...

    def prompts(self, arm: str, questions: Sequence[Question]) -> list[Prompt]:
        """The prompts of an arm; raises `UnavailableArmError`."""
        ...

    def answer(self, asked: Sequence[Asked], how: How, seed: int) -> list[Spoken]:
        """One answer each, in order."""
        ...


@dataclass(frozen=True, eq=False)
class LocalSpeaker:
    """A model on this machine; `stripped` frames a message without what the template adds.

    `batches` hold what memory allowed, from one call to the next.
    """

    model: LocalModel
    template: str | None
    special: Mapping[str, str]
    stripped: Frame | None
    batches: Batches

    @property
    def label(self) -> str:
        """Its name in tables."""
        return self.model.label

    @property
    def identity(self) -> str:
        """Digest of the weights."""
        return self.model.digest

    def noticed(self) -> list[str]:
        """What memory did to the size of batches."""
        return self.batches.told(self.label)

    def prompts(self, arm: str, questions: Sequence[Question]) -> list[Prompt]:
        """The prompts of an arm, rendered in a sandbox."""
        return rendered_prompts(arm, questions, self.template, self.special, self.stripped, self.model.renderer)

    def answer(self, asked: Sequence[Asked], how: How, seed: int) -> list[Spoken]:
        """Generate; every answer draws from a generator of its own."""
        from modelprov.behavior.generation.generate import generate, method_of

        plain: dict[str, Any] = {"max_new_tokens": how.max_new_tokens}
        if not how.greedy:
            plain |= {"temperature": how.temperature, "top_k": 0, "top_p": 1.0}
        method = method_of("cot-greedy" if how.greedy else "cot", **plain)
        ids = [token_ids(self.model, one.prompt) for one in asked]
        places = [one.place for one in asked]
        answers = generate(self.model, ids, method, seed, batch_size=self.batches, indices=places)
        return [
            Spoken(found.thinking, cut(found.final) if one.prompt.bare and found.final else found.final, found.finished)
            for one, found in zip(asked, answers, strict=True)
        ]


@dataclass(frozen=True, eq=False)
class EndpointSpeaker:
    """A served model. With `template` (of a local copy of its tokenizer) the stripped arm can be asked as raw text.

    `to_sample` are fields that the server needs in a request that is not to be answered greedily.
    """

    endpoint: Endpoint
    name: str
    address: str
    template: str | None = None
    special: Mapping[str, str] | None = None
    stripped: Frame | None = None
    at_once: int = 8
    to_sample: Mapping[str, Any] | None = None

    @property
    def label(self) -> str:
        """Its name in tables."""
        return self.name

    @property
    def identity(self) -> str:
        """Address, name and what every request adds: nobody outside can tell which weights a server holds."""
        extra = f" {digest(dict(self.endpoint.extra))}" if self.endpoint.extra else ""
        return f"{self.address} {self.name}{extra}"

    def noticed(self) -> list[str]:
        """What replies held in place of an answer, or beside it."""
        told = [f"of its replies, {count:,} had: {what}" for what, count in sorted(self.endpoint.noticed.items())]
        named = self.endpoint.answered_by
        if len(named) > 1:
            each = [
                f"{count:,} {model or 'none'}{f' ({setup})' if setup else ''}"
                for (model, setup), count in named.most_common(5)
            ]
            told.append(f"its replies name different models or set-ups: {', '.join(each)}")
        return told

    def prompts(self, arm: str, questions: Sequence[Question]) -> list[Prompt]:
        """Messages for the server's own template; text for the arms that go round it."""
        if arm == BARE:
            return bare_prompts(questions)
        if arm == STRIPPED:
            if self.template is None:
                raise UnavailableArmError(
                    f"it needs the model's own template; give a local copy with {called('tokenizer', 'FOLDER')}"
                )
            return rendered_prompts(arm, questions, self.template, self.special or {}, self.stripped, Renderer())
        return [Prompt(messages=conversation(arm, one)) for one in questions]

    def answer(self, asked: Sequence[Asked], how: How, seed: int) -> list[Spoken]:
        """Ask the server, a few at once."""
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(max(1, self.at_once)) as pool:
            return list(pool.map(lambda one: self._one(one, how, seed), asked))

    def _completed(self, text: str, settings: dict[str, Any]) -> Reply:
        try:
            return self.endpoint.complete(text, **settings)
        except EndpointError as error:
            if error.status in NOT_SERVED:
                raise UnavailableArmError(f"the server takes no raw text: {error.message}") from error
            raise

    def _one(self, asked: Asked, how: How, seed: int) -> Spoken:
        settings: dict[str, Any] = {
            "temperature": how.temperature, "max_tokens": how.max_new_tokens, "seed": (seed + asked.place) % (1 << 31)
        }  # fmt: skip
        if self.to_sample and not how.greedy:
            settings["extra"] = self.to_sample
        prompt = asked.prompt
        if prompt.messages is not None:
            reply = self.endpoint.chat([dict(one) for one in prompt.messages], **settings)
        else:
            reply = self._completed(prompt.text or "", settings)
            if reply.thinking is None and opened_by(prompt.text or ""):
                return Spoken(reply.text, None, reply.finished)
        final = reply.text if reply.text or reply.finished else None
        return Spoken(reply.thinking, cut(final) if prompt.bare and final else final, reply.finished)


NOT_SERVED = (404, 405, 501)
"""Statuses of a server that has no raw completions."""


def token_ids(model: LocalModel, prompt: Prompt) -> list[int]:
    """The prompt as token ids; a template has written its special tokens itself."""
    ids = model.tokenizer.encode(prompt.text, add_special_tokens=prompt.bare)
    return [int(one) for one in ids]


def ask(
    speaker: Speaker, asked: Sequence[Asked], how: How, seed: int, log: AnswerLog, about: Mapping[str, Any],
    *, batch: int = 8, on_done: Callable[[int], None] = SILENT.advance,
) -> list[Spoken]:  # fmt: skip
    """One answer each, in order: those the log has, and the rest from the speaker, logged batch by batch.

    `on_done` is called with how many more there are.
    """
    keys = [key_of(speaker, one, how, seed) for one in asked]
    missing = {key: one for key, one in zip(keys, asked, strict=True) if log.get(key) is None}
    waiting = sorted(missing.items(), key=lambda pair: len(pair[1].prompt.text or ""))
    on_done(len(asked) - len(waiting))
    for start in range(0, len(waiting), batch):
        part = waiting[start : start + batch]
        rows = []
        for (key, one), spoken in zip(part, speaker.answer([one for _, one in part], how, seed), strict=True):
            told = {"question_id": one.question.id, "question": one.question.text, "number": one.number}
            rows.append((key, spoken, {"model": speaker.label, **about, "sampling": how.name, **told}))
        log.put_all(rows)
        on_done(len(part))
    found = [log.get(key) for key in keys]
    return [one for one in found if one is not None]


def key_of(speaker: Speaker, asked: Asked, how: How, seed: int) -> str:
    """Digest of everything that shapes the answer."""
    draw = None if how.greedy else [seed, asked.place]
    prompt = [asked.prompt.text, [dict(one) for one in asked.prompt.messages or ()], asked.prompt.bare]
    return digest([speaker.identity, prompt, asdict(how), draw])
