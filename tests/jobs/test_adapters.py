"""Adapters in the jobs: compared as the merged weights, said so, merged by recipes, and no proof of their own base."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from modelprov import compare, inspect, merge
from modelprov.check.measure import Request, measure
from modelprov.check.read_claims import read_claims
from modelprov.checkpoints.digests import weights_digest
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.types import MIN_MATRIX_SIDE
from modelprov.forensics.compare import Options
from modelprov.merge.virtual import open_any
from modelprov.progress import SILENT
from modelprov.reports.comparison.meaning import notes
from tests.checkpoints.adapted import values_of, write_adapter
from tests.factories import write_checkpoint

WIDTH, ROWS = 32, 64
NAMES = [f"model.layers.{layer}.mlp.up_proj" for layer in range(3)]
CONFIG = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "base_model_name_or_path": "org/base"}


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A base, and two adapters on it."""
    assert WIDTH > MIN_MATRIX_SIDE
    random = np.random.default_rng(0)
    tensors = {f"{name}.weight": (random.standard_normal((ROWS, WIDTH)) / 8, "BF16") for name in NAMES}
    write_checkpoint(tmp_path / "base", tensors, config={"num_hidden_layers": 3, "hidden_size": WIDTH})
    for which in ("first", "second"):
        parts = {}
        for name in NAMES:
            parts[f"{name}.lora_A.weight"] = random.standard_normal((4, WIDTH)) / 8
            parts[f"{name}.lora_B.weight"] = random.standard_normal((ROWS, 4)) / 20
        write_adapter(tmp_path / which, parts, CONFIG)
    return tmp_path


def test_an_adapter_is_compared_as_the_merged_weights_and_the_report_says_so(models: Path) -> None:
    base, first, second = (models / name for name in ("base", "first", "second"))
    report = compare(f"{base}+{first}", f"{base}+{second}", base, device="cpu", threads=1)
    assert report.verdict.class_ == "same-origin"
    assert any("read as merged weights" in note for note in report.coverage.notes)
    report.save(models / "report.md")
    above = (models / "report.md").read_text().split("Rests on")[0]
    assert "read as merged weights" in above.replace("\n", " ")


def test_several_adapters_at_once_are_merged_one_after_the_other(models: Path) -> None:
    base, first, second = (models / name for name in ("base", "first", "second"))
    merge_by = "merge_method: linear\nmodels: [{{model: {}, parameters: {{weight: 1}}}}]\ndtype: bfloat16\n"
    (models / "recipe.yml").write_text(merge_by.format("base+first") + "modelprov: {arithmetic: float32}\n")
    merge(models / "recipe.yml", models / "merged")
    both = open_checkpoint(f"{base}+{first}+{second}")
    again = open_checkpoint(f"{models / 'merged'}+{second}")
    assert all(np.array_equal(values_of(both, name), values_of(again, name)) for name in both.tensors)
    assert sum("read as merged weights" in note for note in both.notes) == 2


def test_an_adapter_beside_itself_at_another_place_is_a_copy_and_beside_another_is_none(models: Path) -> None:
    base, first, second = (models / name for name in ("base", "first", "second"))
    shutil.copytree(first, models / "again")
    report = compare(f"{base}+{models / 'again'}", f"{base}+{first}", f"{base}+{second}", base, device="cpu", threads=1)
    assert report.verdict.class_ == "copy"
    assert "first" in report.verdict.summary


def test_a_recipe_takes_a_base_with_an_adapter_beside_it_and_writes_the_merged_model(models: Path) -> None:
    recipe = models / "recipe.yml"
    recipe.write_text(
        "merge_method: linear\nmodels: [{model: base+first, parameters: {weight: 1}}]\ndtype: bfloat16\n"
        "modelprov: {arithmetic: float32}\n"
    )
    digest = weights_digest(open_checkpoint(f"{models / 'base'}+{models / 'first'}"))
    merge(recipe, models / "merged")
    merged = open_checkpoint(str(models / "merged"))
    assert {ref.name for ref in merged.tensors.values()} == {f"{name}.weight" for name in NAMES}
    adapted = open_checkpoint(f"{models / 'base'}+{models / 'first'}")
    again = open_any(str(recipe))
    for name in merged.tensors:
        assert np.array_equal(values_of(merged, name), values_of(adapted, name))
        assert np.array_equal(values_of(again, name), values_of(adapted, name))
    assert inspect(f"{models / 'base'}+{models / 'first'}", digest=True).weights_digest == digest


def test_check_names_the_base_of_an_adapter_and_does_not_take_its_weights_as_proof_of_it(models: Path) -> None:
    adapter = models / "first"
    (adapter / "README.md").write_text("---\nbase_model: org/base\nbase_model_relation: adapter\n---\n")

    def missing(*candidates: str) -> dict[str, str]:
        request = Request(candidates, options=Options(device="cpu", threads=1))
        found = measure(str(adapter), read_claims(adapter), request, SILENT).measured
        assert found.lineage is None
        return dict(found.missing)

    assert "adapter on 'org/base', which is not on this machine" in missing()["lineage"]
    assert "trained on 'org/base' by its config" in missing(f"org/base={models / 'base'}")["lineage"]
    shutil.rmtree(models / "second")
    config = json.loads((adapter / "adapter_config.json").read_text()) | {"base_model_name_or_path": None}
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    assert "does not name its base" in missing()["lineage"]


def test_two_adapters_on_one_base_are_told_apart_where_it_is_given_too(models: Path) -> None:
    base, first, second = (models / name for name in ("base", "first", "second"))
    alone = compare(f"{base}+{first}", f"{base}+{second}", device="cpu", threads=1)
    beside = compare(f"{base}+{first}", f"{base}+{second}", base, device="cpu", threads=1)
    assert f"Both are adapters on {base}" in " ".join(notes(alone))
    assert "Both are adapters" not in " ".join(notes(beside))
    assert abs(beside.mixing.least_squares.collinearity or 1) < 0.2


def test_inspect_says_what_an_adapter_is_and_shows_it_alone_where_its_base_is_not_here(models: Path) -> None:
    alone = inspect(models / "first")
    assert alone.adapter == "LoRA, rank 4, alpha 8, on 'org/base'"
    assert (alone.parameters, alone.layers) == (3 * 4 * (WIDTH + ROWS), 3)
    assert any("BASE+ADAPTER" in warning for warning in alone.warnings)
    on_base = inspect(f"{models / 'base'}+{models / 'first'}")
    assert (on_base.adapter, on_base.parameters) == (alone.adapter, 3 * WIDTH * ROWS)
