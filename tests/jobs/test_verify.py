"""The job behind `modelprov verify`: the command's answer without a terminal, and its arguments checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from modelprov.errors import CheckpointNotFoundError, UsageError
from modelprov.jobs.verify import verify as job
from modelprov.recipes.recipe import linear
from modelprov.reports.as_json import load_verified
from tests.cli.conftest import Command


@pytest.fixture
def recipe(models: Path, tmp_path: Path) -> Path:
    """Rio's true recipe; with other weights, one that is not."""
    path = tmp_path / "rio.yml"
    path.write_text(linear({str(models / "nex"): 0.565, str(models / "qwen"): 0.435}).as_yaml())
    return path


@pytest.mark.parametrize(("suspect", "reproduced"), [("rio", True), ("rio-trained", False)])
def test_the_answer_is_the_one_of_the_command(
    suspect: str, reproduced: bool, recipe: Path, models: Path, modelprov: Command,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    found = job(models / suspect, recipe)
    assert capsys.readouterr() == ("", "")
    assert found.reproduced is reproduced
    said = modelprov("verify", models / suspect, "--recipe", recipe, "--json", "-")
    assert said.code == (0 if reproduced else 1)
    answer = json.loads(said.out)
    assert load_verified(said.out) == found.model_copy(update={"started": answer["started"]})


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"recipe": "rio"}, "not a recipe file"),
        ({"missing": "guess"}, "missing is base, copy, drop or error, not 'guess'"),
        ({"memory": 0}, "memory is at least 1"),
        ({"threads": 0}, "threads is at least 1"),
        ({"arithmetic": "float7"}, "float7"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(given: dict[str, Any], says: str, recipe: Path, models: Path) -> None:
    with pytest.raises(UsageError, match=says):
        job(**({"suspect": models / "rio", "recipe": recipe} | given))


def test_a_suspect_that_is_not_there_is_refused(recipe: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointNotFoundError):
        job(tmp_path / "nothing", recipe)


def test_the_command_says_its_own_name_for_an_argument(modelprov: Command, recipe: Path, models: Path) -> None:
    said = modelprov("verify", models / "rio", "--recipe", recipe, "--missing", "guess")
    assert (said.code, "--missing is base" in said.err) == (2, True)
