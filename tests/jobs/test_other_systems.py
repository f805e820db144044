"""Systems that lack calls of Linux: what those are is masked here, and comparing, merging and verifying are the same.

What a mask cannot show (renaming a file that is open, paths, a processor of another kind) needs the system itself.
"""

from __future__ import annotations

import mmap
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from modelprov.checkpoints.sources import page_cache, positioned
from modelprov.jobs.compare import compare
from modelprov.jobs.merge import merge
from modelprov.jobs.verify import verify
from modelprov.merge import output_file
from modelprov.recipes.recipe import linear

MACOS = ("preadv", "sched_getaffinity", "posix_fadvise", "O_DIRECT")
WINDOWS = (*MACOS, "pread", "pwrite", "getuid", "O_NONBLOCK", "O_NOFOLLOW", "O_CLOEXEC")


@pytest.fixture(params=["macOS", "Windows"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A system without what it does not have."""
    for name in MACOS if request.param == "macOS" else WINDOWS:
        monkeypatch.delattr(os, name, raising=False)
    for module in (page_cache, output_file):
        monkeypatch.setattr(module, "O_DIRECT", 0)
    monkeypatch.setattr(page_cache, "ctypes", SimpleNamespace(CDLL=lambda *_, **__: object()))  # no mincore
    if request.param == "Windows":
        monkeypatch.setattr(positioned, "FLAGS", 0)
        monkeypatch.setattr(output_file, "FLAGS", 0)
        monkeypatch.delattr(mmap, "MADV_DONTNEED", raising=False)
        for name in ("fcntl", "resource"):
            monkeypatch.setitem(sys.modules, name, None)
    return str(request.param)


@pytest.mark.usefixtures("system")
def test_a_merge_is_made_verified_and_recognised(models: Path, tmp_path: Path) -> None:
    parents = {str(models / "nex"): 0.565, str(models / "qwen"): 0.435}
    recipe = tmp_path / "recipe.yml"
    recipe.write_text(linear(parents).as_yaml())
    merge(recipe, tmp_path / "made")
    assert verify(tmp_path / "made", recipe).reproduced
    report = compare(tmp_path / "made", *parents)
    assert report.verdict.class_ == "merge"


def test_bytes_are_read_and_written_where_they_should_be(tmp_path: Path, system: str) -> None:
    path = tmp_path / system
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        assert positioned.write_at(descriptor, memoryview(b"abcdef"), 3) == 6
        out = bytearray(4)
        assert positioned.read_at(descriptor, memoryview(out), 4) == 4
        assert bytes(out) == b"bcde"
        assert positioned.read_at(descriptor, memoryview(out), 8) == 1
        assert positioned.read_at(descriptor, memoryview(out), 9) == 0
    finally:
        os.close(descriptor)
