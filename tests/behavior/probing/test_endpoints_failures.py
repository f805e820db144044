from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from modelprov.behavior.probing import endpoint_exchange
from modelprov.behavior.probing.endpoint_retries import LONGEST_WAIT, retry_after, wait_before
from modelprov.behavior.probing.endpoints import Endpoint
from modelprov.errors import EndpointError
from tests.behavior.probing.endpoint_asking import GOOD, GOOD_STREAM, HELLO, Waits, ask, failure
from tests.behavior.servers import (
    Step,
    answer,
    chunk,
    dripping,
    endless,
    free_port,
    scripted,
    silent,
    stream,
)


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.fixture
def released() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


PASSING: dict[str, tuple[Step, bool]] = {
    "500": (answer(500, {"error": {"message": "out of memory"}}), False),
    "502 with a web page": (answer(502, b"<html>Bad Gateway</html>", kind="text/html"), False),
    "503": (answer(503, b""), False),
    "429": (answer(429, {"detail": "slow down"}), False),
    "broken JSON": (answer(200, b'{"choices": [{"mess'), False),
    "an empty body": (answer(200, b""), False),
    "a failure with status 200": (answer(200, {"error": {"message": "worker died"}}), False),
    "a failure as vLLM wrote it": (answer(200, {"object": "error", "message": "died", "code": 500}), False),
    "nesting without end": (answer(200, b"[" * 200_000), False),
    "fewer bytes than promised": (
        answer(200, b'{"choices"', headers={"Content-Length": "500", "Connection": "close"}),
        False,
    ),
    "a stream that ends early": (stream(chunk("I am"), chunk(" N")), True),
    "a stream that breaks": (stream(chunk("I am"), promised=9999), True),
    "a stream cut inside an event": (stream(chunk("I am"), b'{"choices": [{"del'), True),
    "a failure in a stream": (stream(chunk("I am"), {"error": "CUDA out of memory"}), True),
}


@pytest.mark.parametrize("name", PASSING)
def test_what_passes_is_asked_again(name: str, waits: Waits):
    step, streamed = PASSING[name]
    with scripted(step, step, GOOD_STREAM if streamed else GOOD) as server:
        reply = ask(server.url, waits, stream=streamed)
    assert (reply.text, reply.finished) == ("I am Nex.", True)
    assert server.asked == ["/v1/chat/completions"] * 3
    assert len(waits) == 2


@pytest.mark.parametrize("name", PASSING)
def test_what_does_not_pass_in_time_is_reported(name: str, waits: Waits):
    step, streamed = PASSING[name]
    with scripted(step) as server:
        error = failure(server.url, waits, stream=streamed, retries=1)
    assert error.passing
    assert sum(path == "/v1/chat/completions" for path in server.asked) == 2


def test_half_a_stream_is_never_taken_for_an_answer(waits: Waits):
    with scripted(stream(chunk("I am"), chunk(" Nex"))) as server:
        assert "cut" in failure(server.url, waits, stream=True, retries=0).message


def test_an_endpoint_that_is_down_is_tried_again_and_then_named(waits: Waits):
    url = f"http://127.0.0.1:{free_port()}/v1"
    error = failure(url, waits, retries=3)
    assert url in error.message
    assert "Start the server" in error.advice
    assert len(waits) == 3


def test_an_endpoint_that_comes_up_meanwhile_is_used():
    port = free_port()
    with later(port) as start:
        assert ask(f"http://127.0.0.1:{port}/v1", start).text == "I am Nex."  # type: ignore[arg-type]


@pytest.mark.parametrize("step", [silent, dripping])
def test_a_slow_endpoint_is_given_up_after_the_timeout(step: Any, waits: Waits, released: threading.Event):
    with scripted(step(released), GOOD) as server:
        error = failure(server.url, waits, timeout=0.2, retries=0)
        assert "within 0.2 s" in error.message
        assert error.passing
        assert ask(server.url, waits, timeout=5.0).text == "I am Nex."


def test_waits_grow_and_are_repeatable_and_stay_below_the_cap(waits: Waits):
    with scripted(answer(503, b"")) as server:
        failure(server.url, waits, retries=9)
        again = Waits()
        failure(server.url, again, retries=9)
    assert waits == again
    for attempt, seconds in enumerate(waits):
        full = min(0.5 * 2**attempt, LONGEST_WAIT)
        assert full / 2 <= seconds <= full
    assert len(set(waits)) == 9
    assert wait_before(10_000, None, random.Random(0)) <= LONGEST_WAIT


@pytest.mark.parametrize(("header", "expected"), [("7", 7.0), ("0", 0.0), ("99999", LONGEST_WAIT)])
def test_a_wait_that_the_server_asks_for_is_kept_up_to_the_cap(header: str, expected: float, waits: Waits):
    with scripted(answer(429, {}, {"Retry-After": header}), GOOD) as server:
        assert ask(server.url, waits).text == "I am Nex."
    assert waits == [expected]


def test_retry_after_is_a_number_or_a_date():
    now = datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC)
    assert retry_after("Wed, 25 Nov 2026 12:00:30 GMT", now) == 30.0
    assert retry_after("Wed, 25 Nov 2026 11:00:00 GMT", now) == 0.0
    assert retry_after(" 2.5 ", now) == 2.5
    for nonsense in (None, "", "soon", "-5", "nan", "inf", "1e9", "9" * 40, "Wed, 99 Nov 2026 12:00:30 GMT"):
        assert retry_after(nonsense, now) is None


def test_a_limit_that_stays_is_reported_with_the_servers_words(waits: Waits):
    with scripted(answer(429, {"error": {"message": "quota of 3 per day"}})) as server:
        error = failure(server.url, waits, retries=2)
    assert error.status == 429
    assert "quota of 3 per day" in error.message
    assert server.asked == ["/v1/chat/completions"] * 3


@pytest.mark.parametrize("status", [404, 400])
def test_a_wrong_model_name_is_answered_with_those_that_are_served(status: int, waits: Waits):
    with scripted(answer(status, {"detail": "no such model"}), models=("nex", "qwen")) as server:
        error = failure(server.url, waits)
    assert "'tiny'" in error.message
    assert "no such model" in error.message
    assert "nex, qwen" in error.advice
    assert error.status == status
    assert waits == []


def test_a_setting_that_is_refused_is_not_blamed_on_the_name(waits: Waits):
    with scripted(answer(422, {"detail": [{"msg": "unknown field seed"}]}), models=("other",)) as server:
        error = failure(server.url, waits)
    assert "does not accept the request (HTTP 422)" in error.message
    assert "unknown field seed" in error.message


def test_a_server_without_words_is_not_quoted(waits: Waits):
    for body in (b"", b"{}", b"<html>Forbidden</html>"):
        with scripted(answer(400, body)) as server:
            assert failure(server.url, waits).message.endswith("(HTTP 400)")


def test_a_wrong_url_is_answered_with_how_it_should_look(waits: Waits):
    with scripted(answer(404, {"detail": "Not Found"}), models=None) as server:
        error = failure(server.url, waits)
    assert "/v1" in error.advice
    assert waits == []


def test_a_server_without_completions_is_told_from_a_wrong_model(waits: Waits):
    with scripted(answer(404, {"detail": "Not Found"})) as server:
        error = failure(server.url, waits)
    assert error.status == 404
    assert "does not offer this kind of request" in error.advice


@pytest.mark.parametrize(
    "body",
    [
        [1, 2],
        {"choices": []},
        {"choices": {}},
        {"choices": [{}]},
        {"choices": [{"message": {"content": 5}}]},
        {"x": 1},
        "text",
    ],
)
def test_json_of_another_shape_is_reported_at_once(body: Any, waits: Waits):
    with scripted(answer(200, body)) as server:
        error = failure(server.url, waits)
    assert "OpenAI-compatible" in error.advice
    assert not error.passing
    assert server.asked == ["/v1/chat/completions"]


def test_a_stream_without_any_answer_is_reported_at_once(waits: Waits):
    with scripted(stream({"usage": {}}, b"[DONE]")) as server:
        assert "choices" in failure(server.url, waits, stream=True).message
    assert waits == []


def test_an_endless_supply_of_models_is_listed_in_short(waits: Waits):
    with scripted(answer(404, {}), models=[f"model-{number}" for number in range(500)]) as server:
        assert "model-9 and 490 more" in failure(server.url, waits).advice


def test_a_server_that_fails_on_an_unknown_name_is_asked_for_its_list(waits: Waits):
    with scripted(answer(500, b"Internal Server Error"), models=("nex",)) as server:
        error = failure(server.url, waits, retries=1)
    assert "fails (HTTP 500)" in error.message
    assert "'tiny': nex." in error.advice


def test_a_web_page_is_reported_at_once(waits: Waits):
    with scripted(answer(200, b"<!doctype html><title>Welcome</title>", kind="text/html")) as server:
        assert "web page" in failure(server.url, waits).message
    assert waits == []


def test_an_endless_answer_is_stopped(waits: Waits, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(endpoint_exchange, "MAX_RESPONSE", 1 << 20)
    with scripted(endless) as server:
        error = failure(server.url, waits, timeout=60.0)
    assert "more than 1 MB" in error.message
    assert waits == []


def test_control_characters_of_a_server_do_not_reach_the_terminal(waits: Waits):
    with scripted(answer(400, {"detail": "\x1b[2Jgone\r\n\u202eevil" + "x" * 5000})) as server:
        message = failure(server.url, waits).message
    assert message.isprintable()
    assert "gone" in message
    assert len(message) < 600


def test_answers_before_a_failure_stay_with_the_caller(waits: Waits):
    got: list[str] = []
    with (
        scripted(GOOD, answer(503, b""), GOOD, answer(400, {"detail": "too long"})) as server,
        Endpoint(server.url, "tiny", sleep=waits) as endpoint,
        pytest.raises(EndpointError, match="too long"),
    ):
        got.extend(endpoint.chat(HELLO, temperature=0.0, max_tokens=5).text for _ in range(9))
    assert got == ["I am Nex."] * 2


@contextmanager
def later(port: int) -> Iterator[Any]:
    """A `sleep` that starts a server on the port when first called, as one that is still loading its model does."""
    with ExitStack() as running:
        started: list[Any] = []

        def sleep(_seconds: float) -> None:
            if not started:
                started.append(running.enter_context(scripted(GOOD, port=port)))

        yield sleep
        assert started
