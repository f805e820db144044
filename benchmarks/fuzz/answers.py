"""Readers of what servers answer: of weights, and of chats; no socket is opened."""

from __future__ import annotations

from contextlib import suppress
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any


def served(folder: Path) -> None:
    """An answer of a server of weights: a line with its status, headers, an empty line, the body."""
    import urllib3

    from modelprov.checkpoints.remote import asking, http

    head, _, body = (folder / "answer").read_bytes().partition(b"\n\n")
    status, *lines = head.decode("latin-1").split("\n")
    headers = urllib3.HTTPHeaderDict()
    for line in lines[:100]:
        name, _, value = line.partition(":")
        headers.add(name or "x", value.strip())
    code = int(status) if status.isascii() and status.isdigit() and len(status) == 3 else 200

    def request(*_: Any, **__: Any) -> urllib3.HTTPResponse:
        return urllib3.HTTPResponse(BytesIO(body), headers, code, preload_content=False)

    kept = http._pool, asking.pause
    http._pool, asking.pause = (lambda: SimpleNamespace(request=request)), (lambda _: None)  # type: ignore[assignment]
    try:
        with suppress(http.RefusedRequestError, http.BrokenAnswerError):  # for the store, which knows what they mean
            asking.fetch(asking.File("https://a.b/c", 64, lambda _: http.Address("https://a.b/c")), 8, 24)
    finally:
        http._pool, asking.pause = kept


def endpoint(folder: Path) -> None:
    """The body of an endpoint's answer, read as each that it may be."""
    from modelprov.behavior.probing import endpoint_replies as replies
    from modelprov.errors import EndpointError

    body = (folder / "answer").read_bytes()
    for read in (replies.reply_from_body, replies.reply_from_stream, replies.models_from_body, replies.server_words):
        with suppress(EndpointError):
            read(body)
