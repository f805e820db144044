"""Servers that ignore ranges, cut bodies, ask to wait, redirect in circles, or change what they serve."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.remote import asking, cache
from modelprov.checkpoints.remote.traffic import TRAFFIC
from modelprov.checkpoints.types import Checkpoint
from modelprov.errors import (
    BudgetSpentError,
    ChangedFileError,
    ModelprovError,
    NoRangesError,
    RemoteNotFoundError,
    TokenRejectedError,
    UnreachableError,
    UsageError,
)
from tests.checkpoints.remote.hub import COMMIT, Hub, Request, digest
from tests.factories import write_checkpoint

WEIGHTS = "model.safetensors"


@pytest.fixture
def opened(hub: Hub, tmp_path: Path) -> Checkpoint:
    """A repository whose header was read; all that follows is asked for anew."""
    values = np.random.default_rng(0).normal(size=(300, 400)).astype(np.float32)
    hub.add("org/model", write_checkpoint(tmp_path / "model", {"w": values}))
    checkpoint = open_checkpoint("org/model")
    hub.seen.clear()
    return checkpoint


def tensor(checkpoint: Checkpoint) -> bytes:
    ref = checkpoint.tensors["w"]
    return b"".join(bytes(piece) for _, piece in checkpoint.source.read_ranges([(0, ref.start, ref.stop)]))


def hub_identity(hub: Hub) -> str:
    """What the cache knows the weights by."""
    return digest(hub.repositories["org/model"][WEIGHTS])


def right(hub: Hub, checkpoint: Checkpoint) -> bytes:
    ref = checkpoint.tensors["w"]
    return hub.repositories["org/model"][WEIGHTS][ref.start : ref.stop]


def once(send: Any) -> Any:
    """A fault that happens to the first request and to no other."""
    left = [1]

    def fault(request: Request) -> bool:
        return bool(left and left.pop() and send(request))

    return fault


def whole(request: Request) -> bool:
    """Ignores Range, as a plain server does."""
    return request.answer(200, body=request.content)


def cut(request: Request) -> bool:
    """Ends in the middle of the body."""
    span = f"bytes {request.start}-{request.stop - 1}/{len(request.content)}"
    request.handler.send_response(206)
    request.handler.send_header("Content-Range", span)
    request.handler.send_header("Content-Length", str(request.stop - request.start))
    request.handler.end_headers()
    request.handler.wfile.write(request.content[request.start : (request.start + request.stop) // 2])
    request.handler.close_connection = True
    return True


def dropped(request: Request) -> bool:
    """Hangs up without a word."""
    request.handler.close_connection = True
    return True


def short(request: Request) -> bool:
    """An honest answer with fewer bytes than were asked for."""
    stop = request.start + 1000
    span = f"bytes {request.start}-{stop - 1}/{len(request.content)}"
    return request.answer(206, {"Content-Range": span}, request.content[request.start : stop])


def other(request: Request) -> bool:
    """Bytes of another place."""
    span = f"bytes 0-{request.stop - request.start - 1}/{len(request.content)}"
    return request.answer(206, {"Content-Range": span}, request.content[: request.stop - request.start])


def nameless(request: Request) -> bool:
    """206 that does not say which bytes these are."""
    return request.answer(206, body=request.content[request.start : request.stop])


def grown(request: Request) -> bool:
    """The file is larger than it was."""
    span = f"bytes {request.start}-{request.stop - 1}/{len(request.content) + 7}"
    return request.answer(206, {"Content-Range": span}, request.content[request.start : request.stop])


def shrunk(request: Request) -> bool:
    """The file ends before."""
    return request.answer(416, {"Content-Range": "bytes */10"})


def packed(request: Request) -> bool:
    """A body in another encoding than asked for."""
    span = f"bytes {request.start}-{request.stop - 1}/{len(request.content)}"
    headers = {"Content-Range": span, "Content-Encoding": "gzip"}
    return request.answer(206, headers, request.content[request.start : request.stop])


def page(request: Request) -> bool:
    """The page of a login."""
    return request.answer(200, {"Content-Type": "text/html"}, b"<html>please log in</html>")


def round_and_round(request: Request) -> bool:
    """Redirects to itself."""
    return request.answer(302, {"Location": request.handler.path})


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (whole, NoRangesError), (other, NoRangesError), (nameless, NoRangesError), (packed, NoRangesError),
        (page, NoRangesError), (grown, ChangedFileError), (shrunk, ChangedFileError),
        (round_and_round, UnreachableError), (dropped, UnreachableError),
    ],
)  # fmt: skip
def test_an_answer_that_is_not_what_was_asked_for_never_becomes_weights(
    hub: Hub, opened: Checkpoint, fault: Any, kind: type[ModelprovError]
) -> None:
    hub.fault = fault
    with pytest.raises(kind) as caught:
        tensor(opened)
    assert WEIGHTS in caught.value.message
    assert caught.value.advice


@pytest.mark.parametrize("fault", [cut, dropped, short])
def test_what_breaks_off_is_asked_for_again_from_there(
    hub: Hub, opened: Checkpoint, waits: list[float], fault: Any
) -> None:
    hub.fault = once(fault)
    assert tensor(opened) == right(hub, opened)
    asked = [path for port, path, _ in hub.seen if port == "cdn"]
    assert len(asked) == 2
    assert len(waits) == (0 if fault is short else 1)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"RateLimit": '"resolvers";r=0;t=55'}, 55.0),
        ({"X-RateLimit-Reset": "12"}, 12.0),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({}, None),
    ],
)
def test_a_server_that_asks_to_wait_is_waited_for(
    hub: Hub, opened: Checkpoint, waits: list[float], headers: dict[str, str], wait: float | None
) -> None:
    hub.fault = once(lambda request: request.answer(429, headers))
    assert tensor(opened) == right(hub, opened)
    assert waits
    if wait is None:
        assert 0.1 < waits[0] < 1
    else:
        assert wait <= waits[0] < wait + 1.1


def test_a_server_that_asks_to_wait_for_hours_ends_the_run_in_words(hub: Hub, opened: Checkpoint) -> None:
    hub.fault = lambda request: request.answer(429, {"Retry-After": "7200"})
    with pytest.raises(UnreachableError, match=r"7,200 seconds"):
        tensor(opened)


def test_tries_end(hub: Hub, opened: Checkpoint, waits: list[float]) -> None:
    hub.fault = lambda request: request.answer(503)
    with pytest.raises(UnreachableError, match=r"status 503"):
        tensor(opened)
    assert hub.ranges() == asking.TRIES
    assert sum(waits) < 60


def test_a_location_that_expires_in_mid_run_is_asked_for_again(hub: Hub, opened: Checkpoint) -> None:
    tensor(opened)
    hub.good += 1
    ref = opened.tensors["w"]
    found = [bytes(piece) for _, piece in opened.source.read_ranges([(0, ref.start + 4, ref.start + 400)])]
    assert found == [right(hub, opened)[4:400]]


def test_a_location_that_is_refused_however_new_is_an_error(hub: Hub, opened: Checkpoint) -> None:
    hub.fault = lambda request: request.answer(403)
    with pytest.raises(TokenRejectedError, match="may not read"):
        tensor(opened)
    assert hub.ranges() == 1 + asking.RENEWALS


def test_a_commit_that_is_gone_or_moved_is_not_read_on(hub: Hub, opened: Checkpoint) -> None:
    tensor(opened)
    hub.good += 1
    hub.commits["org/model"] = COMMIT[::-1]
    with pytest.raises(RemoteNotFoundError):
        list(opened.source.read_ranges([(0, 1000, 2000)]))
    hub.commits["org/model"] = COMMIT
    hub.repositories["org/model"][WEIGHTS] += b"more"
    with pytest.raises(ChangedFileError):
        list(opened.source.read_ranges([(0, 1000, 2000)]))


def test_a_redirect_to_another_host_loses_the_token_and_one_away_from_the_web_is_refused(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "small").mkdir()
    hub.add("org/small", write_checkpoint(tmp_path / "small", {"w": np.zeros((4, 4), np.float32)}))
    hub.token = "hf_secret"
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    moved = hub.cdn + "/org/small/model.safetensors"
    hub.fault = lambda request: request.port == "hub" and request.answer(302, {"Location": moved})
    assert open_checkpoint("org/small").parameters == 16
    assert {token for port, _, token in hub.seen if port == "cdn"} == {None}
    monkeypatch.setenv("MODELPROV_CACHE", str(tmp_path / "empty"))
    for target in ("file:///etc/passwd", "ftp://host/x"):
        hub.fault = lambda request, target=target: request.port == "hub" and request.answer(302, {"Location": target})
        with pytest.raises(UnreachableError, match="not followed"):
            open_checkpoint("org/small")


def test_no_more_is_fetched_than_the_budget_allows(hub: Hub, opened: Checkpoint) -> None:
    with TRAFFIC.within(1000):
        list(opened.source.read_ranges([(0, 1000, 1500)]))
        with pytest.raises(BudgetSpentError):
            tensor(opened)
    assert tensor(opened) == right(hub, opened)


def test_what_was_fetched_is_not_fetched_again_by_another_process(hub: Hub, opened: Checkpoint) -> None:
    first = tensor(opened)
    hub.seen.clear()
    monkeyed = dict(cache._shared)
    cache._shared.clear()  # as a new process begins
    assert tensor(open_checkpoint("org/model")) == first
    assert hub.ranges() == 0
    cache._shared.update(monkeyed)


def test_a_run_that_broke_off_goes_on_where_it_stopped(hub: Hub, opened: Checkpoint) -> None:
    ranges = [(0, at, at + 100) for at in range(1000, 400_000, 40_000)]
    hub.fault = lambda request: request.start > 200_000 and request.answer(404)
    with pytest.raises(RemoteNotFoundError):
        list(opened.source.read_ranges(ranges))
    identity = hub_identity(hub)
    done = {start for _, start, stop in ranges if cache.shared_cache().get(identity, start, stop)}
    asked: list[int] = []
    hub.fault = lambda request: bool(asked.append(request.start))
    assert len(list(open_checkpoint("org/model").source.read_ranges(ranges))) == len(ranges)
    assert done
    assert not done & set(asked)


def test_a_piece_of_the_cache_that_was_changed_counts_as_none(hub: Hub, opened: Checkpoint, tmp_path: Path) -> None:
    tensor(opened)
    for path in (tmp_path / "ranges").glob("*/*"):
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
    hub.seen.clear()
    assert tensor(opened) == right(hub, opened)
    assert hub.ranges() == 1


def test_a_full_disk_costs_the_cache_and_nothing_else(
    hub: Hub, opened: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cache.os, "replace", full)
    before = {path.name for path in (tmp_path / "ranges").glob("*/*")}
    assert tensor(opened) == right(hub, opened)
    assert {path.name for path in (tmp_path / "ranges").glob("*/*")} == before


def test_the_cache_stays_below_its_size_and_keeps_what_was_used_last(tmp_path: Path) -> None:
    pieces = cache.BlockCache(tmp_path / "pieces", 100_000)
    for number in range(40):
        pieces.put("file", number * 5000, bytes([number]) * 5000)
        for path in (tmp_path / "pieces").glob("*/*"):
            os.utime(path, ns=(number, number)) if path.stat().st_mtime_ns > 100 else None
    held = sum(path.stat().st_size for path in (tmp_path / "pieces").glob("*/*"))
    assert 50_000 < held <= 105_000
    assert pieces.get("file", 39 * 5000, 40 * 5000) == bytes([39]) * 5000
    assert pieces.get("file", 0, 5000) is None
    assert cache.BlockCache(tmp_path / "none", 0).get("file", 0, 1) is None


def test_two_writers_of_one_cache_leave_whole_pieces(tmp_path: Path) -> None:
    writers = [cache.BlockCache(tmp_path / "pieces", 200_000) for _ in range(2)]

    def write(own: cache.BlockCache) -> None:
        for number in range(60):
            own.put("file", number * 5000, bytes([number]) * 5000)

    threads = [threading.Thread(target=write, args=(own,)) for own in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(60):
        assert writers[0].get("file", number * 5000, number * 5000 + 5000) in (None, bytes([number]) * 5000)
    assert writers[0].get("file", 59 * 5000, 60 * 5000) is not None
    assert not list((tmp_path / "pieces").glob("*/.piece-*"))


@pytest.mark.parametrize("variable", ["MODELPROV_CONNECTIONS", "MODELPROV_CACHE_SIZE", "MODELPROV_BANDWIDTH"])
def test_a_limit_that_is_none_is_an_error_in_words(
    opened: Checkpoint, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "many")
    with pytest.raises(UsageError, match=variable):
        tensor(opened)


def test_bandwidth_is_kept_to(hub: Hub, opened: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    clock = SimpleNamespace(monotonic=lambda: 1e9, sleep=slept.append)  # stands still, however slow this machine is
    monkeypatch.setattr("modelprov.checkpoints.remote.traffic.time", clock)
    monkeypatch.setattr(TRAFFIC, "_free", 0.0)  # and what it says is forgotten afterwards
    monkeypatch.setenv("MODELPROV_BANDWIDTH", "1M")
    list(opened.source.read_ranges([(0, 1000, 101_000)]))
    list(opened.source.read_ranges([(0, 200_000, 300_000)]))
    assert sum(slept) == pytest.approx(100_000 / (1 << 20))
    assert hub.ranges() == 2
