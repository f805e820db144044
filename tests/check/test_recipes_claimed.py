"""Merge recipes that a publisher left: in files, in the front matter, in a code block; and what is none."""

import json

import pytest

from modelprov.check.read_claims import read_claims

CONFIG = """models:
  - model: a/b
    parameters: {weight: 0.6}
  - model: c/d
    parameters: {weight: 0.4}
merge_method: linear
dtype: bfloat16
"""
OTHER = CONFIG.replace("0.6", "0.5").replace("0.4", "0.5")
BLOCK = f"# Rio\n\nText.\n\n```yaml\n{CONFIG}```\n"


def found(folder):
    claims = read_claims(folder)
    return [(one.kind, one.path, one.location.line) for one in claims.recipes], [
        (one.location.file, one.about) for one in claims.problems
    ]


def write(folder, **files):
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


def test_every_place_for_a_recipe_is_read(tmp_path):
    write(tmp_path, mergekit_config__yml=CONFIG, recipe__yml=OTHER)
    write(tmp_path, merge_receipt__json=json.dumps({"schema": 1, "recipe": {"merge_method": "linear", "models": []}}))
    front = "---\nmerge_recipe:\n  merge_method: slerp\n  models: []\n---\n"
    write(tmp_path, README__md=front)
    recipes, problems = found(tmp_path)
    assert recipes == [
        ("mergekit config", "mergekit_config.yml", 1),
        ("modelprov recipe", "recipe.yml", 1),
        ("merge receipt", "merge_receipt.json", None),
        ("modelprov recipe", "README.md", 3),
    ]
    assert problems == []
    assert read_claims(tmp_path).recipes[0].content["models"][0]["parameters"] == {"weight": 0.6}


def test_the_only_recipe_in_the_cards_text_counts_with_its_line(tmp_path):
    write(tmp_path, README__md="---\nlicense: mit\n---\n" + BLOCK)
    assert found(tmp_path) == ([("mergekit config", "README.md", 9)], [])


def test_a_recipe_that_stands_in_two_places_is_one(tmp_path):
    write(tmp_path, README__md=BLOCK, mergekit_config__yml=CONFIG, recipe__yaml="# the same\n" + CONFIG)
    assert found(tmp_path)[0] == [("mergekit config", "mergekit_config.yml", 1)]


def test_several_recipes_in_the_text_are_steps_or_examples_and_none_counts(tmp_path):
    write(tmp_path, README__md=BLOCK + f"\n```yaml\n{OTHER}```\n")
    assert found(tmp_path) == ([], [])
    write(tmp_path, README__md=BLOCK + "\n" + BLOCK)
    assert len(found(tmp_path)[0]) == 1


@pytest.mark.parametrize("language", ["python", "bash", "json"])
def test_code_in_another_language_is_no_recipe(tmp_path, language):
    write(tmp_path, README__md=BLOCK.replace("yaml", language))
    assert found(tmp_path) == ([], [])


def test_a_recipe_file_that_is_for_something_else_is_no_problem(tmp_path):
    write(tmp_path, recipe__yaml="default_stage:\n  modifiers: []\n")
    assert found(tmp_path) == ([], [])


def test_a_mixture_of_experts_is_a_recipe(tmp_path):
    write(tmp_path, mergekit_config__yml="base_model: a/b\ngate_mode: hidden\nexperts:\n- source_model: c/d\n")
    assert len(found(tmp_path)[0]) == 1


@pytest.mark.parametrize(
    ("name", "text", "about"),
    [
        ("mergekit_config.yml", "a: [", "not YAML"),
        ("recipe.yml", "a: [", "not YAML"),
        ("mergekit_config.yml", "a: b\n", "no recipe"),
        ("mergekit_config.yml", "", "no recipe"),
        ("mergekit_config.yml", b"\xff\xfe", "encoding"),
        ("mergekit_config.yml", "a: " + "[" * 9000, "too large"),
        ("merge_receipt.json", "{", "not JSON"),
        ("merge_receipt.json", "[" * 200_000, "not JSON"),
        ("merge_receipt.json", "[]", "no receipt"),
        ("merge_receipt.json", '{"recipe": 3}', "no receipt"),
        ("README.md", "---\nmerge_recipe: 3\n---\n", "merge_recipe"),
    ],
)
def test_a_file_that_should_hold_a_recipe_and_does_not_is_a_problem(tmp_path, name, text, about):
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    assert found(tmp_path) == ([], [(name, about)])


def test_a_file_of_several_recipes_is_named_as_such(tmp_path):
    write(tmp_path, mergekit_config__yml=f"name: first\n{CONFIG}---\n{OTHER}")
    (problem,) = read_claims(tmp_path).problems
    assert "mergekit_config.yml: several recipes stand in one file" in problem.message
    assert (problem.about, problem.location.line) == ("several documents", 9)
    write(tmp_path, mergekit_config__yml=CONFIG, recipe__yml="- hosts: all\n---\n- hosts: none\n")
    (other,) = read_claims(tmp_path).problems
    assert "several documents" in other.message


def test_a_recipe_that_is_too_large_or_a_folder_is_a_problem(tmp_path, monkeypatch):
    monkeypatch.setattr("modelprov.check.recipes_claimed.MAX_RECIPE", 10)
    write(tmp_path, mergekit_config__yml=CONFIG)
    (tmp_path / "merge_receipt.json").mkdir()
    assert found(tmp_path) == ([], [("mergekit_config.yml", "unreadable"), ("merge_receipt.json", "unreadable")])


def test_what_modelprov_merge_writes_is_read_back(tmp_path):
    from modelprov.recipes.reading import parse

    front = parse(CONFIG).model_dump(mode="json", exclude_defaults=True)
    write(tmp_path, recipe__yml=parse(CONFIG).as_yaml(), merge_receipt__json=json.dumps({"recipe": front}))
    write(tmp_path, README__md=f"---\nmerge_recipe: {json.dumps(front)}\n---\n{BLOCK}")
    assert [one[0] for one in found(tmp_path)[0]] == ["modelprov recipe", "merge receipt"]
