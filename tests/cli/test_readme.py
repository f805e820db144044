"""What README and docs/compare.md show as printed is what the command prints, on the demo's models, at 80 columns."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from modelprov.demo.family import members
from modelprov.demo.writing import WITHOUT_OF, as_stored, fill_checkpoint
from tests.cli.conftest import Command

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
COMMAND = re.compile(r"^(?:\.venv/bin/)?modelprov (compare modelprov-demo/.+)$", re.MULTILINE)
PRINTED = re.compile(r"```text\n(╭─.*?)```", re.DOTALL)
COMPARE = (Path(__file__).parents[2] / "docs" / "compare.md").read_text(encoding="utf-8")
TABLE = re.compile(r"```text\n(By component.*?)```", re.DOTALL)
NEEDED = frozenset({"rio", "nex", "qwen", "sibling"})


def test_the_sample_of_the_readme_is_what_the_demo_prints(
    modelprov: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "modelprov-demo").mkdir()
    for name, weights in members(0):
        if name in NEEDED:
            fill_checkpoint(tmp_path / "modelprov-demo" / name, as_stored(weights), {}, 2, WITHOUT_OF)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    (command,), (sample,) = COMMAND.findall(README), PRINTED.findall(README)
    said = modelprov(*shlex.split(command), "--device", "cpu").out
    assert said == sample
    (table,) = TABLE.findall(COMPARE)
    assert table in modelprov(*shlex.split(command), "--device", "cpu", "--tables").out
