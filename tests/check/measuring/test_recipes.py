"""Recipes in a folder: computed with the models on this machine, and what less than every bit proves."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from modelprov.check.interface import ClaimedRecipe
from modelprov.check.measuring.recipes import ARITHMETIC, INPUTS, OTHERS, Remade, measure_recipes
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.forensics.search.reproduce import Limits
from tests.check.conftest import Silent
from tests.factories import write_safetensors


def recipe(
    nex: float = 0.565, arithmetic: str | None = "float32", names: tuple[str, str] = ("org/nex", "org/qwen")
) -> Any:
    models = [
        {"model": name, "parameters": {"weight": weight}} for name, weight in zip(names, (nex, 1 - nex), strict=True)
    ]
    extension = {} if arithmetic is None else {"modelprov": {"arithmetic": arithmetic}}
    return {"merge_method": "linear", "models": models, "dtype": "bfloat16"} | extension


def remade(trained: Path, *claimed: ClaimedRecipe, model: str = "rio", **places: str) -> Remade:
    where = {f"org/{name}": str(trained / name) for name in ("nex", "qwen")} | places
    checkpoint = open_checkpoint(str(trained / model))
    return measure_recipes(checkpoint, claimed, where, trained / model, Limits(threads=1), Silent())


def config(content: Any, path: str = "mergekit_config.yml") -> ClaimedRecipe:
    return ClaimedRecipe("mergekit config", path, content)


def receipt(trained: Path, content: Any) -> ClaimedRecipe:
    held = json.loads((trained / "rio" / "merge_receipt.json").read_text())
    return ClaimedRecipe("merge receipt", "merge_receipt.json", held | {"recipe": content})


def test_the_recipe_that_was_used_makes_every_bit(trained: Path) -> None:
    found = remade(trained, config(recipe()))
    assert found.equal == {"mergekit_config.yml": 1.0}


def test_a_config_without_an_arithmetic_is_tried_in_all_that_are_known(trained: Path) -> None:
    own = yaml.safe_load(yaml.safe_dump(recipe(arithmetic=None)))
    assert remade(trained, config(own)).equal == {"mergekit_config.yml": 1.0}


@pytest.mark.parametrize(("arithmetic", "doubt"), [("float32", INPUTS), (None, ARITHMETIC)])
def test_without_a_receipt_other_bits_prove_nothing(trained: Path, arithmetic: str | None, doubt: str) -> None:
    found = remade(trained, config(recipe(0.6, arithmetic)))
    assert found.equal["mergekit_config.yml"] < 0.9
    assert doubt in found.doubts["mergekit_config.yml"]


def test_with_a_receipt_of_these_very_models_other_bits_are_held_against_it(trained: Path) -> None:
    found = remade(trained, config(recipe(0.6)), receipt(trained, recipe(0.6)))
    assert found.equal["merge_receipt.json"] < 0.9
    assert found.doubts == {}


def test_models_that_are_not_those_of_the_receipt_prove_nothing(trained: Path) -> None:
    places = {"org/nex": str(trained / "sibling")}
    found = remade(trained, receipt(trained, recipe()), **places)
    assert found.equal["merge_receipt.json"] < 0.9
    assert found.doubts == {"merge_receipt.json": OTHERS}


@pytest.mark.parametrize("inputs", [None, 7, [], [1], [{"sampled_digest": None}], {"a": 1}])
def test_a_receipt_with_hostile_inputs_settles_nothing(trained: Path, inputs: Any) -> None:
    one = receipt(trained, recipe(0.6))
    hostile = ClaimedRecipe("merge receipt", one.path, dict(one.content) | {"inputs": inputs})
    assert remade(trained, hostile).doubts


def test_a_model_that_is_not_here_and_a_random_method_are_not_tried(trained: Path) -> None:
    absent = config(recipe(names=("org/nowhere-at-all", "org/qwen")))
    dare = recipe(arithmetic=None) | {"merge_method": "dare_linear", "base_model": "org/qwen"}
    dare["models"] = [{"model": "org/nex", "parameters": {"weight": 1.0, "density": 0.5}}]
    found = remade(trained, absent, config(dare, "recipe.yml"))
    assert found.equal == {}
    assert "org/nowhere-at-all" in found.missing["recipe mergekit_config.yml"]
    assert "random" in found.missing["recipe recipe.yml"]


def test_a_recipe_that_is_none_is_said(trained: Path) -> None:
    found = remade(trained, config({"merge_method": "linear", "models": 7}))
    assert "recipe mergekit_config.yml" in found.missing


def test_tensors_that_no_recipe_makes_are_no_contradiction(trained: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(trained / "rio", tmp_path / "rio"))
    (folder / "model.safetensors.index.json").unlink()  # then every file of the folder belongs
    write_safetensors(folder / "extra.safetensors", {"extra.adapter.weight": np.ones((64, 64), np.float32)})
    where = {f"org/{name}": str(trained / name) for name in ("nex", "qwen")}
    checkpoint = open_checkpoint(str(folder))
    found = measure_recipes(checkpoint, [config(recipe())], where, folder, Limits(threads=1), Silent())
    assert found.equal["mergekit_config.yml"] < 1
    assert "all of those are as it makes them" in found.doubts["mergekit_config.yml"]
