"""What every `Source` keeps, whatever it is made of: a new one is held against these tests by a class of its own.

A subclass says how a source of given shards is made (`make`), and how a shard is changed behind its back (`change`)
where that is possible.
"""

from __future__ import annotations

import pickle
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from modelprov.checkpoints.reading import PlainAccess
from modelprov.checkpoints.sources.interface import Range, Source
from modelprov.checkpoints.sources.page_cache import ALIGNMENT, aligned_buffer
from modelprov.errors import ChangedFileError, TruncatedShardError

SHARDS = tuple(random.Random(number).randbytes(size) for number, size in enumerate((10_000, 3, 70_001, 0)))
RANGES: dict[str, Sequence[Range]] = {
    "nothing": [],
    "one": [(0, 100, 200)],
    "a whole shard": [(2, 0, 70_001)],
    "a shard without bytes": [(3, 0, 0)],
    "across shards": [(1, 0, 3), (0, 0, 10), (2, 5, 9)],
    "backwards": [(0, 9_000, 9_100), (0, 5_000, 5_100), (0, 0, 100)],
    "overlapping": [(2, 0, 50_000), (2, 40_000, 70_001), (2, 100, 101), (2, 0, 50_000)],
    "empty": [(0, 5, 5), (0, 10_000, 10_000), (1, 0, 3), (0, 0, 0)],
    "empty behind the end": [(0, 20_000, 20_000)],
    "many": [(2, at, at + 7) for at in range(0, 70_000, 13)],
}
BEHIND = ((0, 9_990, 10_001), (0, 10_000, 10_001), (0, 1 << 40, (1 << 40) + 1), (1, 0, 4), (3, 0, 1))


class Contract:
    """The tests; `Test...` classes inherit them."""

    def make(self, shards: Sequence[bytes], folder: Path) -> Source:
        raise NotImplementedError

    def change(self, _folder: Path, _shard: int) -> None:
        pytest.skip("nobody can change this one")

    @pytest.fixture
    def source(self, tmp_path: Path) -> Source:
        return self.make(SHARDS, tmp_path)

    def test_every_shard_has_a_name_a_place_and_a_size(self, source: Source) -> None:
        numbers = range(len(SHARDS))
        assert len(source.names) == len(set(source.names)) == len(SHARDS)
        assert all(source.names[shard] in source.place(shard) for shard in numbers)
        assert [source.size(shard) for shard in numbers] == [len(shard) for shard in SHARDS]

    @pytest.mark.parametrize("ranges", RANGES.values(), ids=RANGES)
    def test_each_range_is_answered_once_with_its_bytes(self, source: Source, ranges: Sequence[Range]) -> None:
        found = [(number, bytes(piece)) for number, piece in source.read_ranges(ranges)]
        right = [SHARDS[shard][start:stop] for shard, start, stop in ranges]
        assert sorted(found) == list(enumerate(right))

    @pytest.mark.parametrize("ranges", RANGES.values(), ids=RANGES)
    def test_a_buffer_is_filled_with_the_same_bytes(self, source: Source, ranges: Sequence[Range]) -> None:
        for shard, start, stop in ranges:
            buffer = bytearray(b"x" * (stop - start + 2))
            source.read_into(shard, start, memoryview(buffer)[1:-1])
            assert bytes(buffer) == b"x" + SHARDS[shard][start:stop] + b"x"

    @pytest.mark.parametrize("behind", BEHIND)
    def test_bytes_behind_the_end_are_an_error_that_names_the_place(self, source: Source, behind: Range) -> None:
        shard, start, stop = behind
        with pytest.raises(TruncatedShardError) as caught:
            list(source.read_ranges([(0, 0, 5), behind]))
        assert source.place(shard) in caught.value.message
        with pytest.raises(TruncatedShardError):
            source.read_into(shard, start, memoryview(bytearray(stop - start)))

    def test_a_reader_brings_ranges_to_their_places(self, source: Source) -> None:
        for ranges in ([(2, 5_000, 9_000)], [(2, 5_000, 9_000), (0, 4_097, 4_099), (1, 0, 3)]):
            places = [number * 8 * ALIGNMENT + start % ALIGNMENT for number, (_, start, _) in enumerate(ranges)]
            buffer = aligned_buffer(24 * ALIGNMENT)
            PlainAccess(source).fill(ranges, places, buffer)
            for (shard, start, stop), place in zip(ranges, places, strict=True):
                assert bytes(buffer[place : place + stop - start]) == SHARDS[shard][start:stop]

    def test_many_threads_get_their_own_bytes(self, source: Source) -> None:
        def right(number: int) -> bool:
            shard, start = (0, 2)[number % 2], number * 7 % 9_000
            ranges = [(shard, start, start + 500), (1, 0, 3), (shard, 0, start)]
            found = {place: bytes(piece) for place, piece in source.read_ranges(ranges)}
            buffer = bytearray(500)
            source.read_into(shard, start, memoryview(buffer))
            if number % 50 == 0:
                source.close()
            wanted = [SHARDS[one][begin:end] for one, begin, end in ranges]
            return bytes(buffer) == wanted[0] and [found[place] for place in range(3)] == wanted

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(right, range(400)))

    def test_a_pickled_source_reads_the_same_and_watches_the_same(self, source: Source) -> None:
        source.read_into(0, 0, memoryview(bytearray(10)))
        copy = pickle.loads(pickle.dumps(source))
        assert [bytes(piece) for _, piece in copy.read_ranges([(2, 60_000, 70_001)])] == [SHARDS[2][60_000:]]
        assert list(copy.versions()) == list(source.versions())
        copy.check_unchanged()

    def test_closing_ends_nothing_and_can_be_done_twice(self, source: Source) -> None:
        source.close()
        source.close()
        assert [bytes(piece) for _, piece in source.read_ranges([(1, 0, 3)])] == [SHARDS[1]]

    def test_reading_changes_nothing(self, source: Source) -> None:
        before = list(source.versions())
        list(source.read_ranges([(0, 0, 10_000)]))
        source.check_unchanged()
        assert list(source.versions()) == before

    def test_a_change_is_an_error_for_the_source_and_its_copies_and_another_version(
        self, source: Source, tmp_path: Path
    ) -> None:
        before = pickle.loads(pickle.dumps(source))
        self.change(tmp_path, 2)
        for held in (source, before, pickle.loads(pickle.dumps(source))):
            with pytest.raises(ChangedFileError) as caught:
                held.check_unchanged()
            assert source.place(2) in caught.value.message
            assert "run the command again" in caught.value.advice
            with pytest.raises(ChangedFileError):
                list(held.read_ranges([(2, 0, 10)]))
        assert list(self.make(SHARDS, tmp_path).versions()) != list(source.versions())
