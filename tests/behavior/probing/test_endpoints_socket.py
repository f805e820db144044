"""Whatever a server drips, one try ends within its time and its bytes: limits on the socket, below HTTP."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from modelprov.behavior.probing import endpoint_exchange
from modelprov.behavior.probing.endpoint_socket import _Backend
from modelprov.behavior.probing.endpoints import Endpoint
from modelprov.errors import EndpointError
from tests.behavior.probing.endpoint_asking import Waits, ask, failure
from tests.behavior.servers import chat_reply

Send = Callable[[bytes], None]
SECONDS = 1.0
ENDLESS = 60.0
"""Seconds by which a try without a limit would still go on, on a slow machine too."""
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@contextmanager
def raw(play: Callable[[Send], None], *, reads: bool = True) -> Iterator[str]:
    """A server that reads a request (or not) and sends bytes as `play` says, until the client has gone."""
    listener = socket.create_server(("127.0.0.1", 0))
    stopped = threading.Event()

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=answer, args=(connection,), daemon=True).start()

    def answer(connection: socket.socket) -> None:
        def send(data: bytes) -> None:
            if stopped.is_set():
                raise OSError
            connection.sendall(data)

        with connection, suppress(OSError):
            if reads:
                connection.recv(1 << 20)
            play(send)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    finally:
        stopped.set()
        listener.close()


def slowly(*, first: bytes, again: bytes) -> Callable[[Send], None]:
    def play(send: Send) -> None:
        send(first)
        while True:
            time.sleep(0.02)
            send(again)

    return play


def fast(*, first: bytes, again: bytes) -> Callable[[Send], None]:
    def play(send: Send) -> None:
        send(first)
        while True:
            send(again)

    return play


DRIPS = {
    "a status line, byte by byte": slowly(first=b"HTTP/1.1 ", again=b"2"),
    "one endless header": slowly(first=OK + b"X-A: ", again=b"a"),
    "headers": slowly(first=OK, again=b"X-A: a\r\n"),
    "100 Continue": slowly(first=b"", again=b"HTTP/1.1 100 Continue\r\n\r\n"),
    "103 Early Hints": slowly(first=b"", again=b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
    "a chunk extension": slowly(first=CHUNKED + b"1;a=", again=b"b"),
    "chunks with extensions": slowly(first=CHUNKED, again=b"1;a=b\r\n \r\n"),
    "trailers": slowly(first=CHUNKED + b"0\r\n", again=b"X-A: a\r\n"),
    "a body": slowly(first=OK + b"Content-Length: 1000000\r\n\r\n", again=b" "),
    "empty gzip blocks": slowly(
        first=OK + b"Content-Encoding: gzip\r\nContent-Length: 1000000\r\n\r\n" + gzip.compress(b"")[:10],
        again=b"\x00\x00\x00\xff\xff",
    ),
    "empty lines": slowly(first=b"", again=b"\r\n"),
}


@pytest.mark.parametrize("name", DRIPS)
def test_the_time_of_a_try_holds_whatever_is_dripped(name):
    with raw(DRIPS[name]) as url:
        began = time.monotonic()
        failure(url, Waits(), timeout=SECONDS, retries=0)
        assert time.monotonic() - began < ENDLESS


@pytest.mark.parametrize(
    "again",
    [b"HTTP/1.1 100 Continue\r\n\r\n" * 500, b"HTTP/1.1 103 Early Hints\r\nA: " + b"a" * 4000 + b"\r\n\r\n"],
    ids=["100 Continue", "103 Early Hints"],
)
def test_bytes_before_the_answer_are_counted(monkeypatch, again):
    monkeypatch.setattr(endpoint_exchange, "MAX_RESPONSE", 1 << 20)
    with raw(fast(first=b"", again=again)) as url:
        began = time.monotonic()
        error = failure(url, Waits(), timeout=2 * ENDLESS, retries=0)
        assert time.monotonic() - began < ENDLESS
    assert "more than 1 MB" in error.message


def test_bytes_of_chunks_that_hold_next_to_nothing_are_counted(monkeypatch):
    monkeypatch.setattr(endpoint_exchange, "MAX_RESPONSE", 1 << 20)
    with raw(fast(first=CHUNKED, again=(b"1;" + b"a" * 1000 + b"\r\n \r\n") * 10)) as url:
        assert "more than 1 MB" in failure(url, Waits(), timeout=2 * ENDLESS, retries=0).message


@pytest.mark.parametrize(
    "encoding", ["gzip", "GZIP", "deflate", "br", "zstd", "gzip, gzip", "x-gzip", "identity, gzip"]
)
def test_an_answer_that_is_compressed_unasked_is_refused_and_not_unpacked(encoding):
    bomb = gzip.compress(gzip.compress(b" " * (64 << 20)))
    head = OK + f"Content-Encoding: {encoding}\r\nContent-Length: {len(bomb)}\r\n\r\n".encode()
    with raw(lambda send: send(head + bomb)) as url:
        error = failure(url, Waits(), timeout=10.0)
    assert "encoding" in error.message
    assert "compression" in error.advice
    assert not error.passing


def test_a_server_that_does_not_read_the_request_costs_no_more_time():
    long = [{"role": "user", "content": "x" * (32 << 20)}]
    with (
        raw(lambda _: time.sleep(2 * ENDLESS), reads=False) as url,
        Endpoint(url, "tiny", timeout=SECONDS, retries=0) as endpoint,
    ):
        began = time.monotonic()
        with pytest.raises(EndpointError, match="did not answer within"):
            endpoint.chat(long, temperature=0.0, max_tokens=1)
        assert time.monotonic() - began < ENDLESS


def test_an_honest_answer_in_small_pieces_arrives_whole_and_connections_are_used_again():
    body = json.dumps(chat_reply("I am Nex.")).encode()

    def play(send: Send) -> None:
        send(CHUNKED)
        for byte in body:
            send(b"1;why=not\r\n" + bytes([byte]) + b"\r\n")
        send(b"0\r\n\r\n")

    with raw(play) as url:
        for _ in range(2):
            assert ask(url, Waits(), timeout=30.0).text == "I am Nex."


def test_every_transport_of_the_client_is_watched(monkeypatch):
    """Httpx offers no public way to do it: where a new release moves things, this test says so."""
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with Endpoint("https://a.example/v1", "tiny") as endpoint:
        transports = [each for each in (endpoint._client._transport, *endpoint._client._mounts.values()) if each]
        assert len(transports) > 1
        assert all(isinstance(each._pool._network_backend, _Backend) for each in transports)
