"""The examples of docs/python.md run as they stand there, and say what they promise."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

DOCUMENT = Path(__file__).parents[2] / "docs" / "python.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_examples_of_the_documents_run(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("rio", "nex", "qwen", "sibling"):
        shutil.copytree(models / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    examples = BLOCK.findall(DOCUMENT.read_text(encoding="utf-8"))
    assert len(examples) == 4
    exec("\n".join(examples), {})
    assert (tmp_path / "report.html").read_text().startswith("<!")
    said = capsys.readouterr().out
    assert said.startswith("merge - ")
    assert "True " in said
    assert "given twice" in said
