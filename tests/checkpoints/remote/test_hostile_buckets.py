"""Object stores that ignore ranges, cut bodies, refuse or change what they hold, each imitated in a few lines."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.remote import buckets
from modelprov.checkpoints.types import Checkpoint
from modelprov.errors import ChangedFileError, ModelprovError, NoRangesError, TokenRejectedError, UnreachableError
from tests.factories import write_checkpoint

NAME = "models/m/model.safetensors"
LISTED = (
    '<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>m/model.safetensors</Key>'
    "<LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;e1&quot;</ETag><Size>{size}</Size></Contents>"
    "</ListBucketResult>"
)
Fault = Callable[[Any, int, int, bytes], None]


class Bucket:
    """One object, and what answers a range of it; None for the truth."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.fault: Fault | None = None
        self.refuses = False
        self.asked = 0


class Handler(BaseHTTPRequestHandler):
    """Lists the object, and answers ranges of it."""

    protocol_version = "HTTP/1.1"
    state: Bucket

    def log_message(self, *_: Any) -> None: ...

    def send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content_Length": str(len(body)), "ETag": '"e1"', **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if self.state.refuses:
            self.send(403, b"<Error><Code>AccessDenied</Code></Error>")
        elif found is None:
            self.send(200, LISTED.format(size=len(self.state.content)).encode(), Content_Type="application/xml")
        else:
            self.state.asked += 1
            start, stop = int(found[1]), int(found[2]) + 1
            (self.state.fault or truth)(self, start, stop, self.state.content)


def truth(handler: Any, start: int, stop: int, content: bytes) -> None:
    handler.send(206, content[start:stop], Content_Range=f"bytes {start}-{stop - 1}/{len(content)}")


def whole(handler: Any, _start: int, _stop: int, content: bytes) -> None:
    """Ignores Range."""
    handler.send(200, content)


def other(handler: Any, start: int, stop: int, content: bytes) -> None:
    """Bytes of another place."""
    handler.send(206, content[: stop - start], Content_Range=f"bytes 0-{stop - start - 1}/{len(content)}")


def short(handler: Any, start: int, stop: int, content: bytes) -> None:
    """Fewer bytes than asked for, said honestly."""
    handler.send(206, content[start : stop - 9], Content_Range=f"bytes {start}-{stop - 10}/{len(content)}")


def nameless(handler: Any, start: int, stop: int, content: bytes) -> None:
    """206 that does not say which bytes these are."""
    handler.send(206, content[start:stop])


def grown(handler: Any, start: int, stop: int, content: bytes) -> None:
    """The object is larger than it was."""
    handler.send(206, content[start:stop], Content_Range=f"bytes {start}-{stop - 1}/{len(content) + 7}")


def replaced(handler: Any, _start: int, _stop: int, _content: bytes) -> None:
    """If-Match no longer holds."""
    handler.send(412, b"<Error><Code>PreconditionFailed</Code></Error>")


def denied(handler: Any, _start: int, _stop: int, _content: bytes) -> None:
    """Credentials that ended in mid-run."""
    handler.send(403, b"<Error><Code>ExpiredToken</Code></Error>")


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    from huggingface_hub import constants

    values = np.random.default_rng(0).normal(size=(300, 400)).astype(np.float32)
    state = Bucket((write_checkpoint(tmp_path / "m", {"w": values}) / "model.safetensors").read_bytes())
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Own", (Handler,), {"state": state}))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    settings = {
        "AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing", "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT": f"http://127.0.0.1:{server.server_port}", "AWS_ALLOW_HTTP": "true", "NO_PROXY": "127.0.0.1",
        "MODELPROV_CACHE": str(tmp_path / "ranges"),
    }  # fmt: skip
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    buckets._store.cache_clear()
    yield state
    server.shutdown()
    server.server_close()


def tensor(checkpoint: Checkpoint) -> bytes:
    ref = checkpoint.tensors["w"]
    return b"".join(bytes(piece) for _, piece in checkpoint.source.read_ranges([(0, ref.start, ref.stop)]))


@pytest.mark.parametrize(
    ("fault", "kinds"),
    [
        (whole, (NoRangesError, UnreachableError)), (other, (NoRangesError, UnreachableError)),
        (nameless, (NoRangesError, UnreachableError)), (short, (NoRangesError, UnreachableError)),
        (grown, ChangedFileError), (replaced, ChangedFileError), (denied, TokenRejectedError),
    ],
)  # fmt: skip
def test_what_a_store_sends_wrongly_never_becomes_weights(
    bucket: Bucket, fault: Fault, kinds: type[ModelprovError]
) -> None:
    opened = open_checkpoint("s3://models/m")
    bucket.fault = fault
    with pytest.raises(kinds) as caught:
        tensor(opened)
    assert "m/model.safetensors" in caught.value.message
    assert caught.value.advice


@pytest.mark.parametrize("status", [429, 503])
def test_a_store_that_is_busy_is_asked_again(bucket: Bucket, status: int) -> None:
    opened = open_checkpoint("s3://models/m")
    asked = bucket.asked

    def busy(handler: Any, start: int, stop: int, content: bytes) -> None:
        if bucket.asked == asked + 1:
            handler.send(status, b"<Error><Code>SlowDown</Code></Error>")
        else:
            truth(handler, start, stop, content)

    bucket.fault = busy
    ref = opened.tensors["w"]
    assert tensor(opened) == bucket.content[ref.start : ref.stop]
    assert bucket.asked == asked + 2


def test_a_body_of_a_store_that_is_cut_is_whole_or_an_error(bucket: Bucket) -> None:
    opened = open_checkpoint("s3://models/m")
    asked = bucket.asked

    def cut(handler: Any, start: int, stop: int, content: bytes) -> None:
        if bucket.asked > asked + 1:
            truth(handler, start, stop, content)
            return
        handler.send_response(206)
        handler.send_header("Content-Length", str(stop - start))
        handler.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(content)}")
        handler.send_header("ETag", '"e1"')
        handler.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        handler.end_headers()
        handler.wfile.write(content[start : (start + stop) // 2])
        handler.close_connection = True

    bucket.fault = cut
    ref = opened.tensors["w"]
    assert tensor(opened) == bucket.content[ref.start : ref.stop]


def test_credentials_that_may_not_list_are_said(bucket: Bucket) -> None:
    bucket.refuses = True
    with pytest.raises(TokenRejectedError, match="may not read"):
        open_checkpoint("s3://models/m")
