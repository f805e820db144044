"""What a merge refuses is refused by its dry run with the same words; what is wrong in the recipe, by `verify` too."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from modelprov.errors import ModelprovError, UsageError
from modelprov.jobs.merge import merge
from modelprov.jobs.verify import verify
from modelprov.merge.virtual import open_any
from tests.merge.conftest import model


def refusal(run: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(ModelprovError) as caught:
        run()
    return caught.value.message, caught.value.advice


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two models and what else recipes of these tests name; recipes go beside them."""
    for name in ("a", "b", "c"):
        model(tmp_path / name)
    wide = np.arange(12.0).reshape(3, 4)
    for name in ("wide", "wider"):
        model(tmp_path / name, **{"model.extra.weight": (wide, "F64")})
    (tmp_path / "empty.jinja").write_text("no template")
    return tmp_path


def recipe(folder: Path, text: str, method: str = "linear", names: tuple[str, ...] = ("a", "b")) -> Path:
    models = [f"- {{model: {name}, parameters: {{weight: 0.5}}}}" for name in names]
    path = folder / "recipe.yml"
    path.write_text("\n".join([f"merge_method: {method}", "models:", *models, text]))
    return path


def tried(path: Path, out: Path | None = None, **options: int) -> tuple[str, str]:
    """What the merge says, after the dry run said the same."""
    where = out or path.parent / "out"

    def run(dry: bool) -> object:
        return merge(path, where, dry_run=dry, **options)

    said = refusal(lambda: run(True))
    assert refusal(lambda: run(False)) == said
    return said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tokenizer_source: model:a", "not a model of the recipe"),
        ("tokenizer_source: d", "not a model of the recipe"),
        ("chat_template: vicuna", "neither a template nor a file"),
        ("chat_template: nowhere.jinja", "cannot read"),
        ("chat_template: empty.jinja", "holds no chat template"),
        ("chat_template: ../x.jinja", "neither a template nor a file"),
        ("out_dtype: float64", "not a format"),
        ("modelprov: {stored_as: {nothing.here: int8}}", "not a format"),
        ("modelprov: {groups: [{tensors: 'every second one', weights: {a: 1, b: 1}}]}", "means nothing"),
        ("base_model: c", "does not use it"),
        ("tokenizer: {source: union, tokens: {}}", "unknown key"),
    ],
)
def test_what_is_wrong_in_a_recipe_is_said_alike_by_merge_dry_run_verify_and_compare(
    folder: Path, text: str, words: str
) -> None:
    path = recipe(folder, text)
    said = tried(path)
    assert words in said[0]
    assert refusal(lambda: verify(folder / "a", path)) == said
    assert refusal(lambda: open_any(str(path))) == said
    assert not (folder / "out").exists()


@pytest.mark.parametrize("method", ["linear", "task_arithmetic", "ties"])
def test_a_format_that_cannot_be_computed_from_is_known_from_the_headers(folder: Path, method: str) -> None:
    base = "" if method == "linear" else "base_model: wider"
    path = recipe(folder, base, method, ("wide", "wider"))
    said = tried(path)
    assert said[0] == f"model.extra.weight is stored as F64, which {method} cannot merge exactly"
    assert refusal(lambda: verify(folder / "wide", path)) == said


def test_a_copy_of_a_wide_format_is_no_computation(folder: Path) -> None:
    (folder / "copy.yml").write_text("merge_method: passthrough\nmodels: [{model: wide}]")
    assert merge(folder / "copy.yml", folder / "out", dry_run=True).written is None
    assert merge(folder / "copy.yml", folder / "out").written is not None


def test_a_folder_that_cannot_be_made_is_said_by_the_dry_run(folder: Path) -> None:
    path = recipe(folder, "")
    (folder / "file").write_text("x")
    assert "already there" in tried(path, out=folder / "a")[0]
    assert "already there" in tried(path, out=folder / "file")[0]
    assert "File exists" in tried(path, out=folder / "file" / "out")[0]
    assert "Not a directory" in tried(path, out=folder / "file" / "deep" / "out")[0]
    if os.geteuid():
        (folder / "locked").mkdir(mode=0o500)
        assert "Permission denied" in tried(path, out=folder / "locked" / "out")[0]


def test_memory_and_disk_that_cannot_suffice_are_said_by_the_dry_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "looks at whole tensors" in tried(recipe(folder, "base_model: c", "ties"), memory=1)[0]
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("modelprov.merge.writing.shutil.disk_usage", lambda _path: usage)
    path = recipe(folder, "")
    assert "of disk" in tried(path)[0]
    dry = refusal(lambda: merge(path, folder / "not" / "yet" / "out", dry_run=True))
    assert "of disk" in dry[0]
    assert not (folder / "not").exists()


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json"])
def test_side_files_that_cannot_be_read_are_said_before_anything_is_computed(folder: Path, name: str) -> None:
    (folder / "a" / name).write_text("{")
    path = recipe(folder, "chat_template: '{{ messages }}'")
    assert f"{name} is not valid JSON" in tried(path)[0]
    assert not [file for file in folder.iterdir() if "out" in file.name]


def test_recipes_that_name_each_other_in_a_circle_are_an_error_in_words(folder: Path) -> None:
    for name, other in (("self", "self"), ("first", "second"), ("second", "first")):
        (folder / f"{name}.yml").write_text(f"merge_method: passthrough\nmodels: [{{model: {other}.yml}}]")
    for path in sorted(folder.glob("*.yml")):
        assert "is a model of itself" in tried(path)[0]
        with pytest.raises(UsageError, match="is a model of itself"):
            open_any(str(path))
    (folder / "inner.yml").write_text("merge_method: passthrough\nmodels: [{model: a}]")
    (folder / "outer.yml").write_text("merge_method: passthrough\nmodels: [{model: inner.yml}]")
    assert open_any(str(folder / "outer.yml")).tensors


def test_the_template_beside_a_recipe_counts_wherever_the_recipe_is_read(folder: Path) -> None:
    (folder / "chat.jinja").write_text("{{ messages }}")
    path = recipe(folder, "chat_template: chat.jinja\nmodelprov: {arithmetic: float32}")
    merge(path, folder / "out")
    found = verify(folder / "out", path)
    assert found.reproduced
    assert found.recipe["chat_template"] == "{{ messages }}"


@pytest.mark.parametrize("where", ["the recipe", "a recipe in it"])
def test_memory_that_is_too_little_is_refused_before_anything_is_read_wherever_it_is_needed(
    where: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a recipe that is a model of the other one needs it."""
    outer, inner = ("linear", "multislerp") if where == "a recipe in it" else ("multislerp", "linear")
    recipe(folder, "", inner).rename(folder / "in.yml")
    path = recipe(folder, "", outer, ("in.yml", "c"))

    def read(*_given: object) -> None:
        raise AssertionError("weights were read")

    monkeypatch.setattr("modelprov.merge.computing.Computer.whole", read)
    monkeypatch.setattr("modelprov.merge.computing.Computer.look", read)
    monkeypatch.setattr("modelprov.merge.computing.Computer.elements", read)
    said = tried(path, memory=100)
    assert "multislerp in mergekit-0.1.5 looks at whole tensors" in said[0]
    assert refusal(lambda: verify(folder / "a", path, memory=100)) == said


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_gpu_that_is_asked_for_is_refused_and_not_left_aside_in_silence(folder: Path, dry_run: bool) -> None:
    path = recipe(folder, "")
    message, advice = refusal(lambda: merge(path, folder / "out", device="cuda", dry_run=dry_run))
    assert "device='cuda'" in message
    assert "threads" in advice
    assert "auto, cpu or cuda" in " ".join(refusal(lambda: merge(path, folder / "out", device="tpu")))
    assert merge(path, folder / "out", device="cpu", dry_run=True).plan
