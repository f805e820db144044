"""The key goes to its endpoint and nowhere else: not to another origin, and not back into what we write."""

from __future__ import annotations

import base64
import html
import json
import re
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelprov.behavior.evaluation.answering import Asking
from modelprov.behavior.evaluation.methods import plan
from modelprov.behavior.evaluation.served import evaluate_served
from modelprov.behavior.evaluation.tasks import load_task
from modelprov.behavior.probing import endpoint_exchange
from modelprov.behavior.probing.endpoint_key import Key
from modelprov.behavior.probing.endpoints import Endpoint
from tests.behavior.evaluation.test_run import Silent
from tests.behavior.probing.endpoint_asking import GOOD, Waits, ask, failure
from tests.behavior.servers import answer, chat_reply, chunk, scripted, stream


@pytest.fixture
def waits() -> Waits:
    return Waits()


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("key", ["k-1234", ""])
def test_refused_access_is_about_the_key_which_is_not_shown(status: int, key: str, waits: Waits):
    with scripted(answer(status, {"error": {"message": "bad key 'k-1234' given"}})) as server:
        error = failure(server.url, waits, key=key)
    assert "MODELPROV_API_KEY" in error.advice
    assert ("not accepted" in error.advice) == bool(key)
    assert ("k-1234" in error.message) == (not key)
    assert error.status == status
    assert server.asked == ["/v1/chat/completions"]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_to_another_origin_gets_neither_key_nor_prompt(status: int, waits: Waits):
    with (
        scripted(GOOD) as other,
        scripted(answer(status, b"", {"Location": f"{other.url}/chat/completions?token=s3"})) as server,
    ):
        error = failure(server.url, waits, key="k-1234")
    assert other.requests == []
    assert other.url.removesuffix("/v1") in error.message
    assert "s3" not in error.message
    assert waits == []


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_within_the_origin_is_followed_with_the_same_request(status: int, waits: Waits):
    with scripted(answer(status, b"", {"Location": "/other/chat"}), GOOD) as server:
        assert ask(server.url, waits, key="k-1234").text == "I am Nex."
    first, second = server.requests
    assert (second.method, second.path, second.body) == ("POST", "/other/chat", first.body)
    assert second.headers["Authorization"] == "Bearer k-1234"


@pytest.mark.parametrize("target", ["/v1/chat/completions", "http://[", "", "//", "http://\udcff"])
def test_redirects_that_lead_nowhere_end(target: str, waits: Waits):
    location = {"Location": target.encode("utf-8", "replace").decode("latin-1")}
    with scripted(answer(307, b"", location)) as server:
        failure(server.url, waits)
    assert len(server.requests) <= endpoint_exchange.MAX_REDIRECTS + 2


def test_a_redirect_that_would_lose_the_request_is_reported(waits: Waits):
    with scripted(answer(303, b"", {"Location": "/elsewhere"})) as server:
        error = failure(server.url, waits)
    assert "redirects (HTTP 303)" in error.message
    assert server.asked == ["/v1/chat/completions"]


KEY = "sk-Proj/3xAmple+K3y_0987~654321"
SPELLINGS = {
    "plain": KEY,
    "as a header": f"Authorization: Bearer {KEY}",
    "lower case": KEY.lower(),
    "a part": f"...{KEY[4:15]}...",
    "cut short": KEY[:20],
    "in JSON": json.dumps(KEY),
    "JSON escapes": "".join(f"\\u{ord(each):04x}" for each in KEY),
    "JSON in JSON": json.dumps(json.dumps({"a": KEY + '"'})),
    "escaped slash": KEY.replace("/", "\\/"),
    "escapes in JSON": json.dumps("".join(f"\\u{ord(each):04X}" for each in KEY)),
    "in a URL": quote(KEY, safe=""),
    "every character in a URL": "".join(f"%{ord(each):02x}" for each in KEY),
    "twice in a URL": quote(quote(KEY, safe=""), safe=""),
    "in HTML": "".join(f"&#{ord(each)};" for each in KEY),
    "in HTML, hexadecimal": "".join(f"&#x{ord(each):X};" for each in KEY),
    "as a program writes it": "".join(f"\\x{ord(each):02x}" for each in KEY),
    "base64": base64.b64encode(KEY.encode()).decode(),
    "base64 of the header": base64.b64encode(f"Bearer {KEY}".encode()).decode(),
    "base64 of a pair": base64.b64encode(f"user:{KEY}:more".encode()).decode(),
    "base64 for URLs": base64.urlsafe_b64encode(f"a:{KEY}".encode()).decode(),
    "base64 in a URL": quote(base64.b64encode(KEY.encode()).decode(), safe=""),
    "hexadecimal": KEY.encode().hex(),
}


def leaks(text: str) -> bool:
    """Whether eight characters of the key in a row, or eight of an encoding of it, can be read in the text."""
    readings = {text, html.unescape(text), unquote(text), unquote(unquote(text))}
    for reading in tuple(readings):
        readings.add(re.sub(r"\\+u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), reading))
        readings.add(re.sub(r"\\+x([0-9a-fA-F]{2})", lambda found: chr(int(found[1], 16)), reading))
        readings.add(reading.replace("\\", ""))
    secrets = [KEY, KEY.lower(), KEY.encode().hex()]
    secrets += [base64.b64encode(b"x" * shift + KEY.encode()).decode()[4:-4] for shift in range(3)]
    secrets += [base64.urlsafe_b64encode(b"x" * shift + KEY.encode()).decode()[4:-4] for shift in range(3)]
    return any(each[at : at + 8] in reading for reading in readings for each in secrets for at in range(len(each) - 7))


def everything(error: BaseException | None) -> str:
    """All that an exception and those behind it say."""
    said = ""
    while error is not None:
        said += f"{error!s} {error!r} {error.args} {vars(error)}"
        error = error.__cause__ or error.__context__
    return said


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("streamed", [False, True])
def test_the_key_does_not_come_back_in_an_answer_however_it_is_written(spelling: str, streamed: bool, waits: Waits):
    said = f"You sent {SPELLINGS[spelling]} to me."
    pieces = [chunk(said[at : at + 3], reasoning=said[at : at + 3]) for at in range(0, len(said), 3)]
    step = stream(*pieces, chunk(reason="stop")) if streamed else answer(200, chat_reply(said, reasoning=said))
    with scripted(step) as server:
        reply = ask(server.url, waits, key=KEY, stream=streamed)
    assert reply.text.startswith("You sent ")
    assert reply.text.endswith(" to me.")
    for text in (reply.text, reply.thinking or ""):
        assert "***" in text
        assert not leaks(text)


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("kind", ["detail", "text", "page", "cut", "long"])
def test_the_key_does_not_come_back_in_an_error_however_it_is_written(spelling: str, kind: str, waits: Waits):
    words = SPELLINGS[spelling]
    step = {
        "detail": answer(400, {"error": {"message": f"bad: {words}"}}),
        "text": answer(500, f"bad: {words}".encode(), kind="text/plain"),
        "page": answer(200, f"<html>{words}</html>".encode(), kind="text/html"),
        "cut": answer(200, f'{{"choices": "{words}'.encode()),
        "long": answer(400, {"detail": "x" * (300 - len(words) // 2) + words}),
    }[kind]
    with scripted(step) as server:
        error = failure(server.url, waits, key=KEY, retries=0)
    assert not leaks(everything(error))


@pytest.mark.parametrize("spelling", ["plain", "base64", "in a URL"])
def test_the_key_does_not_come_back_in_headers_models_and_redirects(spelling: str, waits: Waits, caplog):
    words = SPELLINGS[spelling]
    caplog.set_level("DEBUG")
    for step in (
        answer(400, {}, {"X-Echo": words, "Retry-After": words}),
        answer(307, b"", {"Location": f"https://{quote(words, safe='')}.example/{words}"}),
        answer(404, {"detail": "no such model"}),
    ):
        with scripted(step, models=(words, "other")) as server:
            assert not leaks(everything(failure(server.url, waits, key=KEY)))
    assert not leaks(caplog.text)


def test_a_broken_answer_that_holds_the_key_is_not_quoted(waits: Waits):
    def step(handler: Any) -> None:
        handler.wfile.write(f"HTTP/1.1 200 OK\r\n{KEY}\r\nAuthorization {KEY}: x\r\n\r\n".encode())
        handler.close_connection = True

    with scripted(step) as server:
        error = failure(server.url, waits, key=KEY, retries=0)
    assert not leaks(everything(error))


def test_the_key_does_not_reach_the_report_nor_the_log(tmp_path: Path):
    task, asking = load_task("sums", 3), Asking(log=tmp_path)
    conditions, notes = plan(("cot",), (), 1, {"top_k": 0})
    words = " ".join(SPELLINGS.values())
    with (
        scripted(answer(200, chat_reply(f"<think>{words}</think>{words} \\boxed{{1}}"))) as server,
        Endpoint(server.url, "tiny", KEY, retries=0) as endpoint,
    ):
        report = evaluate_served(endpoint, task, conditions, asking, Silent(), "c", notes)
        assert not leaks(repr(endpoint) + repr(vars(endpoint)))
    assert not leaks(report.model_dump_json())
    (log,) = tmp_path.iterdir()
    assert "***" in log.read_text()
    assert not leaks(log.read_text())


@pytest.mark.parametrize("key", ["", "x", "abc"])
def test_a_key_that_is_none_changes_no_answer(key: str, waits: Waits):
    with scripted(answer(200, chat_reply("abc x I am Nex."))) as server:
        assert ask(server.url, waits, key=key).text == "abc x I am Nex."


@given(st.text(max_size=200))
def test_a_text_without_the_key_is_left_as_it_is(text: str):
    assert Key("sk-0123456789abcdef").hide(text) == text
    assert Key("EMPTY").hide(text.replace("EMPTY", "")) == text.replace("EMPTY", "")


def test_megabytes_are_looked_through_in_seconds():
    text = ("0123456789abcdefghij-" * 400_000)[: 8 << 20]
    began = time.monotonic()
    Key("sk-0123456789abcdef").hide_in_bytes(("\\u0041%41&#65;" * 300_000).encode())
    assert "abcdef" not in Key("sk-0123456789abcdef").hide(text)
    assert time.monotonic() - began < 60
