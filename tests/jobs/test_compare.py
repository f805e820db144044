"""The job behind `modelprov compare`: the command's report without a terminal, and its arguments checked."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelprov.errors import CheckpointNotFoundError, UsageError
from modelprov.jobs.compare import compare as job
from modelprov.reports.comparison.as_json import render_json
from modelprov.reports.comparison.meaning import notes as verdict_notes
from modelprov.reports.comparison.report import Report
from tests.cli.conftest import Command
from tests.factories import write_safetensors

OF_THE_RUN = {"command", "environment"}
ASKED: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "a control": (("rio", "nex", "qwen"), {"control": "sibling"}),
    "another reference": (("rio", "nex", "qwen"), {"reference": "nex", "sample": True, "seed": 3}),
    "a sample": (("rio-trained", "nex", "qwen"), {"sample": True, "sample_size": 70_000, "threads": 1}),
    "one parent": (("nex", "qwen"), {"control": ["sibling"], "memory": 8 << 20, "reading": "buffered"}),
}


def called(models: Path, case: str) -> Report:
    names, given = ASKED[case]
    for key in ("control", "reference"):
        if key in given:
            named = given[key]
            given = given | {key: [models / name for name in named] if isinstance(named, list) else models / named}
    return job(*(models / name for name in names), device="cpu", **given)


def found(report: Any) -> Any:
    """Everything but what is of the run: its command, time and machine."""
    return {key: value for key, value in json.loads(report).items() if key not in OF_THE_RUN}


@pytest.mark.parametrize("case", ASKED)
def test_the_command_that_a_report_names_gives_the_same_report(
    case: str, models: Path, modelprov: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    report = called(models, case)
    assert capsys.readouterr() == ("", "")
    words = shlex.split(report.command)
    assert words[:2] == ["modelprov", "compare"]
    said = modelprov(*words[1:], "--json", "-")
    assert found(said.out) == found(render_json(report))
    assert json.loads(said.out)["environment"]["seed"] == report.environment.seed


def test_a_report_names_the_command_that_was_run_where_one_was(models: Path) -> None:
    report = job(models / "nex", models / "qwen", device="cpu", sample=True, command="a notebook")
    assert report.command == "a notebook"


def test_a_folder_that_holds_two_models_is_said_beside_the_headline(models: Path, tmp_path: Path) -> None:
    two = tmp_path / "two"
    shutil.copytree(models / "nex", two)
    write_safetensors(two / "model.safetensors", {"model.norm.weight": np.ones(8, np.float32)})
    report = job(two, models / "qwen", device="cpu", sample=True)
    (note,) = [note for note in verdict_notes(report) if "two: model.safetensors" in note]
    assert "holds another model" in note
    assert "transformers would take model.safetensors first" in note
    opening = report.rendered("markdown").partition("\n## ")[0]
    assert "transformers would take" in opening


class Watching:
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.stages: list[str] = []
        self.done = 0

    def stage(self, text: str, _total: int = 0, /) -> None:
        self.stages.append(text)

    def advance(self, done: int, /) -> None:
        self.done += done


def test_progress_is_heard_where_it_is_asked_for(models: Path) -> None:
    watching = Watching()
    job(models / "nex", models / "qwen", device="cpu", progress=watching)
    assert watching.stages[0] == "opening checkpoints"
    assert watching.stages[-1] == "assembling the report"
    assert watching.done > 0


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"device": "tpu"}, "device is auto, cpu or cuda, not 'tpu'"),
        ({"reading": "fast"}, "reading is auto, map, direct or buffered, not 'fast'"),
        ({"memory": 0}, "memory is at least 1"),
        ({"threads": 0}, "threads is at least 1"),
        ({"seed": -1}, "seed is at least 0"),
        ({"sample": True, "sample_size": 0}, "sample_size is at least 1"),
        ({"control": "a"}, "given twice"),
        ({"control": ("c", "./c")}, "given twice"),
        ({"reference": "a"}, "its own reference"),
    ],
)
def test_arguments_that_do_not_fit_are_refused_before_anything_is_opened(given: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        job("a", "b", **given)


def test_a_suspect_alone_and_a_place_with_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least one parent"):
        job("a")
    with pytest.raises(CheckpointNotFoundError):
        job(tmp_path / "a", tmp_path / "b")
