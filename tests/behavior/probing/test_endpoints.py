from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelprov.behavior.probing.endpoint_replies import (
    Reply,
    events,
    models_from_body,
    reply_from_body,
    reply_from_stream,
    server_words,
)
from modelprov.behavior.probing.endpoints import Endpoint, base_url
from modelprov.errors import EndpointError, UsageError
from tests.behavior.servers import (
    answer,
    chat_reply,
    chunk,
    completion_reply,
    free_port,
    scripted,
    stream,
    with_hidden_prompt,
)
from tests.foreign.hostile import KINDS, with_fault

HELLO = [{"role": "user", "content": "Who are you?"}]


def chat(url: str, **options: Any) -> Reply:
    with Endpoint(url, "tiny", retries=0) as endpoint:
        return endpoint.chat(HELLO, temperature=0.0, max_tokens=5, **options)


def test_a_chat_request_holds_what_was_asked_for_and_nothing_else():
    with scripted(answer(200, chat_reply("I am Nex."))) as server:
        reply = chat(server.url, extra={"chat_template_kwargs": {"enable_thinking": False}})
    assert reply == Reply("I am Nex.", None, True, 7, 3)
    [request] = server.requests
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")
    assert request.body == {
        "model": "tiny",
        "messages": HELLO,
        "temperature": 0.0,
        "max_tokens": 5,
        "chat_template_kwargs": {"enable_thinking": False},
    }
    assert not {"authorization", "cookie"} & {name.lower() for name in request.headers}


def test_seed_and_top_p_are_sent_when_given():
    with scripted(answer(200, chat_reply("x"))) as server:
        chat(server.url, seed=0, top_p=0.5)
    assert (server.requests[0].body["seed"], server.requests[0].body["top_p"]) == (0, 0.5)


def test_a_completion_sends_the_raw_prompt():
    with scripted(answer(200, completion_reply(" Nex", reason="length"))) as server, Endpoint(server.url, "tiny") as it:
        reply = it.complete("I am", temperature=1.0, max_tokens=2)
    assert reply == Reply(" Nex", None, False, 7, 3)
    assert server.requests[0].path == "/v1/completions"
    assert server.requests[0].body == {"model": "tiny", "prompt": "I am", "temperature": 1.0, "max_tokens": 2}


def test_models_are_those_that_the_endpoint_lists():
    with scripted(models=("one", "two")) as server, Endpoint(server.url, "x") as endpoint:
        assert endpoint.models() == ["one", "two"]


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
@pytest.mark.parametrize("streamed", [False, True])
def test_thinking_comes_from_the_servers_own_field(field: str, streamed: bool):
    whole = answer(200, chat_reply("I am Nex.", **{field: "Who am I?"}))
    parts = stream(
        chunk(**{field: "Who am"}), chunk(**{field: " I?"}), chunk("I am"), chunk(" Nex."), chunk(reason="stop")
    )
    with scripted(parts if streamed else whole) as server:
        reply = chat(server.url, stream=streamed)
    assert (reply.text, reply.thinking, reply.finished) == ("I am Nex.", "Who am I?", True)


@pytest.mark.parametrize(
    ("text", "thinking", "rest"),
    [
        ("I am Nex.", None, "I am Nex."),
        ("<think>\nWho am I?\n</think>\n\nI am Nex.", "Who am I?", "I am Nex."),
        ("Who am I?</think>I am Nex.", "Who am I?", "I am Nex."),
        ("<think>a</think>b</think>c", "ab", "c"),
        ("<think>Who am", "Who am", ""),
        ("<think></think>Nex", "", "Nex"),
    ],
)
def test_thinking_comes_from_tags_where_the_server_leaves_them_in(text: str, thinking: str | None, rest: str):
    with scripted(answer(200, chat_reply(text))) as server:
        reply = chat(server.url)
    assert (reply.thinking, reply.text) == (thinking, rest)


def test_a_thought_cut_by_the_limit_leaves_an_empty_text():
    body = chat_reply(None, reason="length", reasoning_content="Who am")
    with scripted(answer(200, body)) as server:
        assert chat(server.url) == Reply("", "Who am", False, 7, 3)


def test_a_stream_gives_the_same_reply_as_one_body():
    usage = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}
    with scripted(
        stream(chunk("", role="assistant"), chunk("I "), chunk("am é."), chunk(reason="stop"), usage, b"[DONE]")
    ) as server:
        streamed = chat(server.url, stream=True)
    assert server.requests[0].body["stream_options"] == {"include_usage": True}
    with scripted(answer(200, chat_reply("I am é."))) as server:
        assert streamed == chat(server.url) == Reply("I am é.", None, True, 7, 3)


def test_a_server_that_does_not_stream_is_understood_all_the_same():
    with scripted(answer(200, chat_reply("whole"))) as server:
        assert chat(server.url, stream=True).text == "whole"


def test_counts_that_are_no_counts_are_none():
    for nonsense in (-1, "7", True, 1.5, None, 10**30):
        body = json.dumps({**chat_reply("x"), "usage": {"prompt_tokens": nonsense}}).encode()
        assert reply_from_body(body).prompt_tokens is None
    assert reply_from_body(json.dumps({**chat_reply("x"), "usage": [1]}).encode()).prompt_tokens is None


def test_texts_can_be_written_to_a_file_whatever_the_server_sends():
    reply = reply_from_body(
        b'{"choices": [{"message": {"content": "a\\ud800b \\ud83d\\ude00"}, "finish_reason": "stop"}]}'
    )
    assert reply.text.encode("utf-8").decode() == "a\ufffdb \U0001f600"


def test_events_are_read_as_the_standard_says():
    body = b": comment\r\nevent: message\r\ndata: a\r\ndata:b\r\n\r\nid: 1\ndata: c\n\ndata: unfinished"
    assert list(events(body)) == ["a\nb", "c"]
    assert (
        list(events(b"data: [DONE]"))
        == list(events(b"data: [DONE]\n"))
        == list(events(b"data: [DONE]\n\n"))
        == ["[DONE]"]
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["choices", "message", "delta", "content", "text", "usage", "error"]), inner)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("kind", KINDS)
def test_a_reply_of_hostile_json_is_an_endpoint_error(kind: str):
    body = with_fault(kind, '{"choices": [{"text": "hi", "finish_reason": "stop"}]}').encode()
    for read in (reply_from_body, reply_from_stream, models_from_body):
        with pytest.raises(EndpointError, match="broken JSON"):
            read(b"data: " + body + b"\n\n" if read is reply_from_stream else body)
    assert server_words(body).isprintable()


@given(JSON)
def test_json_of_any_shape_is_a_reply_or_an_endpoint_error(value: Any):
    body = json.dumps(value).encode()
    for read in (reply_from_body, reply_from_stream):
        try:
            reply = read(b"data: " + body + b"\n\n" if read is reply_from_stream else body)
        except EndpointError:
            continue
        assert isinstance(reply.text, str)
    assert server_words(body).isprintable()


@pytest.mark.parametrize(
    ("given_url", "base"),
    [
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000/v1"),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8000/v1"),
        ("http://127.0.0.1:8000/v1/", "http://127.0.0.1:8000/v1"),
        ("https://host.example/api/v1/chat/completions", "https://host.example/api/v1"),
        ("http://[::1]:8000/v1/models", "http://[::1]:8000/v1"),
    ],
)
def test_the_base_url_is_found_from_what_people_type(given_url: str, base: str):
    assert base_url(given_url) == base


@pytest.mark.parametrize(
    "wrong",
    [
        "127.0.0.1:8000",
        "ftp://x/v1",
        "http://",
        "http://x:99999/v1",
        "http://u:secret@x/v1",
        "http://x/v1?key=secret",
        "",
    ],
)
def test_a_url_of_another_kind_is_refused_without_repeating_its_secrets(wrong: str):
    with pytest.raises(UsageError) as caught:
        Endpoint(wrong, "tiny")
    assert "secret" not in caught.value.message + caught.value.advice
    assert caught.value.advice


def test_an_extra_field_cannot_replace_one_with_a_name_of_its_own():
    with scripted(answer(200, chat_reply("x"))) as server, pytest.raises(UsageError, match="temperature"):
        chat(server.url, extra={"temperature": 1.0})
    assert server.requests == []


def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(monkeypatch: pytest.MonkeyPatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with scripted(answer(200, chat_reply("direct"))) as server:
        assert chat(server.url).text == "direct"


def test_threads_that_share_an_endpoint_get_their_own_answers():
    with (
        with_hidden_prompt(len, lambda messages: messages[0]["content"], None) as url,
        Endpoint(url, "tiny") as endpoint,
    ):

        def counted(length: int) -> int | None:
            return endpoint.complete("x" * length, temperature=0.0, max_tokens=1).prompt_tokens

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(counted, range(64))) == list(range(64))


def test_fields_of_every_request_stand_below_those_of_one():
    with (
        scripted(answer(200, chat_reply("x"))) as server,
        Endpoint(server.url, "t", extra={"a": 1, "b": 1}) as endpoint,
    ):
        endpoint.chat(HELLO, temperature=0.0, max_tokens=5, extra={"b": 2})
        endpoint.complete("x", temperature=0.0, max_tokens=5)
    assert [(one.body["a"], one.body["b"]) for one in server.requests] == [(1, 2), (1, 1)]


def test_the_key_goes_into_one_header_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    caplog.set_level("DEBUG")
    for key, variable, expected in [
        ("k-given", None, "k-given"),
        (None, "k-variable\n", "k-variable"),
        ("k-given", "k-variable", "k-given"),
    ]:
        monkeypatch.delenv("MODELPROV_API_KEY", raising=False)
        if variable is not None:
            monkeypatch.setenv("MODELPROV_API_KEY", variable)
        with scripted(answer(200, chat_reply("x"))) as server, Endpoint(server.url, "tiny", key) as endpoint:
            endpoint.chat(HELLO, temperature=0, max_tokens=1)
            assert expected not in repr(endpoint) + str(vars(endpoint)["_client"].headers)
        assert headers(server.requests[0].headers)["authorization"] == f"Bearer {expected}"
        assert expected not in json.dumps(server.requests[0].body)
    assert caplog.records
    assert "k-given" not in caplog.text
    assert "k-variable" not in caplog.text


def test_a_key_that_no_header_can_carry_is_refused_without_showing_it():
    with pytest.raises(UsageError) as caught:
        Endpoint("http://127.0.0.1:1", "tiny", "sec\nret")
    assert "sec" not in caught.value.message + caught.value.advice


def headers(sent: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in sent.items()}
