"""A model that changes after it was opened: no verdict, no report, and the file by name."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelprov.checkpoints import opening
from modelprov.checkpoints.types import Checkpoint
from modelprov.jobs import asked
from modelprov.merge import virtual
from tests.cli.conftest import Command, Outcome
from tests.kernels import PROCESSOR, Real, processor_with


@pytest.fixture
def replaced(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """A copy of a member of the family, whose shards are those of another one as soon as it has been opened."""

    def prepare(name: str, by: str) -> Path:
        folder = tmp_path / name
        shutil.copytree(models / name, folder)
        real = opening.open_checkpoint

        def opened(location: str, label: str | None = None) -> Checkpoint:
            checkpoint = real(location, label)
            if Path(location) == folder:
                for shard in folder.glob("*.safetensors"):
                    shutil.copy(models / by / shard.name, folder / "new")
                    (folder / "new").replace(shard)
            return checkpoint

        for room in (asked, virtual):
            monkeypatch.setattr(room, "open_checkpoint", opened)
        return folder

    return prepare


def refused(said: Outcome, folder: Path) -> None:
    assert said.code == 2, said
    assert said.out == ""
    assert f"{folder}/model-0000" in said.err
    assert "changed while it was read" in said.err
    assert "run the command again" in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize("sample", [(), ("--sample",)])
@pytest.mark.parametrize("reading", ["map", "direct", "buffered"])
@pytest.mark.parametrize(("name", "by"), [("rio", "sibling"), ("nex", "stranger"), ("qwen", "nex")])
def test_compare_gives_no_verdict_of_another_model(
    compare: Command, replaced: Callable[[str, str], Path], tmp_path: Path, name: str, by: str, reading: str,
    sample: tuple[str, ...],
) -> None:  # fmt: skip
    folder = replaced(name, by)
    arguments = [folder if one == name else one for one in ("rio", "nex", "qwen")]
    refused(compare(*arguments, "--json", "report.json", "--reading", reading, *sample), folder)
    assert not (tmp_path / "report.json").exists()


@pytest.mark.parametrize(("name", "by"), [("rio", "sibling"), ("nex", "stranger")])
def test_verify_says_nothing_of_another_model(
    modelprov: Command, models: Path, replaced: Callable[[str, str], Path], tmp_path: Path, name: str, by: str
) -> None:
    folder = replaced(name, by)
    places = {one: folder if one == name else models / one for one in ("rio", "nex", "qwen")}
    (tmp_path / "recipe.yml").write_text(
        f"merge_method: linear\nmodels:\n- {{model: {places['nex']}, parameters: {{weight: 0.565}}}}\n"
        f"- {{model: {places['qwen']}, parameters: {{weight: 0.435}}}}\nmodelprov: {{arithmetic: float32}}\n"
    )
    said = modelprov("verify", places["rio"], "--recipe", tmp_path / "recipe.yml", "--json", tmp_path / "found.json")
    refused(said, folder)
    assert not (tmp_path / "found.json").exists()


def test_merge_publishes_nothing_of_another_model(
    modelprov: Command, models: Path, replaced: Callable[[str, str], Path], tmp_path: Path
) -> None:
    folder = replaced("nex", "stranger")
    refused(modelprov("merge", "--linear", f"{folder}=0.5", f"{models / 'qwen'}=0.5", tmp_path / "out"), folder)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("reading", ["map", "direct", "buffered", "auto"])
@pytest.mark.parametrize("name", ["rio", "nex", "qwen"])
def test_a_model_that_is_written_to_while_it_is_compared_has_no_verdict(
    compare: Command, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, reading: str
) -> None:
    folder = tmp_path / name
    shutil.copytree(models / name, folder)

    def meanwhile(real: Real, *given: Any) -> Any:
        rows = real(*given)
        with min(folder.glob("*.safetensors")).open("r+b") as file:
            file.seek(-1, os.SEEK_END)
            file.write(b"\1")
        return rows

    monkeypatch.setattr(PROCESSOR, processor_with(meanwhile))
    arguments = [folder if one == name else one for one in ("rio", "nex", "qwen")]
    refused(compare(*arguments, "--json", "report.json", "--reading", reading), folder)
    assert not (tmp_path / "report.json").exists()
