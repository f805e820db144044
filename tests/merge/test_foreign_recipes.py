"""Recipes of strangers: every number is finite and of a sane type before anything is read, and nothing is endless."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from modelprov.errors import ModelprovError, UsageError
from modelprov.merge.checking import check_recipe
from modelprov.merge.virtual import open_models, plan_recipe
from modelprov.recipes.methods import METHODS
from modelprov.recipes.reading import load, parse
from modelprov.recipes.recipe import linear
from tests.merge.conftest import model

NO_NUMBERS = (
    "1e400", ".inf", "-.inf", ".nan", "abc", "true", "no", "-1e309", "9" * 5_000, "1e39", "-4e38", "'nan'", "'inf'",
    "'1_0'", "'0x10'", "'１'", "''", "null", "2024-13-45", "2024-01-01",
    "{}", "[]", "{a: 1}", "!!int ''", "!!float 0o17",
    "[[1]]", "[1, [2]]", "[1, {filter: x, value: 1}]", "[{filter: x}]", "[{value: [{value: 1}]}]", "!!binary aGk=",
    "0x" + "f" * 290, "1" + ":1" * 100_000, "[true, 1]", "[{filter: 5, value: 1}]", "[{filter: [x], value: 1}]",
)  # fmt: skip
PLACES = {
    "a value": "{}",
    "a gradient": "[1, {}]",
    "a filter": "[{{filter: mlp, value: {}}}, {{value: 1}}]",
    "a gradient in a filter": "[{{filter: mlp, value: [1, {}]}}, {{value: 1}}]",
}
NEEDS = {"weight": "1", "t": "0.5"}


def recipe_text(method: str, name: str, setting: str) -> str:
    """A recipe whose parameter `name` is `setting`, all others as they have to be."""
    found = METHODS[method]
    per_model = {one.name: NEEDS[one.name] for one in found.parameters if one.default is None and one.per_model}
    shared = {one.name: NEEDS[one.name] for one in found.parameters if one.default is None and not one.per_model}
    (per_model if any(one.name == name and one.per_model for one in found.parameters) else shared)[name] = setting
    names = ["a", "b"] if found.fewest > 1 or found.most != 1 else ["a"]
    lines = [f"merge_method: {method}", *(["base_model: base"] if found.needs_base else []), "models:"]
    own = ", ".join(f"{key}: {value}" for key, value in per_model.items())
    lines += [f"- {{model: {one}, parameters: {{{own}}}}}" for one in names]
    return "\n".join([*lines, "parameters:", *(f"  {key}: {value}" for key, value in shared.items()), "  int8_mask: 1"])


def refused(text: str) -> str:
    with pytest.raises(UsageError) as caught:
        check_recipe(parse(text))
    assert len(caught.value.message) < 600
    return caught.value.message


PARAMETERS = [(method.name, one.name) for method in METHODS.values() for one in method.parameters]


@pytest.mark.parametrize(("method", "name"), PARAMETERS)
def test_every_parameter_of_every_method_takes_sane_values_only(method: str, name: str) -> None:
    parameter = next(one for one in METHODS[method].parameters if one.name == name)
    sane = {True: "true", False: "1"}[parameter.is_truth]
    sane = {"density": "0.5", "epsilon": "0.2", "t": "0.5"}.get(name, sane)
    if name != "epsilon":
        check_recipe(parse(recipe_text(method, name, sane)))
    for setting in NO_NUMBERS:
        if parameter.is_truth and setting in ("true", "no"):
            continue
        message = refused(recipe_text(method, name, setting))
        if setting not in ("{}",):
            assert name in message or "recipe" in message, setting


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("setting", ["1e400", ".inf", ".nan", "abc", "true", "1e39", "9" * 5_000])
def test_a_number_that_is_none_is_found_wherever_a_setting_may_stand(place: str, setting: str) -> None:
    assert "weight" in refused(recipe_text("linear", "weight", place.format(setting)))
    assert "density" in refused(recipe_text("ties", "density", place.format(setting)))
    piece = "sources: [{model: a, layer_range: [0, 1], parameters: {weight: 1}}]"
    slices = f"merge_method: linear\nslices:\n- {{{piece}, parameters: {{weight: {place.format(setting)}}}}}"
    assert "slice 0" in refused(slices)


@pytest.mark.parametrize(
    ("method", "name", "setting", "words"),
    [
        ("ties", "density", "1.5", "between 0 and 1"),
        ("ties", "density", "-0.1", "between 0 and 1"),
        ("breadcrumbs", "gamma", "2", "between 0 and 1"),
        ("della", "epsilon", "1.1", "between 0 and 1"),
        ("sce", "select_topk", "1.1", "between 0 and 1"),
        ("karcher", "max_iter", "1000000000000", "between 0 and"),
        ("karcher", "max_iter", "1.5", "whole number"),
        ("karcher", "tol", "-1e-5", "0 or more"),
        ("nearswap", "t", "-1", "0 or more"),
        ("linear", "normalize", "2", "neither true nor false"),
        ("linear", "normalize", "'false'", "neither true nor false"),
        ("linear", "weight", "0", "sum to zero"),
        ("nuslerp", "weight", "0", "sum to zero"),
        ("linear", "weight", "3e38", "add up to more than float32"),
    ],
)
def test_a_number_outside_its_domain_is_said_before_anything_is_read(
    method: str, name: str, setting: str, words: str
) -> None:
    assert words in refused(recipe_text(method, name, setting))


def test_parameters_that_do_not_go_together_are_said_before_anything_is_read() -> None:
    text = recipe_text("della", "epsilon", "0.6").replace("parameters:\n", "parameters:\n  density: 0.5\n")
    assert "epsilon has to be smaller" in refused(text)


def test_text_that_spells_a_number_counts_since_yaml_takes_it_for_text() -> None:
    check_recipe(parse(recipe_text("karcher", "tol", "1e-5")))
    check_recipe(parse(recipe_text("linear", "weight", "'0.5'")))
    check_recipe(parse(recipe_text("linear", "normalize", "1")))


@pytest.mark.parametrize("weight", [float("inf"), float("nan"), 1e400, 1e39, -1e309, 3.5e38])
def test_the_short_form_takes_sane_weights_only(weight: float) -> None:
    with pytest.raises(UsageError, match="weight of a"):
        linear({"a": weight, "b": 1.0})


@pytest.mark.parametrize(
    "extension",
    [
        "groups: [{tensors: all tensors, weights: {a: 1e400, b: 1}}]",
        "groups: [{tensors: all tensors, weights: {a: .nan, b: 1}}]",
        "groups: [{tensors: all tensors, weights: {a: true, b: 1}}]",
        "groups: [{tensors: all tensors, weights: {a: abc, b: 1}}]",
        "bit_equal: .inf",
        "seed: 1e400",
        "seed: .inf",
        "seed: true",
        "seed: 1.5",
        "seed: " + "9" * 200,
        "stored_as: {a: [b]}",
    ],
)
def test_the_extension_takes_sane_numbers_only(extension: str) -> None:
    models = "models: [{model: a, parameters: {weight: 1}}, {model: b, parameters: {weight: 1}}]"
    refused(f"merge_method: linear\n{models}\nmodelprov: {{{extension}}}")


@pytest.mark.parametrize(
    "layers", ["[0, .inf]", "[true, 2]", "['0', 1]", "[0, 9" + "9" * 400 + "]", "[0.0, 1]", "[0]", "0"]
)
def test_a_range_of_layers_is_two_whole_numbers(layers: str) -> None:
    refused(f"merge_method: passthrough\nslices: [{{sources: [{{model: a, layer_range: {layers}}}]}}]")


@pytest.mark.parametrize(
    "words",
    [
        "layers 0-99999999999", "layers 5-2", "layers 1,,2", "layers -", "layers " + "9" * 5_000,
        "x (layers 0-99999999999)", "x (layers 1-2-3)", "layers ١-٢",
    ],
)  # fmt: skip
def test_group_words_without_end_or_sense_are_an_error(words: str, tmp_path: Path) -> None:
    a, b = model(tmp_path / "a"), model(tmp_path / "b")
    group = f"{{tensors: '{words}', weights: {{{a}: 1, {b}: 1}}}}"
    models = ", ".join(f"{{model: {one}, parameters: {{weight: 1}}}}" for one in (a, b))
    recipe = parse(f"merge_method: linear\nmodels: [{models}]\nmodelprov: {{groups: [{group}]}}")
    with pytest.raises(UsageError, match="group"):
        plan_recipe(recipe)


def test_group_words_of_a_megabyte_end_soon(tmp_path: Path) -> None:
    a, b = model(tmp_path / "a"), model(tmp_path / "b")
    words = "layers " + "0-9999, " * 60_000 + "1; " + "model.norm.weight; " * 20_000 + "lm_head.weight"
    group = f"{{tensors: '{words}', weights: {{{a}: 1, {b}: 1}}}}"
    models = ", ".join(f"{{model: {one}, parameters: {{weight: 1}}}}" for one in (a, b))
    started = time.process_time()
    plan_recipe(parse(f"merge_method: linear\nmodels: [{models}]\nmodelprov: {{groups: [{group}]}}"))
    assert time.process_time() - started < 20


HEAD = "merge_method: linear\nmodels: [{model: a}]\nparameters: "
HOSTILE = {
    "alias bomb": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{'bcdefgh'[i]}: &{'bcdefgh'[i]} [{','.join(['*' + 'abcdefg'[i]] * 9)}]\n" for i in range(7)),
    "bomb as a weight": "merge_method: linear\nmodels: [{model: a, parameters: {weight: &a [1,1,1,1,1,1]}}]\nx: [*a]",
    "many keys": "merge_method: linear\n" + "".join(f"k{i}: 1\n" for i in range(60_000)),
    "many parameters": HEAD + "{" + ", ".join(f"k{i}: 1" for i in range(60_000)) + "}",
    "deep lists": "- " * 40_000,
    "deep keys": "? " * 40_000,
    "itself": HEAD + "&a {weight: *a}",
    "itself as a list": HEAD + "{weight: &a [*a]}",
    "a date": "merge_method: linear\nname: 2024-13-45\nmodels: [{model: a, layer_range: [2024-01-01, 2]}]",
    "a tag": HEAD + "{weight: !!python/object:os.system 1}",
    "a set": HEAD + "!!set {a, b}",
    "a long name": "merge_method: " + "x" * 1_000_000,
    "a long key": "merge_method: linear\n" + "? " + "x" * 1_000_000 + "\n: 1",
    "a long location": "merge_method: linear\nmodels: [{model: " + "a/" * 400_000 + "}, {model: b}]",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_recipe_ends_soon_with_one_short_message(text: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yml"
    path.write_text(text)
    started = time.process_time()
    with pytest.raises(ModelprovError) as caught:
        open_models(load(path), tmp_path)
    assert time.process_time() - started < 20
    assert len(caught.value.message) < 3_000


def test_numbers_are_judged_before_any_model_is_opened() -> None:
    text = "merge_method: linear\nmodels: [{model: /no/where, parameters: {weight: 1e400}}]"
    with pytest.raises(UsageError, match="weight is 1e400, not a number that can be computed with"):
        open_models(parse(text))
