"""What a command writes never takes the place of what it reads."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.demo.conftest import digests


@pytest.mark.parametrize(
    "command",
    [
        ("report", "combine", "report.json", "--html", "./report.json"),
        ("report", "verify", "report.json", "--json", "report.json"),
        ("attest", "report.json", "--out", "report.json"),
        ("inspect", "model", "--json", "model/config.json"),
    ],
)
def test_what_is_written_takes_the_place_of_nothing_that_is_read(
    modelprov: Command, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(models / "rio", "model")
    modelprov("compare", models / "rio", models / "qwen", "--quiet", "--json", "report.json")
    before = digests(tmp_path)
    said = modelprov(*command)
    assert (said.code, said.out, digests(tmp_path)) == (2, "", before)
