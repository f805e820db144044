"""Reading bytes of local shards."""

from __future__ import annotations

import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from modelprov.checkpoints.sources import local
from modelprov.checkpoints.sources.local import LocalFiles
from modelprov.errors import TruncatedShardError, UnreadableFileError


def files(tmp_path: Path, count: int = 3) -> LocalFiles:
    """Files of 1,000 bytes; byte i of file n is (n + i) mod 251."""
    for number in range(count):
        (tmp_path / f"{number}.bin").write_bytes(content(number))
    return LocalFiles(tmp_path, [f"{number}.bin" for number in range(count)])


def content(number: int) -> bytes:
    return bytes((number + i) % 251 for i in range(1000))


def read(source: LocalFiles, shard: int, start: int, count: int) -> bytes:
    out = bytearray(count)
    source.read_into(shard, start, memoryview(out))
    return bytes(out)


def test_the_bytes_asked_for_are_those_of_the_file(tmp_path: Path) -> None:
    source = files(tmp_path)
    assert read(source, 1, 100, 50) == content(1)[100:150]
    assert read(source, 2, 990, 10) == content(2)[990:]
    assert read(source, 0, 0, 0) == b""
    assert source.place(2) == str(tmp_path / "2.bin")


def test_short_reads_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.preadv
    monkeypatch.setattr(os, "preadv", lambda file, buffers, start: real(file, [buffers[0][:7]], start))
    assert read(files(tmp_path), 0, 3, 500) == content(0)[3:503]


def test_a_file_that_ends_too_soon_is_truncated(tmp_path: Path) -> None:
    with pytest.raises(TruncatedShardError, match="10 bytes"):
        read(files(tmp_path), 0, 900, 110)


def test_a_file_that_is_gone_is_unreadable(tmp_path: Path) -> None:
    source = files(tmp_path)
    (tmp_path / "0.bin").unlink()
    with pytest.raises(UnreadableFileError):
        read(source, 0, 0, 10)


def test_an_input_output_error_is_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "preadv", fail)
    with pytest.raises(UnreadableFileError, match="Input/output error"):
        read(files(tmp_path), 0, 0, 10)


def test_many_threads_read_right_with_fewer_open_files_than_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "MAX_OPEN_FILES", 2)
    source = files(tmp_path, 8)

    def check(i: int) -> bool:
        shard, start = i % 8, i % 900
        return read(source, shard, start, 100) == content(shard)[start : start + 100]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(check, range(2000)))


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files in /proc")
def test_idle_files_are_closed_beyond_the_limit_on_close_and_with_the_object(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "MAX_OPEN_FILES", 3)
    before = open_descriptors()
    source = files(tmp_path, 10)
    for shard in range(10):
        read(source, shard, 0, 1)
    assert open_descriptors() - before == 3
    source.close()
    assert open_descriptors() == before
    assert read(source, 4, 0, 10) == content(4)[:10]
    del source
    assert open_descriptors() == before


def test_a_copy_in_another_process_reads_the_same(tmp_path: Path) -> None:
    source = files(tmp_path)
    read(source, 0, 0, 1)
    assert read(pickle.loads(pickle.dumps(source)), 1, 5, 5) == content(1)[5:10]
