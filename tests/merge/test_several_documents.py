"""Recipes that name other recipes of their file: the bits of merges written one after the other."""

from __future__ import annotations

from pathlib import Path

import pytest

import modelprov
from modelprov.checkpoints.digests import weights_digest
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.errors import UsageError
from tests.merge.conftest import model

HALF = "merge_method: linear\nmodels: [{model: a, parameters: {weight: 0.5}}, {model: b, parameters: {weight: 0.5}}]\n"
LAST = "merge_method: slerp\nbase_model: b\nmodels: [{model: half}]\nparameters: {t: 0.3}\ndtype: bfloat16\n"


def test_a_named_recipe_is_merged_as_if_it_had_been_written(tmp_path: Path) -> None:
    for name in "ab":
        model(tmp_path / name)
    (tmp_path / "both.yml").write_text(f"name: half\n{HALF}---\n{LAST}")
    modelprov.merge(tmp_path / "both.yml", tmp_path / "out")
    (tmp_path / "first.yml").write_text(HALF)
    (tmp_path / "second.yml").write_text(LAST)
    modelprov.merge(tmp_path / "first.yml", tmp_path / "half")
    modelprov.merge(tmp_path / "second.yml", tmp_path / "again")
    digests = {weights_digest(open_checkpoint(str(tmp_path / name))) for name in ("out", "again")}
    assert len(digests) == 1
    assert modelprov.verify(tmp_path / "out", tmp_path / "both.yml").reproduced
    card = (tmp_path / "out" / "README.md").read_text()
    assert "base_model:\n- b\n- a\n" in card or "base_model:\n- a\n- b\n" in card


def test_recipes_that_name_each_other_in_a_circle_are_refused(tmp_path: Path) -> None:
    for name in "ab":
        model(tmp_path / name)
    text = "name: {}\nmerge_method: linear\nmodels: [{{model: {}, parameters: {{weight: 1}}}}]\n"
    (tmp_path / "r.yml").write_text(
        "---\n".join([text.format("x", "y"), text.format("y", "x"), LAST.replace("half", "x")])
    )
    with pytest.raises(UsageError, match="model of itself"):
        modelprov.merge(tmp_path / "r.yml", tmp_path / "out", dry_run=True)
