"""Weights that lie in files are added as if they lay in memory, bit by bit, however large, from whatever byte on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.forensics.sums.kernels.cpu import cpu_by_pieces, cpu_kernel
from modelprov.forensics.sums.kernels.self_check import Example, example
from modelprov.forensics.sums.kernels.stored import copy
from modelprov.native import native
from modelprov.recipes.arithmetics import Arithmetic

BF16, F16, F32, F64 = DType
COUNTS = [300_001, 70_000, 65_536, 64, 1]
"""Elements of segments: more and less than a window of each format, and just one of float32."""
FORMATS = {
    "two bf16": [[BF16] * 5] * 2,
    "three bf16": [[BF16] * 5] * 3,
    "three f32": [[F32] * 5] * 3,
    "four f16": [[F16] * 5] * 4,
    "mixed": [[BF16, F16, F32, BF16, F32], [F32, BF16, F16, F32, F32], [F16, F32, BF16, F16, BF16]],
    "one of them f64": [[BF16] * 5, [BF16] * 5, [BF16, F64, BF16, BF16, BF16]],
}


@dataclass
class File:
    """A shard in a file; `in_c` says whether others may read from its descriptor."""

    path: Path
    in_c: bool = True

    @contextmanager
    def descriptor(self) -> Iterator[int | None]:
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            yield descriptor if self.in_c else None
        finally:
            os.close(descriptor)

    def read_into(self, start: int, out: memoryview) -> None:
        raw = self.path.read_bytes()[start : start + len(out)]
        if len(raw) < len(out):
            raise ValueError(f"{self.path.name} ends before")
        out[:] = raw


def written(case: Example, folder: Path, before: int) -> list[File]:
    """The buffers as files, each behind so many bytes."""
    files = [File(folder / str(i)) for i in range(len(case.buffers))]
    for file, buffer in zip(files, case.buffers, strict=True):
        file.path.write_bytes(b"\xff" * before + buffer.tobytes())
    return files


@pytest.mark.parametrize("before", [0, 13])
@pytest.mark.parametrize("dtypes", FORMATS.values(), ids=FORMATS)
def test_files_are_added_as_memory_is(tmp_path: Path, dtypes: list[list[DType]], before: int) -> None:
    case = example(COUNTS, dtypes, list(Arithmetic)[:2], nonfinite=1e-4)
    whole = cpu_kernel(case.buffers, case.segments, case.recipes)
    files = written(case, tmp_path, before)
    moved = replace(case.segments, start=case.segments.start + before)
    some = replace(case.segments, start=case.segments.start + np.arange(len(files))[:, None].clip(0, 1) * before)
    ways = {
        "files": (files, moved),
        "read first": ([replace(file, in_c=False) for file in files], moved),
        "the first in memory": ([case.buffers[0], *files[1:]], some),
        "memory": ([np.fromfile(file.path, np.uint8) for file in files], moved),
    }
    for way, (buffers, segments) in ways.items():
        found = cpu_by_pieces(buffers, segments, case.recipes)
        assert found.counts.tobytes() == whole.counts.tobytes(), way
        assert found.sums.tobytes() == whole.sums.tobytes(), way


@pytest.mark.skipif(native() is None, reason="no C kernels here")
def test_what_a_window_holds_is_not_read_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = example(COUNTS, FORMATS["mixed"], [])
    monkeypatch.setattr(File, "read_into", lambda *_: pytest.fail("read as a whole"))
    cpu_by_pieces(written(case, tmp_path, 0), case.segments, case.recipes)


def test_a_file_that_ends_before_is_said_by_its_own_words(tmp_path: Path) -> None:
    case = example(COUNTS, FORMATS["three bf16"], [])
    files = written(case, tmp_path, 0)
    os.truncate(files[1].path, 500_000)
    with pytest.raises(ValueError, match="1 ends before"):
        cpu_by_pieces(files, case.segments, case.recipes)


def test_a_disk_that_refuses_is_said_by_the_sources_own_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder's descriptor answers every read with an error, as a broken disk does."""
    case = example(COUNTS, FORMATS["three bf16"], [])
    files = written(case, tmp_path, 0)
    refused = OSError("the disk refuses")

    @contextmanager
    def of_the_folder(self: File) -> Iterator[int | None]:
        descriptor = os.open(self.path.parent, os.O_RDONLY)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def refuse(*_: object) -> None:
        raise refused

    monkeypatch.setattr(File, "descriptor", of_the_folder)
    monkeypatch.setattr(File, "read_into", refuse)
    with pytest.raises(OSError, match="the disk refuses"):
        cpu_by_pieces(files, case.segments, case.recipes)


def test_bytes_are_copied_from_where_they_lie(tmp_path: Path) -> None:
    raw = np.arange(100, dtype=np.uint8)
    (tmp_path / "raw").write_bytes(raw.tobytes())
    for source in (raw, File(tmp_path / "raw")):
        out = np.zeros(10, np.uint8)
        copy(source, 30, out)
        assert out.tolist() == list(range(30, 40))
