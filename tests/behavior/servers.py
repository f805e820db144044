"""Servers for tests of endpoints, on 127.0.0.1 and a free port: a script, one with a hidden prompt, a real one.

Nothing here knows the client: the first two speak the OpenAI-compatible format written by hand, the third is
`transformers serve`.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

Step = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Request:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Scripted:
    """A running server: `url` ends in /v1, `requests` are those received so far."""

    url: str
    requests: list[Request] = field(default_factory=list)

    @property
    def asked(self) -> list[str]:
        """Paths of the requests, in order."""
        return [one.path for one in self.requests]


@contextmanager
def scripted(*steps: Step, models: Sequence[str] | None = ("tiny",), port: int = 0) -> Iterator[Scripted]:
    """A server that answers its POST requests with one step after the other (the last one again and again).

    `GET /v1/models` lists `models`, or is not there where None. `port` 0 is a free one.
    """
    state = Scripted("")

    def play(handler: BaseHTTPRequestHandler, body: Any) -> None:
        state.requests.append(Request(handler.command, handler.path, dict(handler.headers), body))
        if handler.command == "GET":
            listing: Any = {"object": "list", "data": [{"id": name, "object": "model"} for name in models or ()]}
            (answer(404, {"detail": "Not Found"}) if models is None else answer(200, listing))(handler)
            return
        posts = sum(one.method == "POST" for one in state.requests)
        steps[min(posts, len(steps)) - 1](handler)

    with serving(play, port) as url:
        state.url = url
        yield state


@contextmanager
def with_hidden_prompt(
    count: Callable[[str], int], render: Callable[[Sequence[Mapping[str, str]]], str], hidden: str | None,
    raw: Callable[[str], int] | None = None, model: str = "tiny",
) -> Iterator[str]:  # fmt: skip
    """A server that silently puts a system message `hidden` before every conversation, as a server's settings may do.

    It counts the tokens of what it really reads; `raw` counts those of raw prompts where that differs.
    """

    def play(handler: BaseHTTPRequestHandler, body: Any) -> None:
        if handler.command == "GET":
            answer(200, {"object": "list", "data": [{"id": model}]})(handler)
            return
        if handler.path.endswith("/chat/completions"):
            first = [{"role": "system", "content": hidden}] if hidden is not None else []
            text = render([*first, *body["messages"]])
            answer(200, chat_reply("hello", prompt_tokens=count(text)))(handler)
        else:
            answer(200, completion_reply("hello", prompt_tokens=(raw or count)(body["prompt"])))(handler)

    with serving(play) as url:
        yield url


def answer(status: int, body: Any, headers: Mapping[str, str] | None = None, kind: str = "application/json") -> Step:
    """A step: one whole response; `body` is bytes as they are, or anything JSON can write."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()

    def step(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **(headers or {})}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(data)

    return step


def stream(*data: Any, promised: int | None = None) -> Step:
    """A step: server-sent events, then the connection is closed; `promised` bytes are announced, however many come."""
    body = b"".join(b"data: " + (one if isinstance(one, bytes) else json.dumps(one).encode()) + b"\n\n" for one in data)
    headers = {} if promised is None else {"Content-Length": str(promised)}

    def step(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        for name, value in {"Content-Type": "text/event-stream; charset=utf-8", **headers}.items():
            handler.send_header(name, value)
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(body)
        handler.close_connection = True

    return step


def endless(handler: BaseHTTPRequestHandler) -> None:
    """A step: a response that never ends, until the client has had enough."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Connection", "close")
    handler.end_headers()
    for _ in range(4096):  # bounded, should the client never stop
        handler.wfile.write(b" " * (1 << 16))


def silent(released: threading.Event) -> Step:
    """A step: nothing at all until `released` (at most 20 s), then the connection is closed."""

    def step(handler: BaseHTTPRequestHandler) -> None:
        released.wait(20)
        handler.close_connection = True

    return step


def dripping(released: threading.Event) -> Step:
    """A step: a stream that sends a comment now and then and never says anything."""

    def step(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Connection", "close")
        handler.end_headers()
        while not released.wait(0.02):
            handler.wfile.write(b": still here\n\n")

    return step


def chat_reply(text: str | None, prompt_tokens: int | None = 7, reason: str = "stop", **message: Any) -> dict[str, Any]:
    """A body of /chat/completions."""
    usage = {} if prompt_tokens is None else {"usage": {"prompt_tokens": prompt_tokens, "completion_tokens": 3}}
    inner = {"role": "assistant", "content": text, **message}
    return {"id": "1", "choices": [{"index": 0, "message": inner, "finish_reason": reason}], **usage}


def completion_reply(text: str, prompt_tokens: int = 7, reason: str = "stop") -> dict[str, Any]:
    """A body of /completions."""
    choice = {"index": 0, "text": text, "finish_reason": reason}
    return {"id": "1", "choices": [choice], "usage": {"prompt_tokens": prompt_tokens, "completion_tokens": 3}}


def chunk(text: str | None = None, reason: str | None = None, **delta: Any) -> dict[str, Any]:
    """One event of a streamed chat."""
    inner = {**({} if text is None else {"content": text}), **delta}
    return {"id": "1", "choices": [{"index": 0, "delta": inner, "finish_reason": reason}]}


@contextmanager
def transformers_serve(folder: Path, log: Path, seconds: float = 120.0) -> Iterator[str]:
    """`transformers serve` in a process group of its own, pinned to the model in `folder`; gives its URL with /v1.

    Skips the test where the program is not installed; fails when it is not ready in time.
    """
    program = Path(sys.executable).with_name("transformers")
    if not program.exists():
        pytest.skip("the program `transformers` is not installed beside Python")
    settings = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(log.parent / "hub"), "OMP_NUM_THREADS": "1"}
    port = free_port()
    words = [program, "serve", folder, "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    with running(words, settings, log, port, "/health", seconds):
        yield f"http://127.0.0.1:{port}/v1"


@contextmanager
def running(
    words: Sequence[str | Path], settings: Mapping[str, str], log: Path, port: int, health: str, seconds: float
) -> Iterator[None]:
    """A server in a process group of its own, from when it answers at `health` on; fails when that takes too long."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            words, env={**os.environ, **settings}, stdout=out, stderr=subprocess.STDOUT, cwd=log.parent,
            start_new_session=True,
        )  # fmt: skip
        try:
            until = time.monotonic() + seconds
            while not _healthy(port, health):
                if process.poll() is not None or time.monotonic() > until:
                    text = log.read_text(errors="replace")[-2000:]
                    pytest.fail(f"{words[0]} did not come up (exit status {process.poll()}):\n{text}")
                time.sleep(0.25)
            yield
        finally:
            for strength in (signal.SIGTERM, signal.SIGKILL):
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, strength)
                with suppress(subprocess.TimeoutExpired):
                    process.wait(10)
                    break


def _healthy(port: int, health: str) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", health)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(play: Callable[[BaseHTTPRequestHandler, Any], None], port: int = 0) -> Iterator[str]:
    """Serve with `play(handler, parsed body)` from a thread; gives the URL with /v1."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._play(None)

        def do_POST(self) -> None:
            self._play(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _play(self, body: Any) -> None:
            try:
                play(self, body)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
