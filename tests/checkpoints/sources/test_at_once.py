"""Computed ranges are asked for together where each waits for a network, and one after another where none does."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Barrier

import pytest

from modelprov.checkpoints.layouts.decoded import DecodedSource
from modelprov.checkpoints.sources.interface import at_once, computed
from modelprov.checkpoints.sources.joined import JoinedSource
from tests.memory import Memory

THREADS = 4


@dataclass(frozen=True)
class Waiting(Memory):
    """A source that is worth so many reads at once."""

    at_once: int = field(default=THREADS)


def test_ranges_of_a_far_source_are_computed_at_once_and_come_in_their_order() -> None:
    content = bytes(range(64))
    meeting = Barrier(THREADS, timeout=10)

    def read_into(_shard: int, start: int, out: memoryview) -> None:
        meeting.wait()  # breaks unless so many are here together
        out[:] = content[start : start + len(out)]

    ranges = [(0, start, start + 3) for start in range(2 * THREADS)]
    found = list(computed(read_into, ranges, Waiting((content,))))
    assert [(number, bytes(piece)) for number, piece in found] == [
        (number, content[start:stop]) for number, (_, start, stop) in enumerate(ranges)
    ]


def test_what_one_of_many_raises_is_raised() -> None:
    def read_into(_shard: int, start: int, _out: memoryview) -> None:
        if start == THREADS:
            raise ValueError(start)

    with pytest.raises(ValueError, match=str(THREADS)):
        list(computed(read_into, [(0, start, start + 1) for start in range(2 * THREADS)], Waiting((b"",))))


def test_what_is_computed_from_a_far_source_is_worth_as_many_reads_and_what_is_here_one() -> None:
    far, here = Waiting((b"0",)), Memory((b"0",))
    assert at_once(DecodedSource(far, ())) == at_once(JoinedSource((here, far), ("", ""))) == THREADS
    assert at_once(here) == at_once(DecodedSource(here, ())) == 1
