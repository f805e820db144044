"""Notation of mergekit that is not built is named for what it is, with what to do, wherever a recipe is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelprov.errors import CheckpointNotFoundError, ModelprovError, UsageError
from modelprov.merge.checking import check_recipe
from modelprov.merge.virtual import open_models
from modelprov.recipes.reading import load, parse
from modelprov.recipes.recipe import linear
from tests.merge.conftest import model

TWO = "models: [{model: a, parameters: {weight: 1}}, {model: b, parameters: {weight: 1}}]"
LINEAR = f"merge_method: linear\n{TWO}\n"
PLAIN = "{model: a, parameters: {weight: 1}}"
SLICE = "sources: [{model: a, layer_range: [0, 1], parameters: {weight: 1}}]"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("base_model: a\ngate_mode: hidden\nexperts: [{source_model: b}, {source_model: c}]", "no positive_prompts"),
        ("base_model: a\ngate_mode: best\nexperts: [{source_model: b}]", "gate_mode"),
        ("gate_mode: random\nexperts: [{source_model: b}]", "takes base_model"),
        (f"{LINEAR}experts: [{{source_model: b}}]", "of a mixture"),
        ("base_model: a\ngate_mode: random\nexperts: [{source_model: b}]", "experts_per_token is 2 of 1"),
        ("base_model: a\ngate_mode: random\nexperts: [{source_model: b}, {source_model: c, noise_scale: 1}]", "noise"),
        ("base_model: a\ngate_mode: random\nexperts: [{source_model: b}, {source_model: b}]", "the same model"),
        ("base_model: a\nexperts: [{source_model: b, prompts: [x]}]", "positive_prompts"),
        ("genome: {models: [a, b], merge_method: linear}\ntasks: [x]", "mergekit-evolve"),
        ("layer_slices: [{model: a, start: 0, end: 4}]", "bakllama"),
        (f"{LINEAR}tokenizer: {{source: union, pad_to_multiple_of: 64}}", "only `source` is built"),
        (f"{LINEAR}tokenizer: {{source: union}}\ntokenizer_source: union", "only `source` is built"),
        ("merge_method: linear\nmodules: {text: {models: []}}", "text model"),
        (f"{LINEAR}input_model_parameters: {{}}", "its own `parameters`"),
        (f"{LINEAR}lora: x", "adapters"),
        (f"merge_method: linear\nslices: [{{{SLICE}, base_model: a}}]", "base of one slice"),
        (f"merge_method: linear\nslices: [{{{SLICE}, residual_weight: 0.5}}]", "residual"),
        ("merge_method: linear\nmodels: [{model: {model: {path: a}, lora: {path: b}}}]", "mapping of a model"),
        (f"{LINEAR}base_model: {{model: {{path: a, revision: main}}}}", "mapping of a model"),
        (f"{LINEAR}tokenizer_source: {{model: {{path: a}}}}", "mapping of a model"),
        (f"{LINEAR}tokenizer_source: model:a", "location stands alone"),
        (f"{LINEAR}tokenizer_source: c", "not a model of the recipe"),
        (f"{LINEAR}chat_template: ChatML", "Known: auto|neither a template nor a file"),
        (f"{LINEAR}chat_template: my-own", "neither a template nor a file"),
        (f"merge_method: ram\nbase_model: c\n{TWO}", "Reinforced Agent Merging"),
        (f"{LINEAR}out_dtype: float64", "not a format that can be merged"),
        (f"{LINEAR}modelprov: {{stored_as: {{x: int8}}}}", "not a format that can be merged"),
    ],
)
def test_what_mergekit_knows_and_we_do_not_is_named(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        check_recipe(parse(text))
    assert caught.value.advice


@pytest.mark.parametrize("text", [f"{LINEAR}---\n{LINEAR}", f"name: x\n{LINEAR}---\nname: y\n{LINEAR}"])
def test_several_documents_of_which_none_or_two_are_to_be_made_are_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "r.yml").write_text(text)
    with pytest.raises(UsageError, match=r"line \d+: several recipes .*mergekit-multi"):
        load(tmp_path / "r.yml")


def test_of_several_documents_the_one_without_a_name_names_the_others() -> None:
    one = "name: x\n" + LINEAR
    text = f"# a comment\n---\n{one}---\n# another\n---\nmerge_method: linear\nmodels: [{{model: x}}, {{model: c}}]\n"
    recipe = parse(text)
    assert recipe.locations == ("x", "c")
    assert recipe.sources == ("a", "b", "c")
    assert recipe.recipes["x"] == parse(one)
    assert parse(recipe.as_yaml()) == recipe


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"name: x\n{LINEAR}---\n{LINEAR}", "'?x'? is a model of no other"),
        (f"name: x\n{LINEAR}---\nname: x\n{LINEAR}---\n{LINEAR}", "two recipes are called"),
        (f"name: x\n{LINEAR}---\nmerge_methods: linear", r"from line \d+ on"),
        (f"{LINEAR}recipes: {{x: {{merge_methods: 1}}}}", "merge_method"),
    ],
)
def test_what_is_wrong_in_several_documents_is_said(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse(text)


@pytest.mark.parametrize("method", ["slerp", "nearswap", "arcee_fusion"])
def test_a_base_that_is_a_third_model_is_named_as_such(method: str) -> None:
    text = f"merge_method: {method}\nbase_model: c\nmodels: [{{model: a}}, {{model: b}}]\nparameters: {{t: 0.5}}"
    with pytest.raises(UsageError, match=r"merges two models, and one of them is base_model.*a, b and, as a third.*c"):
        check_recipe(parse(text))


def test_a_folder_with_a_plus_in_its_name_is_no_base_with_an_adapter(tmp_path: Path) -> None:
    a = model(tmp_path / "a")
    plus = model(tmp_path / "b+c")
    assert len(open_models(linear({str(a): 0.5, str(plus): 0.5}))) == 2
    assert len(open_models(linear({str(a): 0.5, "b+c": 0.5}), tmp_path)) == 2
    for nowhere in ("+x", "x+", "no/where"):
        with pytest.raises(CheckpointNotFoundError):
            open_models(linear({str(a): 0.5, nowhere: 0.5}))


@pytest.mark.parametrize("where", ["x" * 300, "~nobody-here/x.yml", "a\0b"])
def test_a_location_that_no_system_takes_is_an_error_in_words(where: str, tmp_path: Path) -> None:
    with pytest.raises(ModelprovError):
        open_models(linear({where: 1.0}), tmp_path)
