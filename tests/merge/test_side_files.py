"""Files beside the weights: from a model's own folder, and from nowhere else whatever a recipe or a link says."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from modelprov.errors import ForeignLinkError, ModelprovError, UnreadableFileError, UsageError
from modelprov.merge.side_files import OTHERS, TOKENIZER
from modelprov.merge.virtual import plan_recipe
from modelprov.merge.writing import WriteOptions, write_merge
from modelprov.recipes.chat_template import with_template_text
from modelprov.recipes.recipe import Recipe, linear
from tests.cli.conftest import Command, modelprov  # noqa: F401
from tests.merge.conftest import Silence, model

SECRET = "-----BEGIN PRIVATE KEY----- {{ c2VjcmV0 }}"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """A file of this machine that must not get into any output."""
    path = tmp_path / "home" / "key.jinja"
    path.parent.mkdir()
    path.write_text(SECRET)
    return path


def two(tmp_path: Path) -> Recipe:
    return linear({str(model(tmp_path / name)): 0.5 for name in ("one", "other")})


def write(recipe: Recipe, out: Path) -> dict[str, bytes]:
    folder = write_merge(plan_recipe(recipe), out, WriteOptions(), Silence()).folder
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def published(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file()) if folder.exists() else b""


@pytest.mark.parametrize("name", ["config.json", *TOKENIZER, *OTHERS])
@pytest.mark.parametrize("how", ["link", "relative link", "folder of the link"])
def test_a_link_out_of_a_models_folder_is_refused_before_any_work(
    tmp_path: Path, key: Path, name: str, how: str
) -> None:
    recipe = two(tmp_path)
    place = tmp_path / "one" / name
    place.unlink(missing_ok=True)
    target = {"link": key, "relative link": Path("../home/key.jinja"), "folder of the link": Path("hop/key.jinja")}[how]
    (tmp_path / "one" / "hop").symlink_to(key.parent)
    place.symlink_to(target)
    with pytest.raises(ForeignLinkError, match=f"{name} is a link out of") as caught:
        write(recipe, tmp_path / "out")
    assert "Links are not followed" in caught.value.advice
    assert not [path for path in tmp_path.iterdir() if "out" in path.name]


def test_a_link_inside_the_folder_and_a_folder_that_is_a_link_are_followed(tmp_path: Path) -> None:
    two(tmp_path)
    (tmp_path / "one" / "real.json").write_text('{"model": {}}')
    (tmp_path / "one" / "tokenizer.json").symlink_to("real.json")
    (tmp_path / "linked").symlink_to(tmp_path / "one")
    found = write(linear({str(tmp_path / "linked"): 0.5, str(tmp_path / "other"): 0.5}), tmp_path / "out")
    assert found["tokenizer.json"] == b'{"model": {}}'
    assert not (tmp_path / "out" / "tokenizer.json").is_symlink()


def cached(tmp_path: Path, blob: Callable[[Path], Path]) -> Path:
    """A snapshot in a Hugging Face cache whose files are links to what `blob` makes of them."""
    repository = tmp_path / "hub" / "models--org--name"
    snapshot = repository / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (repository / "blobs").mkdir()
    made = model(tmp_path / "made")
    (made / "tokenizer.json").write_text('{"model": {"vocab": {}}}')
    for file in made.iterdir():
        blob(repository / "blobs" / f"of-{file.name}").write_bytes(file.read_bytes())
        os.symlink(f"../../blobs/of-{file.name}", snapshot / file.name)
    return snapshot


def test_a_snapshot_of_the_hub_cache_is_merged_with_its_side_files(tmp_path: Path) -> None:
    two(tmp_path)
    snapshot = cached(tmp_path, lambda path: path)
    found = write(linear({str(snapshot): 0.5, str(tmp_path / "other"): 0.5}), tmp_path / "out")
    assert found["tokenizer.json"] == b'{"model": {"vocab": {}}}'


@pytest.mark.parametrize(
    "target", ["../../../../home/key.jinja", "../../blobs/../../../home/key.jinja", "../../refs/x"]
)
def test_a_folder_that_looks_like_a_cache_opens_no_other_file(tmp_path: Path, key: Path, target: str) -> None:
    two(tmp_path)
    snapshot = cached(tmp_path, lambda path: path)
    (snapshot.parents[1] / "refs").mkdir()
    (snapshot.parents[1] / "refs" / "x").write_text(SECRET)
    (snapshot / "tokenizer.json").unlink()
    (snapshot / "tokenizer.json").symlink_to(target)
    assert (snapshot / "tokenizer.json").read_text() == key.read_text()
    with pytest.raises(ForeignLinkError):
        write(linear({str(snapshot): 0.5, str(tmp_path / "other"): 0.5}), tmp_path / "out")


def test_a_blob_that_is_itself_a_link_out_of_the_cache_is_refused(tmp_path: Path, key: Path) -> None:
    two(tmp_path)
    snapshot = cached(tmp_path, lambda path: path)
    blob = snapshot.parents[1] / "blobs" / "of-tokenizer.json"
    blob.unlink()
    blob.symlink_to(key)
    with pytest.raises(ForeignLinkError):
        write(linear({str(snapshot): 0.5, str(tmp_path / "other"): 0.5}), tmp_path / "out")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "generation_config.json", "model.safetensors"])
@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "link to nothing"])
def test_what_is_no_file_is_refused_and_never_waited_for(tmp_path: Path, name: str, kind: str) -> None:
    recipe = two(tmp_path)
    place = tmp_path / "one" / name
    place.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "folder":
        place.mkdir()
    else:
        place.symlink_to("/dev/zero" if kind == "device" else "nowhere")
    if name == "config.json" and kind == "link to nothing":  # as good as none
        write(recipe, tmp_path / "out")
        return
    with pytest.raises(UnreadableFileError):
        write(recipe, tmp_path / "out")
    assert not (tmp_path / "out").exists()


# Chat templates


def test_a_template_beside_the_recipe_is_taken_as_text(tmp_path: Path) -> None:
    (tmp_path / "chat.jinja").write_text("{{ messages }}")
    recipe = with_template_text(two(tmp_path).model_copy(update={"chat_template": "chat.jinja"}), tmp_path)
    (tmp_path / "one" / "tokenizer_config.json").write_text('{"a": 1, "chat_template": "old"}')
    (tmp_path / "one" / "chat_template.jinja").write_text("old")
    found = write(recipe, tmp_path / "out")
    assert found["chat_template.jinja"] == b"{{ messages }}"
    assert json.loads(found["tokenizer_config.json"]) == {"a": 1, "chat_template": "{{ messages }}"}
    assert b"chat.jinja" not in found["recipe.yml"]


NAMED: dict[str, str] = {
    "absolute": "{tmp}/home/key.jinja",
    "above": "../home/key.jinja",
    "in a folder": "deeper/key.jinja",
    "a link": "link.jinja",
    "another kind of file": "key.pem",
    "a hidden file": ".env",
    "a file that is no template": "plain.jinja",
    "nothing": "absent.jinja",
    "a name for another program": "vicuna",
    "a folder": "folder.jinja",
    "a pipe": "pipe.jinja",
    "not a path at all": "a\0b.jinja",
    "very long": "x" * 5000 + ".jinja",
    "the home": "~/key.jinja",
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("which", NAMED)
def test_a_recipe_names_no_other_file_as_its_template(
    modelprov: Command,  # noqa: F811
    tmp_path: Path,
    key: Path,
    which: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", str(key.parent))
    folder = tmp_path / "recipe"
    (folder / "deeper").mkdir(parents=True)
    (folder / "folder.jinja").mkdir()
    os.mkfifo(folder / "pipe.jinja")
    for name in ("deeper/key.jinja", "key.pem", ".env"):
        (folder / name).write_text(SECRET)
    (folder / "plain.jinja").write_text("no template")
    (folder / "link.jinja").symlink_to(key)
    wanted = NAMED[which].replace("{tmp}", str(tmp_path))
    recipe = two(tmp_path).model_copy(update={"chat_template": wanted})
    (folder / "recipe.yml").write_text(recipe.as_yaml())
    monkeypatch.chdir(tmp_path)
    said = modelprov("merge", folder / "recipe.yml", tmp_path / "out")
    assert said.code == 2
    assert said.err.startswith("error: ")
    assert "Traceback" not in said.err
    assert SECRET.encode() not in published(tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(ModelprovError):
        write(recipe, tmp_path / "out")


def test_without_a_recipe_file_no_template_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "chat.jinja").write_text("{{ messages }}")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="neither a template nor a file"):
        write(two(tmp_path).model_copy(update={"chat_template": "chat.jinja"}), tmp_path / "out")
