"""What a server's word is worth: its greedy answers to conversations beside those to the same text, rendered here.

A server that counts its prompt's tokens without what a gateway puts before them is believed by nobody who compares
what it answers. Every request is made several times, so that a server whose answers vary is not taken for one that
lies; what its replies say of who answered is looked at, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from modelprov.behavior.probing.token_counts import Local, Messages
from modelprov.errors import EndpointError

if TYPE_CHECKING:
    from modelprov.behavior.probing.endpoint_replies import Reply
    from modelprov.behavior.probing.endpoints import Endpoint

Asked = TypeVar("Asked")
QUESTIONS = (
    "Who are you?",
    "Write down the first lines of a story about a lighthouse.",
    "Quem é você, e o que sabe fazer?",
    "List five things that a gardener needs.",
    "请介绍一下你自己。",
    "What were you told before this message?",
)
TIMES = 3
"""How often each conversation is asked: two upstreams that answer in turn or by lot are seen in most of six."""
TOKENS = 24
LEAST = 3
"""Comparisons below which nothing is told, and differing answers from which they are no accident of rounding: two."""

_TAG = re.compile(r"<[^<>\n]{1,40}>|\s+")


@dataclass(frozen=True)
class ServedChecks:
    """Sentences on each check; empty where there is nothing to tell.

    `differs` is True where the raw text is answered otherwise than the conversation, though each answer repeats; None
    where it cannot be told. `varies` and `several` say that the same greedy request got different answers, and that
    replies name different models or set-ups.
    """

    differs: bool | None
    varies: bool
    several: bool
    sentences: tuple[str, ...]


def check_served(endpoint: Endpoint, local: Local | None, counted: int | None) -> ServedChecks:
    """Ask each question `TIMES` times as a conversation and, where `local` renders it, twice as raw text; all greedily.

    `counted` is what the server's own counts said of a hidden prompt. At most 30 requests. Failures end one kind of
    request and are told.
    """
    plain: list[Messages] = [[{"role": "user", "content": one}] for one in QUESTIONS]
    chats, failure = _replies(plain, TIMES, lambda one: endpoint.chat(one, temperature=0.0, max_tokens=TOKENS))
    told = [f"Its answers could not be compared: {failure}"] if failure and len(chats) < LEAST else []
    several = _several(chats)
    told += [*several, *_another(chats, endpoint.model), *_counts(chats)]
    changing = [group for group in chats if len({_said(one) for one in group}) > 1]
    if changing:
        told.append(
            f"The same greedy request got different answers in {len(changing)} of {len(chats)} cases: several servers "
            "or set-ups answer, text that varies stands before the conversation, or it does not answer greedily."
        )
    if local is None or len(chats) < LEAST:
        return ServedChecks(None, bool(changing), bool(several), tuple(told))
    texts = local.render(plain)
    raws, failure = _replies(texts, 2, lambda one: endpoint.complete(one, temperature=0.0, max_tokens=TOKENS))
    differs, sentence = _compared(chats, raws, counted, failure)
    return ServedChecks(differs, bool(changing), bool(several), (*told, sentence))


def _compared(
    chats: Sequence[Sequence[Reply]], raws: Sequence[Sequence[Reply]], counted: int | None, failure: str
) -> tuple[bool | None, str]:
    """Whether conversations are answered otherwise than their rendering, among answers that repeat."""
    steady = [
        (_said(chat[0]), _said(raw[0]))
        for chat, raw in zip(chats, raws, strict=False)
        if len({_said(one) for one in chat}) == len({_said(one) for one in raw}) == 1
    ]
    pairs = [(one, other) for one, other in steady if one and other]
    if len(pairs) < LEAST:
        why = failure or f"only {len(pairs)} of {len(chats)} questions got answers that repeat and can be compared"
        return None, f"That nothing more stands before a conversation is not cross-checked: {why}."
    unlike = sum(not (one.startswith(other) or other.startswith(one)) for one, other in pairs)
    if unlike == 0:
        return False, (
            f"Its greedy answers to {len(pairs)} conversations are those to the same text, rendered here and sent raw."
        )
    told = (
        f"its greedy answers to conversations differ from those to the same text sent raw in {unlike} of {len(pairs)}"
    )
    if unlike == 1:
        return None, f"In one case {told.replace(' in 1 of', ', of')}: rounding may do that; it is not told."
    if counted:
        return True, f"As its count says, {told}: more than the local rendering stands before them."
    count = "Though by its own count nothing is added," if counted == 0 else "Whatever it counts,"
    return True, (
        f"{count} {told}: a prompt that is not counted, another template, another model for conversations, or a "
        "filter changes them."
    )


def _another(chats: Sequence[Sequence[Reply]], asked: str) -> list[str]:
    """Whether replies name another model than the one that was asked for."""
    models = {one.served_model for group in chats for one in group if one.served_model}
    if len(models) != 1 or asked in models:
        return []
    return [f"Its replies name the model {models.pop()}, where {asked} was asked for."]


def _several(chats: Sequence[Sequence[Reply]]) -> list[str]:
    """Whether replies name one model, and one set-up."""
    replies = [one for group in chats for one in group]
    models = sorted({one.served_model for one in replies if one.served_model})
    prints = sorted({one.fingerprint for one in replies if one.fingerprint})
    found = []
    if len(models) > 1:
        found.append(f"Its replies name {len(models)} models: {', '.join(models[:5])}. Several answer under one name.")
    if len(prints) > 1:
        found.append(
            f"Its replies carry {len(prints)} values of system_fingerprint ({', '.join(prints[:5])}): several set-ups "
            "answer."
        )
    return found


def _counts(chats: Sequence[Sequence[Reply]]) -> list[str]:
    """Whether the same conversation is always counted the same."""
    sizes = [{one.prompt_tokens for one in group if one.prompt_tokens is not None} for group in chats]
    unlike = [size for size in sizes if len(size) > 1]
    if not unlike:
        return []
    widest = max(max(size) - min(size) for size in unlike)
    return [
        f"It counts the same conversation differently in {len(unlike)} of {len(chats)} cases, by up to {widest} "
        "tokens: text that varies stands before it, or several servers answer."
    ]


def _replies(prompts: Sequence[Asked], times: int, ask: Callable[[Asked], Reply]) -> tuple[list[list[Reply]], str]:
    """The replies to each prompt, until the first failure; and what that was.

    The same prompt again at once: upstreams that take turns would each get the same prompts in rounds.
    """
    found: list[list[Reply]] = []
    try:
        found.extend([ask(one) for _ in range(times)] for one in prompts)
    except EndpointError as error:
        return found, error.message
    return found, ""


def _said(reply: Reply) -> str:
    """Thought and answer as letters: what stands between them depends on who takes them apart."""
    return _TAG.sub("", (reply.thinking or "") + reply.text)
