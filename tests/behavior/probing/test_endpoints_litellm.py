"""The client through LiteLLM's proxy (`make litellm`): what a real gateway passes on, changes and drops."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest

from modelprov.behavior.probing.endpoints import Endpoint
from modelprov.errors import EndpointError
from tests.behavior.litellm_proxy import litellm_proxy
from tests.behavior.servers import answer, chat_reply, chunk, completion_reply, serving, stream

HELLO = [{"role": "user", "content": "Who are you?"}]
SHORT = {"temperature": 0.0, "max_tokens": 4}
NEWER = {"message": "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", "code": "unsupported"}
CALL = {"id": "c", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}
LOGPROBS = {"content": [{"token": "a", "logprob": -0.1, "bytes": [97],
                         "top_logprobs": [{"token": "a", "logprob": -0.1, "bytes": [97]}]}]}  # fmt: skip


@dataclass
class Behind:
    """The server behind the proxy: how it behaves, what it was asked, how much at once."""

    behaviour: str = "well"
    bodies: list[Any] = field(default_factory=list)
    at_once: int = 0
    most: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def play(self, handler: Any, body: Any) -> None:
        if handler.command == "GET":
            answer(200, {"object": "list", "data": [{"id": "tiny"}]})(handler)
            return
        with self.lock:
            self.bodies.append(body)
            self.at_once += 1
            self.most = max(self.most, self.at_once)
        try:
            self._step(handler.path.endswith("/chat/completions"), body)(handler)
        finally:
            with self.lock:
                self.at_once -= 1

    def _step(self, chat: bool, body: Any) -> Any:
        if self.behaviour == "newer" and "max_tokens" in body:
            return answer(400, {"error": NEWER})
        if self.behaviour == "busy" and len(self.bodies) < 3:
            return answer(429, {"error": {"message": "slow down", "type": "rate_limit"}})
        if self.behaviour == "slow":
            time.sleep(0.2)
        if self.behaviour == "cut":
            return stream(chunk("hel"), promised=9999)
        if not chat:
            return answer(200, {"model": "tiny", "object": "text_completion", "created": 1, **completion_reply("hi")})
        reply = {
            "call": lambda: chat_reply(None, reason="tool_calls", tool_calls=[CALL]),
            "refuses": lambda: chat_reply(None, refusal="I cannot."),
            "thinks": lambda: chat_reply("hello", reasoning_content="who am I"),
            "logprobs": lambda: chat_reply("a"),
        }.get(self.behaviour, lambda: chat_reply("hello"))()
        if self.behaviour == "logprobs":
            reply["choices"][0]["logprobs"] = LOGPROBS
        return answer(200, {"model": "tiny", "object": "chat.completion", "created": 1, **reply})


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Behind, str, str]]:
    behind = Behind()
    with (
        serving(behind.play) as backend,
        litellm_proxy(backend, tmp_path_factory.mktemp("proxy")) as (url, key),
    ):
        yield behind, url, key


@pytest.fixture
def behind(proxied: tuple[Behind, str, str]) -> Behind:
    found = proxied[0]
    found.behaviour, found.most = "well", 0
    found.bodies.clear()
    return found


@pytest.fixture
def endpoint(proxied: tuple[Behind, str, str]) -> Iterator[Endpoint]:
    _, url, key = proxied
    with Endpoint(url, "rio", key, retries=3, sleep=lambda _: None) as made:
        yield made


def test_conversations_and_raw_text_pass_with_their_extra_fields(behind, endpoint):
    assert endpoint.models() == ["rio"]
    extra = {"chat_template_kwargs": {"enable_thinking": False}, "top_k": 5}
    reply = endpoint.chat(HELLO, **SHORT, seed=1, extra=extra)
    assert (reply.text, reply.prompt_tokens, reply.served_model) == ("hello", 7, "rio")
    assert extra.items() <= behind.bodies[-1].items()
    assert endpoint.complete("The weights", **SHORT).text == "hi"


def test_a_wrong_key_is_refused_without_saying_it(proxied):
    with Endpoint(proxied[1], "rio", "sk-wrong", retries=0) as wrong, pytest.raises(EndpointError) as caught:
        wrong.chat(HELLO, **SHORT)
    assert caught.value.status in {400, 401}, "without a database the proxy says 400"
    assert "sk-wrong" not in caught.value.message


def test_a_server_that_wants_the_newer_limit_gets_it(behind, endpoint):
    behind.behaviour = "newer"
    assert endpoint.chat(HELLO, **SHORT).text == "hello"
    assert behind.bodies[-1]["max_completion_tokens"] == 4


def test_a_busy_server_is_asked_again(behind, endpoint):
    behind.behaviour = "busy"
    assert endpoint.chat(HELLO, **SHORT).text == "hello"
    assert len(behind.bodies) == 3


@pytest.mark.parametrize(
    ("behaviour", "text", "notes"),
    [("call", "", ("a tool call in place of an answer",)), ("refuses", "I cannot.", ("a refusal",)),
     ("thinks", "hello", ())],
)  # fmt: skip
def test_what_came_in_place_of_an_answer_is_named(behind, endpoint, behaviour, text, notes):
    behind.behaviour = behaviour
    reply = endpoint.chat(HELLO, **SHORT)
    assert (reply.text, reply.notes) == (text, notes)
    assert reply.thinking == ("who am I" if behaviour == "thinks" else None)


def test_half_a_stream_is_no_answer(behind, endpoint):
    behind.behaviour = "cut"
    with pytest.raises(EndpointError) as caught:
        endpoint.chat(HELLO, **SHORT, stream=True)
    assert caught.value.passing
    assert len(behind.bodies) == 4


def test_log_probabilities_pass(behind, endpoint):
    behind.behaviour = "logprobs"
    asked = {"logprobs": True, "top_logprobs": 5, "logit_bias": {"7": 100}}
    assert endpoint.chat(HELLO, **SHORT, extra=asked).logprobs == {"a": -0.1}
    assert asked.items() <= behind.bodies[-1].items()


def test_several_questions_are_asked_at_once(behind, endpoint):
    behind.behaviour = "slow"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: endpoint.chat(HELLO, **SHORT), range(16)))
    assert behind.most > 4


def test_eval_asks_through_it_and_its_report_holds_no_key(behind, proxied, monkeypatch):
    from modelprov.jobs.evaluate import evaluate

    _, url, key = proxied
    monkeypatch.setenv("MODELPROV_API_KEY", key)
    report = evaluate("rio", endpoint=url, task="sums", limit=3, method="cot-greedy", extra_body='{"top_k": 3}')
    assert [row.answers for row in report.rows] == [3]
    assert {body["top_k"] for body in behind.bodies} == {3}
    assert key not in report.rendered("json")
