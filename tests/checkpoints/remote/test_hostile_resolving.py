"""Hubs that are busy, or send in circles, before a byte of weights is asked for; answers that never come to an end."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.remote import asking, http
from modelprov.checkpoints.types import Checkpoint
from modelprov.errors import NoRangesError, UnreachableError
from tests.checkpoints.remote.hub import Hub, Request
from tests.factories import write_checkpoint

WEIGHTS = "model.safetensors"
BUSY = (429, {"Retry-After": "3"})


@pytest.fixture
def opened(hub: Hub, tmp_path: Path) -> Checkpoint:
    """A repository whose header was read."""
    values = np.random.default_rng(0).normal(size=(300, 400)).astype(np.float32)
    hub.add("org/model", write_checkpoint(tmp_path / "model", {"w": values}))
    return open_checkpoint("org/model")


def tensor(checkpoint: Checkpoint) -> bytes:
    ref = checkpoint.tensors["w"]
    return b"".join(bytes(piece) for _, piece in checkpoint.source.read_ranges([(0, ref.start, ref.stop)]))


def right(hub: Hub, checkpoint: Checkpoint) -> bytes:
    ref = checkpoint.tensors["w"]
    return bytes(hub.repositories["org/model"][WEIGHTS][ref.start : ref.stop])


@pytest.mark.parametrize("headers", [{"Retry-After": "3"}, {"RateLimit": '"resolvers";r=0;t=3'}, {}])
def test_a_hub_that_limits_questions_is_waited_for(
    hub: Hub, opened: Checkpoint, waits: list[float], headers: dict[str, str]
) -> None:
    hub.refusals = [(429, headers), (503, {}), (429, headers)]
    again = open_checkpoint("org/model")
    assert tensor(again) == right(hub, opened)
    assert len(waits) == 3
    if headers:
        assert 3 <= waits[0] < 4.1


@pytest.mark.usefixtures("opened")
def test_a_hub_that_stays_busy_ends_the_run_in_words(hub: Hub) -> None:
    hub.refusals = [BUSY] * 50
    with pytest.raises(UnreachableError, match="429") as caught:
        open_checkpoint("org/model")
    assert caught.value.advice
    assert 50 - len(hub.refusals) == asking.TRIES


def test_a_location_is_asked_for_again_when_the_hub_was_busy_in_mid_run(
    hub: Hub, opened: Checkpoint, waits: list[float]
) -> None:
    hub.good += 1  # the signed location has expired
    hub.refusals = [BUSY, BUSY]
    assert tensor(opened) == right(hub, opened)
    assert len(waits) == 2


@pytest.mark.parametrize("target", ["/org/model/resolve/main/model.safetensors", "https://127.0.0.1:1/x"])
def test_a_hub_that_sends_in_circles_or_nowhere_ends_in_words(hub: Hub, opened: Checkpoint, target: str) -> None:
    hub.good += 1
    hub.refusals = [(302, {"Location": target})] * 200
    with pytest.raises(UnreachableError) as caught:
        tensor(opened)
    assert caught.value.advice
    assert len(hub.refusals) > 100  # it was not asked for ever


def test_crumbs_end(hub: Hub, opened: Checkpoint) -> None:
    def crumb(request: Request) -> bool:
        span = f"bytes {request.start}-{request.start}/{len(request.content)}"
        return request.answer(206, {"Content-Range": span}, request.content[request.start : request.start + 1])

    hub.fault = crumb
    with pytest.raises(UnreachableError, match="1 bytes at a time"):
        tensor(opened)


def test_a_body_that_is_longer_than_was_asked_for_is_cut_and_its_connection_not_used_again(
    hub: Hub, opened: Checkpoint
) -> None:
    def long(request: Request) -> bool:
        span = f"bytes {request.start}-{request.stop - 1}/{len(request.content)}"
        body = request.content[request.start : request.stop] + b"HTTP/1.1 206 OK\r\n" * 100
        return request.answer(206, {"Content-Range": span}, body)

    hub.fault = long
    assert tensor(opened) == right(hub, opened)
    hub.fault = None
    ref = opened.tensors["w"]
    found = [bytes(piece) for _, piece in opened.source.read_ranges([(0, ref.start + 8, ref.start + 800)])]
    assert found == [right(hub, opened)[8:800]]


def test_an_answer_that_stops_in_the_middle_is_gone_on_with(
    hub: Hub, opened: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "TIMEOUT", http.urllib3.Timeout(connect=5, read=0.3))
    monkeypatch.setattr(http, "_pools", type(http._pools)())
    left = [1]

    def stalled(request: Request) -> bool:
        if not left:
            return False
        left.pop()
        handler: Any = request.handler
        span = f"bytes {request.start}-{request.stop - 1}/{len(request.content)}"
        handler.send_response(206)
        handler.send_header("Content-Range", span)
        handler.send_header("Content-Length", str(request.stop - request.start))
        handler.end_headers()
        handler.wfile.write(request.content[request.start : request.start + 100_000])
        handler.wfile.flush()
        time.sleep(1)
        handler.close_connection = True
        return True

    hub.fault = stalled
    assert tensor(opened) == right(hub, opened)
    assert not left


def test_a_body_without_a_length_that_is_not_a_range_is_refused(hub: Hub, opened: Checkpoint) -> None:
    def endless(request: Request) -> bool:
        handler: Any = request.handler
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"10\r\n" + b"x" * 16 + b"\r\n")
        handler.close_connection = True
        return True

    hub.fault = endless
    with pytest.raises(NoRangesError):
        tensor(opened)
