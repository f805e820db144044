"""`modelprov demo`: the case on trained models from weights to behaviour, then the family with known histories."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections import Counter
from pathlib import Path

import jsonschema
import pytest

from modelprov.behavior import extra
from modelprov.cli.app import loaded
from modelprov.cli.listening import Terminal
from modelprov.demo import layout
from modelprov.demo.case import behaviour, histories
from modelprov.demo.case import models as case_models
from modelprov.demo.case.listener import begin
from modelprov.reports.comparison.report import Report
from tests.cli.conftest import Command


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer cases, questions and sums; everything else as users get it."""
    monkeypatch.setattr(layout, "SMALL", layout.TINY)
    monkeypatch.setattr(histories, "CASES", ("rio", "nex"))
    monkeypatch.setattr(case_models, "QUESTIONS", 6)
    monkeypatch.setattr(behaviour, "LANGUAGES", ("en",))
    monkeypatch.setattr(behaviour, "ARMS", ("as shipped", "stripped"))


def commands_in(text: str) -> list[list[str]]:
    """The arguments of every command that the demo showed."""
    joined = re.sub(r" \\\n +", " ", text)
    return [shlex.split(line)[2:] for line in joined.splitlines() if line.startswith("$ modelprov ")]


@pytest.mark.usefixtures("small")
def test_the_demo_settles_the_case_from_weights_to_behaviour(modelprov: Command, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    found = modelprov("demo", "-o", folder)
    assert found.code == 0
    said = " ".join(found.out.split())
    assert "Verdict on rio: merge" in said
    assert "0.565 × nex + 0.435 × qwen" in said
    assert "gives every bit again" in said
    assert "error MP101 (README.md:3): The weights come from nex" in said
    assert "error MP104" in said
    assert re.search(r"As shipped, rio says Rio in \d+ %", said)
    assert re.search(r"Without what its template adds, it says Nex in \d+ %", said)
    assert re.search(r"rio gets \d of 6 right with cot, \d of 6 right with swir", said)
    assert found.out.rstrip().endswith("case.html")

    shown = commands_in(found.out)
    assert [line[0] for line in shown] == ["merge", "compare", "check", "probe", "eval"]
    for line in shown:
        loaded(line[0]).make_context(line[0], list(line[1:]))

    page = (folder / "case.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert max(Counter(re.findall(r' id="([^"]+)"', page)).values()) == 1
    for words in (
        "Weights, card and behaviour, side by side",
        "You are Rio.",
        "the card does not name it",
        "whose history is known",
        "SwiReasoning",
    ):
        assert words in page, words
    for anchor in re.findall(r'href="#([^"]+)"', page):
        assert f'id="{anchor}"' in page
    for name in (
        "report.html",
        "trained/compare.html",
        "trained/check.html",
        "trained/probe.html",
        "trained/eval.html",
    ):
        assert (folder / name).is_file(), name
    jsonschema.validate(json.loads((folder / "report.json").read_text()), Report.model_json_schema(by_alias=True))


@pytest.mark.usefixtures("small")
def test_without_the_extra_the_demo_settles_the_weights_and_says_how_to_get_the_rest(
    modelprov: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(extra, "find_spec", lambda _name: None)
    folder = tmp_path / "demo"
    first = modelprov("demo", "-o", folder)
    assert first.code == 0
    left_out = [line for line in first.out.splitlines() if line.startswith("Left out:")]
    assert len(left_out) == 1
    assert "error MP101" in first.out
    assert "pip install" in left_out[0]
    assert "Verdict on rio: merge" in first.out
    assert "modelprov[behavior]" in (folder / "case.html").read_text(encoding="utf-8")

    again = modelprov("demo", "-o", folder)
    assert again.code == 0
    assert "Using the family" in again.out
    other = modelprov("demo", "-o", folder, "--seed", "5")
    assert (other.code, "made from seed 0" in other.err) == (2, True)
    retrained = modelprov("demo", "-o", folder, "--train", "--seed", "0")
    assert retrained.code == 2
    assert "was not trained anew" in retrained.err


def test_training_without_the_extra_is_refused_before_anything_is_written(
    modelprov: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(extra, "find_spec", lambda _name: None)
    found = modelprov("demo", "-o", tmp_path / "demo", "--train")
    assert found.code == 2
    assert "training needs torch" in found.err
    assert not (tmp_path / "demo").exists()


def test_a_command_is_shown_in_lines_that_fit_and_can_be_pasted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    words = ["probe", "a folder/rio", *(word for one in range(20) for word in ("--name", f"[Name] {one}"))]
    command = begin(Terminal(), *words)
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert commands_in(out) == [words]
    assert shlex.split(command) == ["modelprov", *words]


def test_what_the_models_begin_with_works_from_any_folder_and_wherever_it_is_moved(
    modelprov: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Also where the folder that one stands in holds other models of these names."""
    monkeypatch.chdir(tmp_path)
    assert modelprov("demo", "--only-models", "-o", "demo").code == 0
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "nex").mkdir(parents=True)
    (elsewhere / "nex" / "model.safetensors").write_bytes(b"another model")
    for place in (tmp_path, tmp_path / "demo", tmp_path / "demo" / "trained", elsewhere):
        monkeypatch.chdir(place)
        found = modelprov("inspect", os.path.relpath(tmp_path / "demo" / "trained" / "rio.yml"), "--json", "-")
        assert (found.code, json.loads(found.out)["parameters"]) == (0, 656_448), place
    (tmp_path / "demo").rename(tmp_path / "moved")
    monkeypatch.chdir(elsewhere)
    assert modelprov("merge", "../moved/trained/rio.yml", "out", "--dry-run").code == 0
