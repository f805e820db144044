"""One tiny family on disk and in memory, shared by all tests of this folder."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from modelprov.demo.family import TINY, Family, build_family, members
from modelprov.demo.writing import Weights


@pytest.fixture(scope="session")
def family(tmp_path_factory: pytest.TempPathFactory) -> Family:
    return build_family(tmp_path_factory.mktemp("demo") / "family", seed=3, scale=TINY)


@pytest.fixture(scope="session")
def in_memory() -> dict[str, Weights]:
    return dict(members(seed=3, scale=TINY))


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file under `folder`, by its relative path."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
