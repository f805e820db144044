"""The cache of compiled kernels."""

from __future__ import annotations

import re
from pathlib import Path

import modelprov
from modelprov.compiled import SOURCES, cache_folder

HOME = Path(modelprov.__file__).parent


def test_every_file_whose_compiled_code_is_kept_counts_towards_the_name_of_the_cache():
    kept = {str(path.relative_to(HOME)) for path in HOME.rglob("*.py") if re.search(r"\bcache=True", path.read_text())}
    assert kept <= set(SOURCES)
    assert "forensics/sums/kernels/bf16.py" in SOURCES  # built into cpu.py's code


def test_the_cache_can_be_written_even_without_a_home(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file" / "below"))
    (tmp_path / "file").write_text("")
    assert cache_folder().is_dir()
