"""Calls that read a source: in order, and together where each waits for a network."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from modelprov.checkpoints.sources.interface import each_of


def source(at_once: int) -> Any:
    return SimpleNamespace(at_once=at_once, parts=())


def test_many_are_under_way_at_once_and_come_in_order() -> None:
    together = threading.Barrier(8, timeout=5)  # breaks unless eight wait at the same time

    def call(number: int) -> int:
        together.wait()
        return number * number

    assert list(each_of(call, range(16), source(8))) == [number * number for number in range(16)]


def test_of_what_is_here_one_follows_the_other() -> None:
    threads: set[int] = set()
    assert list(each_of(lambda _: threads.add(threading.get_ident()), range(5), source(1))) == [None] * 5
    assert threads == {threading.get_ident()}


def test_what_one_call_raises_ends_it() -> None:
    def call(number: int) -> int:
        if number == 3:
            raise OSError("gone")
        return number

    with pytest.raises(OSError, match="gone"):
        list(each_of(call, range(20), source(4)))
