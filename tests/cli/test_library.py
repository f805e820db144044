"""`modelprov library`: what other programs read stands on standard output, as it is."""

from __future__ import annotations

from pathlib import Path

from modelprov.jobs.library import add, read_list
from tests.cli.conftest import Command


def test_the_pinned_list_can_be_sent_into_a_file(models: Path, modelprov: Command, tmp_path: Path) -> None:
    for name in ("nex", "qwen\n\x7f🜁"):
        add(models / "nex", tmp_path / "known", name=name, size=20_000)
    said = modelprov("library", "list", "--library", tmp_path / "known", "--toml")
    (tmp_path / "pinned.toml").write_text(said.out + '[[model]]\nlocation = "org/name"\n')
    assert said.err == ""
    assert said.out.splitlines()[0] == "# nex: no revision of it is known"
    assert [model.name for model in read_list(tmp_path / "pinned.toml")] == ["org/name"]
