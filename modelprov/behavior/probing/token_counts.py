"""How many tokens a server puts before a conversation unasked: its own counts against a local rendering.

A prompt hidden in a server's settings leaves no trace in the files of a model, but the server counts it
(`usage.prompt_tokens`). The difference to a local rendering is the same for every message, whatever its length,
exactly when tokenizer and template are the server's and the hidden text does not depend on the message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from modelprov.errors import EndpointError

if TYPE_CHECKING:
    from modelprov.behavior.probing.endpoint_replies import Reply
    from modelprov.behavior.probing.endpoints import Endpoint

Messages = Sequence[Mapping[str, str]]
Asked = TypeVar("Asked")

SENTINELS = (
    "Hello.",
    "Count on: 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233.",
    "Olá! Você pode me dizer que horas são agora em Lisboa?",
    "请用一句话介绍一下长江，再说说它流经哪些城市。",
    "def square(x):\n    return x ** 2 + 1\n\nWhat does this return for x = 12?",
    "Here is a list of plain words, long enough to make its length stand out: "
    + "river stone cloud lamp " * 8
    + "end.",
)
"""Messages in several scripts and of different lengths: another tokenizer counts some of them differently."""

OWN_SYSTEM = "Answer in one short sentence."
LEAST = 3
"""Fewer prompts, or fewer different lengths among them, tell nothing."""


@dataclass(frozen=True)
class HiddenTokens:
    """Tokens that are counted beyond those expected, and why that is so or cannot be told.

    `tokens` is None where it cannot; `differences` are counted minus expected tokens of each prompt, in order.
    """

    tokens: int | None
    differences: tuple[int, ...]
    explanation: str


@dataclass(frozen=True)
class TokenCounts:
    """The four comparisons of one endpoint.

    `chat`: its counts of conversations without a system message against the local rendering; `with_system`: the same
    with a system message of our own; `completions`: of the rendered text sent raw, against the local tokenizer;
    `against_completions`: chat against raw, both counted by the server, so that its tokenizer need not be known.
    """

    chat: HiddenTokens
    with_system: HiddenTokens
    completions: HiddenTokens
    against_completions: HiddenTokens

    @property
    def tokens(self) -> int | None:
        """Length of the hidden prompt: from the local tokenizer, else from the server's own raw completions."""
        return self.chat.tokens if self.chat.tokens is not None else self.against_completions.tokens

    @property
    def explanation(self) -> str:
        """What was found, in sentences."""
        if self.tokens is None:
            return self.chat.explanation
        if self.chat.tokens is None:
            return (
                "The local tokenizer is not the server's, but the server counts chat against raw completions: "
                + self.against_completions.explanation
            )
        own = self.with_system.tokens
        if not self.tokens or own is None:
            return self.chat.explanation
        if own == 0:
            return self.chat.explanation + " A system message of the user's replaces them."
        beside = "They stay" if own == self.tokens else f"{_tokens(own)} stay"
        return f"{self.chat.explanation} {beside} beside a system message of the user's."


@dataclass(frozen=True, eq=False)
class Local:
    """The local side: a chat template and a tokenizer.

    `render` gives the texts of conversations, ready for an answer; `count` the tokens of such a text as it stands,
    `count_raw` those of a raw prompt (with what the tokenizer adds by itself, such as a begin-of-text token).
    """

    render: Callable[[Sequence[Messages]], Sequence[str]]
    count: Callable[[str], int]
    count_raw: Callable[[str], int]


def hidden_tokens(counted: Sequence[int | None], expected: Sequence[int], failure: str = "") -> HiddenTokens:
    """The constant difference between a server's counts and the expected ones, prompt by prompt.

    A count is None where the server gave none (`failure` may say why). No difference is reported from fewer than
    `LEAST` prompts or lengths: prompts of one length cannot show that the tokenizers agree.
    """
    if len(counted) != len(expected):
        raise ValueError(f"{len(counted)} counts for {len(expected)} prompts")
    pairs = [(one, other) for one, other in zip(counted, expected, strict=True) if one is not None]
    differences = tuple(one - other for one, other in pairs)
    found = None
    if not pairs:
        text = failure or "The endpoint gives no token counts (usage.prompt_tokens)."
    elif len(pairs) < LEAST:
        text = f"Only {len(pairs)} of {len(counted)} prompts were counted; {LEAST} are needed. {failure}".strip()
    elif len({other for _, other in pairs}) < LEAST:
        text = f"The prompts have too few different lengths; {LEAST} are needed."
    elif min(differences) != max(differences):
        text = (
            f"Cannot tell: the server counts from {min(differences):+d} to {max(differences):+d} tokens more, "
            "depending on the prompt. It has another tokenizer or template, or adds text that depends on the message."
        )
    elif differences[0] < 0:
        text = (
            f"Cannot tell: the server counts {_tokens(-differences[0])} fewer for each of {len(pairs)} prompts: it "
            "has another template, or leaves out a prompt that the local one adds."
        )
    else:
        found = differences[0]
        text = f"The server adds {_tokens(found)} to each of {len(pairs)} prompts." if found else _nothing(len(pairs))
        if found in {1, 2}:
            text += " So few may be a begin-of-text token rather than a prompt."
    return HiddenTokens(found, differences, text)


def count_prompts(endpoint: Endpoint, local: Local, sentinels: Sequence[str] = SENTINELS) -> TokenCounts:
    """Ask `endpoint` for one token after each sentinel: as chat without and with a system message, and raw.

    At most three requests a sentinel. Failures end one kind of request and are explained in its result; errors of the
    local template are the caller's.
    """
    plain: list[Messages] = [[{"role": "user", "content": one}] for one in sentinels]
    with_system: list[Messages] = [[{"role": "system", "content": OWN_SYSTEM}, *one] for one in plain]
    texts = local.render(plain)
    chat, chat_failure = _asked(plain, lambda one: endpoint.chat(one, temperature=0.0, max_tokens=1))
    own, own_failure = _asked(with_system, lambda one: endpoint.chat(one, temperature=0.0, max_tokens=1))
    raw, raw_failure = _asked(texts, lambda one: endpoint.complete(one, temperature=0.0, max_tokens=1))
    here, here_raw = [local.count(one) for one in texts], [local.count_raw(one) for one in texts]
    as_chat = [  # what the server should count for the chat if it only rendered it, by its own count of the raw text
        0 if there is None else there - (more - less) for there, more, less in zip(raw, here_raw, here, strict=True)
    ]
    both = [None if there is None else sent for sent, there in zip(chat, raw, strict=True)]
    return TokenCounts(
        chat=hidden_tokens(chat, here, chat_failure),
        with_system=hidden_tokens(own, [local.count(one) for one in local.render(with_system)], own_failure),
        completions=hidden_tokens(raw, here_raw, raw_failure),
        against_completions=hidden_tokens(both, as_chat, chat_failure or raw_failure),
    )


def _asked(prompts: Sequence[Asked], ask: Callable[[Asked], Reply]) -> tuple[list[int | None], str]:
    """The server's counts, None from the first failure on; and what that failure was."""
    counts: list[int | None] = []
    for one in prompts:
        try:
            counts.append(ask(one).prompt_tokens)
        except EndpointError as error:
            return counts + [None] * (len(prompts) - len(counts)), f"{error.message}. {error.advice}"
    return counts, ""


def _tokens(number: int) -> str:
    return f"{number:,} token" + ("" if number == 1 else "s")


def _nothing(prompts: int) -> str:
    return (
        f"The server counts exactly the tokens of the local rendering for each of {prompts} prompts: by its own word, "
        "nothing is added."
    )
