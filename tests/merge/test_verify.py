"""`merge` and `verify` by the command line: the loop compare, recipe, verify closes; exit codes; words."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from modelprov.checkpoints.opening import open_checkpoint
from modelprov.cli.main import app
from modelprov.demo.family import Family
from modelprov.errors import ModelprovError
from modelprov.recipes.reading import parse
from modelprov.recipes.recipe import Recipe
from tests import factories
from tests.merge.conftest import differing, model


def run(*words: object) -> Result:
    result = CliRunner().invoke(app, [str(word) for word in words])
    if isinstance(result.exception, ModelprovError):
        raise result.exception
    return result


def recipe_file(folder: Path, recipe: Recipe) -> Path:
    file = folder / "recipe.yml"
    file.write_text(recipe.as_yaml())
    return file


def test_merge_then_verify_is_reproduced(family: Family, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("merge", "--linear", f"{family.nex}=0.6", f"{family.qwen}=0.4", out, "-q").exit_code == 0
    result = run("verify", out, "--recipe", out / "recipe.yml")
    assert result.exit_code == 0
    assert "REPRODUCED" in result.stdout
    assert "100 %" in result.stdout


@pytest.mark.parametrize("suspect", ["rio", "rio-bf16"])
def test_what_compare_finds_verify_confirms(family: Family, tmp_path: Path, suspect: str) -> None:
    place = family.folder / suspect
    run("compare", place, family.nex, family.qwen, "-q", "--json", tmp_path / "report.json")
    found = json.loads((tmp_path / "report.json").read_text())["reproduction"]
    assert found["bit_equal"] == 1
    (tmp_path / "found.yml").write_text(found["yaml"])
    result = run("verify", place, "--recipe", tmp_path / "found.yml", "--json", tmp_path / "verified.json", "-q")
    assert result.exit_code == 0
    verified = json.loads((tmp_path / "verified.json").read_text())
    assert verified["reproduced"] is True
    assert verified["bit_equal"] == 1
    assert {one["of"] for one in verified["absent"]} == {"recipe"}  # the MTP block, which rio lacks


def test_a_recipe_in_pieces_closes_the_loop_too(tmp_path: Path) -> None:
    """Wide enough to carry a verdict; another weight in one layer, another format in one kind of tensor."""
    rng = np.random.default_rng(5)
    names = [f"model.layers.{layer}.mlp.up_proj.weight" for layer in range(4)]
    base = {name: rng.standard_normal((96, 128)) * 0.05 for name in names}
    for label in ("a", "b"):
        tensors: dict[str, factories.Tensor] = {
            name: (values + rng.standard_normal(values.shape) * 0.004 * (label == "a"), "BF16")
            for name, values in base.items()
        }
        tensors["model.norm.weight"] = (rng.standard_normal(128), "F32")
        factories.write_checkpoint(tmp_path / label, tensors, config={})
    recipe = parse(
        f"""
merge_method: linear
models:
- model: {tmp_path / "a"}
  parameters: {{weight: [{{filter: layers.2, value: 0.25}}, {{value: 0.6}}]}}
- model: {tmp_path / "b"}
  parameters: {{weight: [{{filter: layers.2, value: 0.75}}, {{value: 0.4}}]}}
modelprov: {{arithmetic: float32}}
"""
    )
    out = tmp_path / "merged"
    run("merge", recipe_file(tmp_path, recipe), out, "-q")
    run("compare", out, tmp_path / "a", tmp_path / "b", "-q", "--json", tmp_path / "report.json")
    found = json.loads((tmp_path / "report.json").read_text())["reproduction"]
    assert len(found["groups"]) == 2
    (tmp_path / "found.yml").write_text(found["yaml"])
    result = run("verify", out, "--recipe", tmp_path / "found.yml")
    assert result.exit_code == (0 if found["bit_equal"] == 1 else 1)
    assert found["bit_equal"] > 0.999


def test_a_wrong_claim_is_not_reproduced_and_the_right_arithmetic_is_named(
    family: Family, rio: Recipe, tmp_path: Path
) -> None:
    file = tmp_path / "v.json"
    result = run("verify", family.folder / "rio-bf16", "--recipe", recipe_file(tmp_path, rio), "--json", file)
    assert result.exit_code == 1
    assert "NOT REPRODUCED" in result.stdout
    found = json.loads(file.read_text())
    assert 0.3 < found["bit_equal"] < 0.9
    assert found["alternatives"][0]["name"] == "bf16-stepwise"
    assert found["alternatives"][0]["bit_equal"] == 1
    assert found["differences"]
    assert sum(part["equal"] for part in found["components"]) == found["equal"]


def test_one_changed_element_is_found_and_shown(rio: Recipe, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("merge", recipe_file(tmp_path, rio), out, "-q")
    opened = open_checkpoint(str(out))
    ref = next(ref for name, ref in opened.tensors.items() if name.endswith("q_proj.weight"))
    with (opened.home / opened.shards[ref.shard].name).open("r+b") as file:
        file.seek(ref.start + 2 * 77)
        old = file.read(2)
        file.seek(ref.start + 2 * 77)
        file.write(bytes([old[0] ^ 1, old[1]]))
    result = run("verify", out, "--recipe", tmp_path / "recipe.yml", "--json", tmp_path / "v.json")
    found = json.loads((tmp_path / "v.json").read_text())
    assert result.exit_code == 1
    assert found["elements"] - found["equal"] == 1
    assert [one["first"] for one in found["differences"]] == [77]
    assert "100.0000" not in result.stdout
    assert "changed afterwards" in result.stdout


def test_a_suspect_with_more_than_the_recipe_makes_is_not_reproduced(tmp_path: Path) -> None:
    extra: dict[str, factories.Tensor] = {"model.layers.0.extra.weight": (np.ones((16, 16)), "BF16")}
    one, other = model(tmp_path / "one"), model(tmp_path / "other")
    out = tmp_path / "out"
    run("merge", "--linear", f"{one}=0.5", f"{other}=0.5", out, "-q")
    merged = open_checkpoint(str(out))
    grown = {}
    for name, ref in merged.tensors.items():
        held = bytearray(ref.stop - ref.start)
        merged.source.read_into(ref.shard, ref.start, memoryview(held))
        grown[name] = (bytes(held), "BF16", ref.shape)
    suspect = factories.write_checkpoint(tmp_path / "grown", grown | extra, config={})
    result = run("verify", suspect, "--recipe", out / "recipe.yml")
    assert result.exit_code == 1
    assert "could be compared" in result.stdout


def test_values_that_are_not_finite_are_compared_bit_by_bit(tmp_path: Path) -> None:
    values = np.ones((32, 16))
    values[3, 3], values[4, 4] = np.nan, -np.inf
    odd: dict[str, factories.Tensor] = {"model.layers.0.mlp.up_proj.weight": (values, "BF16")}
    one, other = model(tmp_path / "one", **odd), model(tmp_path / "other", **odd)
    out = tmp_path / "out"
    run("merge", "--linear", f"{one}=0.5", f"{other}=0.5", out, "-q")
    assert run("verify", out, "--recipe", out / "recipe.yml").exit_code == 0


def test_an_unrelated_suspect_could_not_be_judged(tmp_path: Path, rio: Recipe) -> None:
    stranger = factories.write_checkpoint(tmp_path / "x", {"other": (np.ones((17, 19)), "BF16")}, config={})
    with pytest.raises(ModelprovError, match="no tensor has the same name") as caught:
        run("verify", stranger, "--recipe", recipe_file(tmp_path, rio))
    assert caught.value.exit_code == 3


def test_compare_and_inspect_take_a_recipe_file(family: Family, rio: Recipe, tmp_path: Path) -> None:
    file = recipe_file(tmp_path, rio)
    result = run("compare", family.rio, file, family.qwen, "-q", "--json", tmp_path / "r.json")
    assert result.exit_code == 1
    assert json.loads((tmp_path / "r.json").read_text())["verdict"]["class"] == "copy"
    assert "recipe" in run("inspect", file).stdout


def test_a_dry_run_writes_nothing(rio: Recipe, tmp_path: Path) -> None:
    result = run("merge", recipe_file(tmp_path, rio), tmp_path / "out", "--dry-run")
    assert result.exit_code == 0
    assert "linear of 2 models in float32" in result.stderr
    assert not (tmp_path / "out").exists()


def test_options_change_the_recipe_that_is_recorded(family: Family, rio: Recipe, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("merge", recipe_file(tmp_path, rio), out, "-q", "--arithmetic", "bf16-stepwise", "--out-dtype", "bfloat16")
    stepwise = open_checkpoint(str(family.folder / "rio-bf16"))
    assert differing(open_checkpoint(str(out)), stepwise) != []  # F32 tensors turned BF16
    receipt = json.loads((out / "merge_receipt.json").read_text())
    assert receipt["arithmetic"] == "bf16-stepwise"
    assert any("stored as F32, written as BF16" in note for note in receipt["notes"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["merge", "a", "b"], "recipe file"),
        (["merge", "--linear", "a=1", "out"], "at least two"),
        (["merge", "--linear", "a=1", "b", "out"], "not MODEL=WEIGHT"),
        (["merge", "--linear", "a=x", "b=1", "out"], "not MODEL=WEIGHT"),
        (["merge", "--linear", "a=nan", "b=1", "out"], "not a number"),
        (["merge", "--linear", "a=1", "a=1", "out"], "given twice"),
        (["merge", "--linear", "a=1", "b=1", "out", "--arithmetic", "fp9"], "fp9"),
        (["merge", "--linear", "a=1", "b=1", "out", "--missing", "maybe"], "--missing"),
        (["merge", "--linear", "/no/where=1", "b=1", "out"], "nothing is at"),
        (["verify", "a", "--recipe", "b"], "not a recipe file"),
    ],
)
def test_usage_errors_say_what_is_wrong(words: list[str], message: str) -> None:
    with pytest.raises(ModelprovError, match=message) as caught:
        run(*words)
    assert caught.value.exit_code == 2
