"""Recipes: what is read, what is refused, and with which words; parameters of one tensor."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelprov.errors import UsageError
from modelprov.merge.checking import check_recipe, method_of
from modelprov.merge.groups import weighted_groups
from modelprov.merge.settings import settings_of
from modelprov.merge.virtual import plan_recipe
from modelprov.recipes.gradients import resolve
from modelprov.recipes.reading import load, parse
from modelprov.recipes.recipe import Group, linear
from tests.merge.conftest import model

TIES = """
merge_method: ties
base_model: base
models:
- model: a
  parameters:
    weight: [0, 0.5, 1]
    density:
    - {filter: self_attn, value: 0.25}
    - value: [0.5, 1]
- model: b
  parameters: {weight: 1}
parameters:
  density: 0.75
  int8_mask: true
dtype: bfloat16
"""


def refusal(text: str) -> str:
    with pytest.raises(UsageError) as caught:
        check_recipe(parse(text))
    return caught.value.message


def test_a_recipe_survives_being_written_and_read() -> None:
    recipe = parse(TIES)
    assert parse(recipe.as_yaml()) == recipe
    short = linear({"nex": 0.6, "qwen": 0.4})
    assert parse(short.as_yaml()) == short
    assert recipe.locations == ("a", "b", "base")


def test_an_unknown_key_is_an_error_that_lists_the_known_ones() -> None:
    message = refusal("merge_method: linear\nmodels: [{model: a}]\nmerge_metod: x\n")
    assert "merge_metod" in message
    assert "merge_method" in message
    assert "out_dtype" in message
    inside = refusal("merge_method: linear\nmodels:\n- {model: a, weight: 1}\n")
    assert "models.0.weight" in inside
    assert "layer_range, parameters" in inside
    assert "base, drop" not in inside
    assert "seed" in refusal("merge_method: linear\nmodels: [{model: a}]\nmodelprov: {sed: 1}\n")


def test_an_unknown_method_or_arithmetic_is_an_error_that_lists_the_known_ones() -> None:
    method = refusal("merge_method: avarage\nmodels: [{model: a}, {model: b}]\n")
    assert "avarage" in method
    assert "slerp" in method
    arithmetic = refusal(
        "merge_method: linear\nmodels: [{model: a, parameters: {weight: 1}}]\nmodelprov: {arithmetic: x}"
    )
    assert "mergekit-0.1.4" in arithmetic
    assert "bf16-stepwise" in arithmetic


def test_an_unknown_parameter_is_an_error_that_lists_the_known_ones() -> None:
    message = refusal("merge_method: linear\nmodels:\n- {model: a, parameters: {wieght: 1}}\n")
    assert "wieght" in message
    assert "weight" in message.replace("wieght", "")
    assert "global" in refusal("merge_method: linear\nmodels:\n- {model: a, parameters: {normalize: true}}\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("merge_method: linear\n", "models"),
        ("merge_method: linear\nmodels: []\n", "models"),
        (
            "merge_method: linear\nmodels: [{model: a}]\nslices: [{sources: [{model: a, layer_range: [0, 1]}]}]",
            "either",
        ),
        ("merge_method: linear\nmodels: [{model: a, layer_range: [0, 2]}]", "slices"),
        ("merge_method: passthrough\nslices: [{sources: [{model: a, layer_range: [2, 2]}]}]", "empty"),
        ("merge_method: linear\nmodels: [{model: a}]\ndtype: int8\n", "bfloat16"),
        ("merge_method: linear\nmerge_method: ties\nmodels: [{model: a}]", "twice"),
        ("- a\n", "not a merge recipe"),
        ("merge_method: [", "YAML"),
        ("merge_method: slerp\nmodels: [{model: a}, {model: b}]", "base_model"),
        ("merge_method: slerp\nbase_model: a\nmodels: [{model: a}, {model: b}, {model: c}]", "names 2"),
        ("merge_method: linear\nmodels: [{model: a, parameters: {weight: [x, 1]}}]", "list of numbers"),
        ("merge_method: linear\nmodels: [{model: a}]\ntokenizer: {tokens: {}}", "tokenizer_source"),
    ],
)
def test_what_is_wrong_is_said(text: str, words: str) -> None:
    assert words in refusal(text)


def test_a_recipe_that_is_not_there_is_an_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"cannot read .*no\.yml"):
        load(tmp_path / "no.yml")


def test_gradients_run_over_the_layers() -> None:
    assert resolve("x", [0, 1], 0.25) == pytest.approx(0.25)
    assert resolve("x", [0, 0.5, 1], 0.5) == pytest.approx(0.5)
    assert resolve("x", [0, 10, 0], 0.75) == pytest.approx(5)
    assert resolve("x", [3], 0.4) == 3
    assert resolve("x", [1, 2], 1) == 2


def test_the_first_filter_that_fits_counts_and_defaults_fill_in() -> None:
    recipe = parse(TIES)
    method = method_of(recipe)
    sources = recipe.models
    attention = settings_of("model.layers.0.self_attn.q_proj.weight", 0.5, method, recipe, None, sources)
    other = settings_of("model.layers.0.mlp.up_proj.weight", 0.5, method, recipe, None, sources)
    assert [one["density"] for one in attention.models] == [0.25, 0.75]
    assert [one["density"] for one in other.models] == [0.75, 0.75]
    assert [one["weight"] for one in other.models] == [0.5, 1]
    assert attention.options["lambda"] == 1


def test_a_required_parameter_that_is_nowhere_is_an_error() -> None:
    recipe = parse("merge_method: linear\nmodels: [{model: a}, {model: b}]")
    with pytest.raises(UsageError, match=r"weight.*for a"):
        settings_of("x", 0, method_of(recipe), recipe, None, recipe.models)


def test_groups_are_read_as_compare_writes_them() -> None:
    words = "layers 0-2, 5; model.layers.mlp.up_proj.weight (layers 7, 9); model.norm.weight"
    (group,) = weighted_groups([Group(tensors=words, weights={"x/nex": 0.5, "qwen": 0.25})], ["a/x/nex", "b/qwen"])
    assert group.weights == (0.5, 0.25)
    assert group.tensors.covers(2, "anything")
    assert not group.tensors.covers(3, "anything")
    assert group.tensors.covers(9, "model.layers.mlp.up_proj.weight")
    assert not group.tensors.covers(8, "model.layers.mlp.up_proj.weight")
    assert group.tensors.covers(None, "model.norm.weight")
    with pytest.raises(UsageError, match="means nothing"):
        weighted_groups([Group(tensors="every second one", weights={"a": 1})], ["a"])


def test_the_weight_of_a_location_counts_before_that_of_the_end_of_one() -> None:
    (group,) = weighted_groups([Group(tensors="all tensors", weights={"b": 0.25, "a/b": 0.75})], ["a/b", "b"])
    assert group.weights == (0.75, 0.25)


def test_a_label_that_two_models_end_in_is_an_error_that_names_both() -> None:
    with pytest.raises(UsageError, match="'nex', for two models: a/nex and b/nex"):
        weighted_groups([Group(tensors="all tensors", weights={"nex": 0.5})], ["a/nex", "b/nex"])
    assert weighted_groups([Group(tensors="all tensors", weights={"a/nex": 0.5, "nex": 1})], ["a/nex", "b/nex"])


def test_a_weight_for_no_model_is_an_error() -> None:
    with pytest.raises(UsageError, match="'quen', which is no model") as caught:
        weighted_groups([Group(tensors="all tensors", weights={"nex": 0.5, "qwen": 1, "quen": 1})], ["nex", "qwen"])
    assert "nex, qwen" in caught.value.advice
    assert weighted_groups([Group(tensors="all tensors", weights={"nex": 1, "qwen": 0})], ["nex"])  # says nothing


@pytest.mark.parametrize(
    ("groups", "message", "advice"),
    [
        (["layers 0-2; layers 7"], "'layers 7' means no tensor", "layers 0-1"),
        (["model.layers.mlp.up_proj.weight (layers 0, 9)"], None, ""),
        (["model.layers.mlp.up_proj.weight (layers 9)"], "means no tensor", "layers 0-1"),
        (["model.norm.weight (layers 1)"], "means no tensor", "in no layer"),
        (["model.layers.mlp.up_proj.wieght"], "means no tensor", "'model.layers.mlp.up_proj.weight'"),
        (["model.layers.0.mlp.up_proj.weight"], "means no tensor", "'model.layers.mlp.up_proj.weight'"),
        (["all tensors", "layers 1"], "'layers 1' belongs to a group before it", "first group"),
        (["layers 1", "all tensors"], None, ""),
        (["outside the layers", "layers 0-1"], None, ""),
    ],
)
def test_a_group_that_means_no_tensor_is_an_error_that_says_which_there_are(
    groups: list[str], message: str | None, advice: str, tmp_path: Path
) -> None:
    a, b = model(tmp_path / "a", layers=2), model(tmp_path / "b", layers=2)
    said = ", ".join(f"{{tensors: '{words}', weights: {{{a}: 1, {b}: 3}}}}" for words in groups)
    models = ", ".join(f"{{model: {each}, parameters: {{weight: 1}}}}" for each in (a, b))
    text = f"merge_method: linear\nmodels: [{models}]\nmodelprov: {{groups: [{said}]}}"
    if message is None:
        assert plan_recipe(parse(text)).tensors
        return
    with pytest.raises(UsageError, match=message) as caught:
        plan_recipe(parse(text))
    assert advice in caught.value.advice
