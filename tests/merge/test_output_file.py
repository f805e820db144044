"""Files that are written past the page cache hold the same bytes as others, wherever the system refuses."""

from __future__ import annotations

import errno
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from modelprov.checkpoints.sources.page_cache import O_DIRECT, aligned_buffer
from modelprov.merge import output_file
from modelprov.merge.output_file import OutputFile

MB = 1 << 20


def bytes_of(size: int, seed: int) -> memoryview:
    """Random bytes in memory that begins on a page."""
    buffer = aligned_buffer(size)
    buffer[:] = np.random.default_rng(seed).integers(0, 256, size, np.uint8)
    return buffer.data


def written(path: Path, pieces: list[tuple[int, memoryview]]) -> bytes:
    file = OutputFile(path)
    for start, piece in pieces:
        file.write(piece, start)
    file.sync()
    file.close()
    return path.read_bytes()


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, MB - 1, MB, 2 * MB, 2 * MB + 1, 3 * MB + 4097])
def test_every_length_comes_back_as_it_was(size: int, tmp_path: Path) -> None:
    data = bytes_of(size, 1) if size else memoryview(b"")
    assert written(tmp_path / "file", [(0, data)]) == bytes(data)


def test_pieces_may_come_in_any_order_and_start_anywhere(tmp_path: Path) -> None:
    data = bytes_of(5 * MB + 10, 2)
    cuts = [0, 2 * MB, 2 * MB + 100, 4 * MB, 5 * MB + 10]
    pieces = [(start, data[start:stop]) for start, stop in pairwise(cuts)]
    assert written(tmp_path / "file", pieces[::-1]) == bytes(data)


@pytest.mark.skipif(not O_DIRECT, reason="this system cannot write past the cache")
def test_whole_pages_are_written_past_the_cache_and_the_rest_through_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: dict[int, list[int]] = {}
    pwrite = os.pwrite

    def noted(descriptor: int, view: memoryview, start: int) -> int:
        sizes.setdefault(descriptor, []).append(len(view))
        return pwrite(descriptor, view, start)

    file = OutputFile(tmp_path / "file")
    if file._direct is None:
        pytest.skip("this file system cannot be written past the cache")
    monkeypatch.setattr(os, "pwrite", noted)
    file.write(bytes_of(2 * MB + 7, 3), 0)
    assert sizes == {file._direct: [2 * MB], file._cached: [7]}
    file.close()


def test_memory_that_the_system_refuses_is_written_through_the_cache(tmp_path: Path) -> None:
    data = bytes_of(3 * MB, 4)[1:]
    assert written(tmp_path / "file", [(0, data)]) == bytes(data)


def test_a_file_system_that_refuses_gets_everything_through_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = os.open

    def refusing(path: str, flags: int, *mode: int) -> int:
        if flags & output_file.O_DIRECT:
            raise OSError(errno.EINVAL, "no")
        return really(path, flags, *mode)

    monkeypatch.setattr(output_file, "O_DIRECT", 1 << 14)
    monkeypatch.setattr(os, "open", refusing)
    data = bytes_of(2 * MB + 5, 5)
    assert written(tmp_path / "file", [(0, data)]) == bytes(data)


def test_a_full_disk_is_an_error_and_not_a_reason_to_try_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = OutputFile(tmp_path / "file")

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OSError, match="full"):
        file.write(bytes_of(2 * MB, 6), 0)
    file.close()
