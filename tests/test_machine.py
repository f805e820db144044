"""What is said of the machine that a process runs on."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

from modelprov.machine import versions


def test_versions_are_those_that_python_knows_and_what_is_not_installed_has_none() -> None:
    names = ("numpy", "pydantic", "typer", "no-such-package")
    assert versions(names) == {name: version(name) for name in names[:-1]}


def test_a_version_is_not_taken_from_the_description_of_a_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "sample-1.dist-info"
    home.mkdir()
    (home / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: sample\nVersion: 1.5rc1\nSummary: x\n\nVersion: 9\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert versions(["sample"]) == {"sample": "1.5rc1"}
