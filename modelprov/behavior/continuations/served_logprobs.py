"""Asks a server for log-probabilities of the token after a text: the most likely ones, or chosen ones by a logit bias.

A server gives no more than some tens of them at a time. A bias that lifts chosen tokens above all others brings each of
them among those, and equal biases leave their differences as they are (Carlini et al., arXiv 2403.06634, section 4).
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from modelprov.behavior.continued import Way
from modelprov.behavior.probing.answer_log import AnswerLog, Spoken
from modelprov.behavior.probing.endpoint_logprobs import BY_NUMBER
from modelprov.behavior.records import digest
from modelprov.called import called
from modelprov.errors import EndpointError, UsageError
from modelprov.foreign.json_text import JsonError, parse_json

if TYPE_CHECKING:
    from modelprov.behavior.probing.endpoints import Endpoint

AT_A_TIME = (1000, 100, 20, 5)
"""Log-probabilities asked for with one token; what a server refuses is followed by less."""
BIAS = 100.0
"""What lifts a token above all others; the most that OpenAI's servers take."""
REFUSED = frozenset({400, 422})

WRITTEN = 64
"""Replies between two writes of the log."""

How = Literal["most likely tokens", "a logit bias", "none"]
ByNumber = dict[int, float]


@dataclass(frozen=True)
class Vocabulary:
    """Tokens by what a server may call them, where only one is called so; `order` is a seeded order of them."""

    digest: str
    names: Mapping[str, int]
    order: Sequence[int]

    def numbered(self, logprobs: Mapping[str, float]) -> ByNumber:
        """The same by token number; what nobody can tell the number of is left out."""
        found: ByNumber = {}
        for name, value in logprobs.items():
            number = name.removeprefix(BY_NUMBER)
            token = int(number) if number != name and number.isdecimal() else self.names.get(name)
            if token is not None:
                found[token] = value
        return found


def vocabulary_of(tokenizer: Any, digest: str, seed: int) -> Vocabulary:
    """Of a tokenizer, by decoded text first, then by the tokenizer's own spelling of a token."""
    spelled: dict[str, int] = {str(text): int(number) for text, number in tokenizer.get_vocab().items()}
    numbers = sorted(spelled.values())
    texts = tokenizer.batch_decode([[number] for number in numbers])
    by_text: dict[str, list[int]] = {}
    for number, text in zip(numbers, texts, strict=True):
        by_text.setdefault(text, []).append(number)
    clear = {text: those[0] for text, those in by_text.items() if len(those) == 1 and "\ufffd" not in text}
    order = sorted(set(clear.values()))
    random.Random(f"modelprov logprobs {seed}").shuffle(order)
    return Vocabulary(digest, {**{text: n for text, n in spelled.items() if text not in by_text}, **clear}, order)


@dataclass(frozen=True)
class Got:
    """For each text the most likely tokens and those for the image: log-probabilities, less a constant of the text."""

    how: How
    top: tuple[ByNumber, ...]
    values: tuple[ByNumber, ...]


@dataclass
class ServedLogprobs:
    """What a server gives after each of `texts`; asked once for each vocabulary and number of tokens.

    Replies are kept in the log, and not asked for again.
    """

    endpoint: Endpoint
    texts: Sequence[str]
    way: Way
    at_once: int
    log: AnswerLog
    _top: list[Mapping[str, float]] = field(default_factory=list)
    _asked: int = 0
    _at_a_time: int = 0
    _got: dict[tuple[str, int], Got] = field(default_factory=dict)

    def of(self, vocabulary: Vocabulary, wanted: int, least: int) -> Got:
        """Of `wanted` tokens if there is a way to get them; fewer than `least` are as good as none for the image."""
        key = (vocabulary.digest, wanted)
        if key not in self._got:
            self._got[key] = self._ask(vocabulary, wanted, least)
        return self._got[key]

    def _ask(self, vocabulary: Vocabulary, wanted: int, least: int) -> Got:
        top = tuple(vocabulary.numbered(each) for each in self._most_likely(wanted))
        if not any(top):
            return Got("none", (), ())
        if min(map(len, top)) >= least:
            return Got("most likely tokens", top, top)
        chosen = list(vocabulary.order[:wanted])
        biased = self._biased(vocabulary, chosen) if self._at_a_time > 1 and len(chosen) >= least else None
        return Got("most likely tokens", top, top) if biased is None else Got("a logit bias", top, biased)

    def _most_likely(self, wanted: int) -> list[Mapping[str, float]]:
        """As many as the server gives of `wanted`, for each text."""
        if not self._top or (self._asked < wanted and self._at_a_time == self._asked):  # it gave all that was asked for
            sizes = [wanted, *(size for size in AT_A_TIME if size < wanted)]
            for self._at_a_time in sizes:
                try:
                    self._all([(self.texts[0], {})])
                except EndpointError as error:
                    if error.status not in REFUSED or self._at_a_time == sizes[-1]:
                        raise
                else:
                    break
            self._asked = wanted
            self._top = self._all([(text, {}) for text in self.texts])
            self._at_a_time = min(self._at_a_time, max(map(len, self._top)))
        return self._top

    def _biased(self, vocabulary: Vocabulary, chosen: Sequence[int]) -> tuple[ByNumber, ...] | None:
        """Log-probabilities of chosen tokens relative to the first; None where the server does not show the bias."""
        first, rest, size = chosen[0], chosen[1:], self._at_a_time - 1
        parts = [rest[start : start + size] for start in range(0, len(rest), size)]
        if not self._shown(vocabulary, (first, *parts[0])):
            return None
        asked = [(text, _lifted((first, *part))) for text in self.texts for part in parts]
        replies = [vocabulary.numbered(each) for each in self._all(asked)]
        found = []
        for place in range(len(self.texts)):
            values: ByNumber = {first: 0.0}
            own = replies[place * len(parts) : (place + 1) * len(parts)]
            for part, reply in zip(parts, own, strict=True):
                if first in reply:  # what a server adds to fill up a short part was not lifted
                    values |= {token: reply[token] - reply[first] for token in part if token in reply}
            found.append(values)
        return tuple(found)

    def _shown(self, vocabulary: Vocabulary, tokens: Sequence[int]) -> bool:
        """Whether lifted tokens are those that the server gives: some leave the bias out of what they show."""
        try:
            [reply] = self._all([(self.texts[0], _lifted(tokens))])
        except EndpointError as error:
            if error.status not in REFUSED:
                raise
            return False
        shown = vocabulary.numbered(reply)
        return len(shown.keys() & set(tokens)) > len(tokens) / 2

    def _all(self, asked: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Mapping[str, float]]:
        keys = [self._key(*each) for each in asked]
        missing = [place for place, key in enumerate(keys) if self.log.get(key) is None]
        with ThreadPoolExecutor(max(1, self.at_once)) as pool:
            for start in range(0, len(missing), WRITTEN):
                part = missing[start : start + WRITTEN]
                replies = list(pool.map(lambda place: self._once(*asked[place]), part))
                self.log.put_all(
                    (keys[place], Spoken(None, json.dumps(reply), True), {"log_probabilities_after": asked[place][0]})
                    for place, reply in zip(part, replies, strict=True)
                )
        return [self._kept(key) for key in keys]

    def _key(self, text: str, fields: Mapping[str, Any]) -> str:
        """Digest of everything that shapes a reply."""
        server = [self.endpoint.url, self.endpoint.model, dict(self.endpoint.extra)]
        return digest(["log-probabilities", server, self.way, self._at_a_time, text, dict(fields)])

    def _kept(self, key: str) -> Mapping[str, float]:
        spoken = self.log.get(key)
        try:
            given = parse_json((spoken.final if spoken is not None else None) or "", finite=True)
            return {str(name): float(value) for name, value in given.items()}
        except (JsonError, AttributeError, TypeError, ValueError) as error:
            raise UsageError(
                "log-probabilities in the log are not as they were written",
                f"Give {called('log')} a new file, or one of probe's own.",
            ) from error

    def _once(self, text: str, fields: Mapping[str, Any]) -> Mapping[str, float]:
        """At temperature 1 and without a nucleus: some servers apply both before they look."""
        given: dict[str, Any] = {"temperature": 1.0, "top_p": 1.0, "max_tokens": 1}
        if self.way == "completions":
            reply = self.endpoint.complete(text, **given, extra={"logprobs": self._at_a_time, **fields})
        else:
            more = {"logprobs": True, "top_logprobs": self._at_a_time, **fields}
            reply = self.endpoint.chat([{"role": "user", "content": text}], **given, extra=more)
        return reply.logprobs or {}


def _lifted(tokens: Sequence[int]) -> dict[str, Any]:
    return {"logit_bias": {str(token): BIAS for token in tokens}}
