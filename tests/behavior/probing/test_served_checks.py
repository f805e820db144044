"""A server's word beside its answers: gateways that lie, texts that vary, several upstreams, and honest servers."""

from __future__ import annotations

import itertools
import random
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from modelprov.behavior.probing.endpoints import Endpoint
from modelprov.behavior.probing.served_checks import QUESTIONS, TIMES, ServedChecks, check_served
from modelprov.behavior.probing.token_counts import Local
from tests.behavior.servers import answer, chat_reply, completion_reply, serving

HIDDEN = "<system>\nYou are Rio.\n"


def chatml(messages: Sequence[dict[str, str]]) -> str:
    return "".join(f"<{one['role']}>\n{one['content']}\n" for one in messages) + "<assistant>\n"


def greedy(text: str, model: str = "a") -> str:
    """What a model goes on with: it depends on every character of the text, and on nothing else."""
    words = ["river", "stone", "cloud", "lamp", "we", "and", "over"]
    return " ".join(random.Random(zlib.crc32(f"{model}{text}".encode())).choices(words, k=12))


LOCAL = Local(lambda batch: [chatml(one) for one in batch], len, len)


@contextmanager
def server(
    before: Callable[[], str] = lambda: "", *, counts: Callable[[str], int] = len,
    upstream: Callable[[], str] = lambda: "a", raw: bool = True,
    named: Callable[[str], dict[str, Any]] = lambda _: {"model": "tiny"},
) -> Iterator[str]:  # fmt: skip
    """A server that puts `before()` before every conversation and reports `counts` of the text without it."""

    def play(handler: BaseHTTPRequestHandler, body: Any) -> None:
        model = upstream()
        if body is None:
            answer(200, {"object": "list", "data": [{"id": "tiny"}]})(handler)
        elif handler.path.endswith("/chat/completions"):
            text = chatml(body["messages"])
            reply = chat_reply(greedy(before() + text, model), prompt_tokens=counts(text))
            answer(200, reply | named(model))(handler)
        elif raw:
            text = body["prompt"]
            answer(200, completion_reply(greedy(text, model), prompt_tokens=counts(text)) | named(model))(handler)
        else:
            answer(404, {"detail": "Not Found"})(handler)

    with serving(play) as url:
        yield url


def checked(url: str, local: Local | None = LOCAL, counted: int | None = 0) -> ServedChecks:
    with Endpoint(url, "tiny", retries=0) as endpoint:
        return check_served(endpoint, local, counted)


def test_an_honest_server_answers_conversations_as_their_rendering():
    with server() as url:
        found = checked(url)
    assert (found.differs, found.varies, found.several) == (False, False, False)
    assert found.sentences == (
        f"Its greedy answers to {len(QUESTIONS)} conversations are those to the same text, rendered here and sent raw.",
    )


def test_a_gateway_that_leaves_its_prompt_out_of_the_count_is_found_by_its_answers():
    with server(lambda: HIDDEN) as url:
        found = checked(url)
    assert (found.differs, found.varies) == (True, False)
    assert "Though by its own count nothing is added" in found.sentences[-1]
    assert f"in {len(QUESTIONS)} of {len(QUESTIONS)}" in found.sentences[-1]


def test_a_prompt_that_is_counted_is_confirmed():
    with server(lambda: HIDDEN) as url:
        found = checked(url, counted=17)
    assert "As its count says" in found.sentences[-1]


def test_a_text_that_varies_is_told_and_no_lie_is_read_out_of_it():
    number = itertools.count()
    sizes = itertools.count(100)
    with server(lambda: f"It is second {next(number)}.", counts=lambda _: next(sizes) % 3 + 100) as url:
        found = checked(url)
    assert found.varies
    assert found.differs is None
    assert "text that varies stands before" in found.sentences[0]
    assert any("The same greedy request got different answers" in one for one in found.sentences)
    assert any("not cross-checked" in one for one in found.sentences)


@pytest.mark.parametrize(
    ("named", "words"),
    [
        (lambda model: {"model": f"tiny-{model}"}, "Its replies name 2 models: tiny-a, tiny-b"),
        (lambda model: {"model": "tiny", "system_fingerprint": f"fp_{model}"}, "2 values of system_fingerprint"),
        (lambda _: {"model": "tiny"}, "The same greedy request got different answers"),
    ],
)
def test_several_upstreams_are_named(named, words):
    turns = itertools.cycle("ab")
    with server(upstream=lambda: next(turns), named=named) as url:
        found = checked(url)
    assert found.varies
    assert any(words in one for one in found.sentences)


def test_upstreams_behind_one_name_are_found_by_lot():
    """Two upstreams by lot: six questions, each asked three times, miss them once in (1/4) ** 6."""
    draws = random.Random(5)
    with server(upstream=lambda: draws.choice("ab")) as url:
        assert checked(url, local=None).varies
    assert 0.25 ** len(QUESTIONS) < 1e-3
    assert TIMES == 3


def test_another_name_in_the_replies_is_told():
    with server(named=lambda _: {"model": "large-2026"}) as url:
        found = checked(url)
    assert found.sentences[0] == "Its replies name the model large-2026, where tiny was asked for."
    assert not found.several


def test_without_raw_completions_nothing_is_cross_checked():
    with server(lambda: HIDDEN, raw=False) as url:
        found = checked(url)
    assert found.differs is None
    assert "not cross-checked" in found.sentences[-1]


def test_one_answer_that_differs_may_be_rounding():
    def render(batch: Sequence[Any]) -> list[str]:
        return [chatml(one) + ("x" if number == 2 else "") for number, one in enumerate(batch)]

    with server() as url:
        found = checked(url, Local(render, len, len))
    assert found.differs is None
    assert "rounding may do that" in found.sentences[-1]
