"""`modelprov demo`: the case on trained models from weights to behaviour, then the family with known histories."""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from pathlib import Path

import jsonschema
import pytest
import typer

from modelprov.behavior import extra
from modelprov.cli import check, compare, demo_behaviour, demo_shown, merge, probe  # noqa: F401  (they add themselves to `app`)
from modelprov.cli import demo as cli_demo
from modelprov.cli import eval as evaluate  # noqa: F401
from modelprov.cli.main import app
from modelprov.demo import layout
from modelprov.reports.comparison.report import Report
from tests.cli.conftest import Command

COMMAND = typer.main.get_command(app)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer cases, questions and sums; everything else as users get it."""
    monkeypatch.setattr(layout, "SMALL", layout.TINY)
    monkeypatch.setattr(cli_demo, "CASES", ("rio", "nex"))
    monkeypatch.setattr(demo_behaviour, "QUESTIONS", 6)
    monkeypatch.setattr(demo_behaviour, "LANGUAGES", ("en",))
    monkeypatch.setattr(demo_behaviour, "ARMS", ("as shipped", "stripped"))


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
        COMMAND.commands[line[0]].make_context(line[0], list(line[1:]))

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


def test_a_command_is_shown_in_lines_that_fit_and_can_be_pasted(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    words = ["probe", "a folder/rio", *(word for one in range(20) for word in ("--name", f"[Name] {one}"))]
    command = demo_shown.show_command(Console(width=80), *words)
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    assert commands_in(out) == [words]
    assert shlex.split(command) == ["modelprov", *words]
