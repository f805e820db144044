"""The job behind `modelprov merge`: the command's merge without a terminal; a dry run writes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelprov.errors import UsageError
from modelprov.jobs.merge import merge as job
from modelprov.recipes.recipe import Recipe, linear
from tests.cli.conftest import Command


@pytest.fixture
def recipe(models: Path) -> Recipe:
    return linear({str(models / "nex"): 0.565, str(models / "qwen"): 0.435})


def test_the_merge_is_the_one_of_the_command(
    recipe: Recipe, models: Path, modelprov: Command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = job(recipe, tmp_path / "a")
    assert capsys.readouterr() == ("", "")
    assert made.written is not None
    words = (f"{models / 'nex'}=0.565", f"{models / 'qwen'}=0.435", tmp_path / "b")
    assert modelprov("merge", "--linear", *words, "--quiet").code == 0
    weights = [{file.name: file.read_bytes() for file in (tmp_path / name).glob("*.safetensors")} for name in "ab"]
    assert weights[0]
    assert weights[0] == weights[1]


def test_a_dry_run_plans_and_writes_nothing(recipe: Recipe, modelprov: Command, models: Path, tmp_path: Path) -> None:
    made = job(recipe, tmp_path / "a", dry_run=True, arithmetic="float64")
    assert (made.written, made.plan.arithmetic) == (None, "float64")
    words = (f"{models / 'nex'}=0.565", f"{models / 'qwen'}=0.435", tmp_path / "b")
    said = modelprov("merge", "--linear", *words, "--dry-run")
    assert (said.code, "linear of 2 models" in said.err) == (0, True)
    assert list(tmp_path.iterdir()) == []


def test_what_to_do_with_missing_tensors_is_a_known_word(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="missing is base, copy, drop or error, not 'guess'"):
        job(recipe, tmp_path / "a", missing="guess")
