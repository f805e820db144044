"""The jobs of `modelprov library`: entries that can be trusted, lists that can be gone on with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modelprov.checkpoints.library_folder import INDEX, file_of
from modelprov.errors import CheckpointNotFoundError, InvalidLibraryError, UsageError
from modelprov.jobs.library import add, build, listed, pinned_list, pull, push, read_list


@pytest.fixture
def known(models: Path, tmp_path: Path) -> Path:
    """A library of two models."""
    for each in ("qwen", "nex"):
        add(models / each, tmp_path / "known", size=20_000)
    return tmp_path / "known"


def test_a_library_lists_what_was_added_and_gives_no_paths_away(models: Path, known: Path) -> None:
    assert [entry.name for entry in listed(known).entries] == ["nex", "qwen"]
    assert str(models) not in (known / INDEX).read_text()
    before = (known / INDEX).read_bytes()
    add(models / "qwen", known, size=20_000)
    assert (known / INDEX).read_bytes() == before


def test_names_that_look_alike_have_files_of_their_own() -> None:
    names = ["org/a", "org--a", "org/a ", "../../etc/passwd", "x" * 400, "", "a/b/c"]
    assert len({file_of(name) for name in names}) == len(names)
    assert not any("/" in file_of(name) or file_of(name).startswith(".") for name in names)


def test_a_list_is_built_gone_on_with_and_what_cannot_be_read_is_told(models: Path, tmp_path: Path) -> None:
    file = tmp_path / "models.toml"
    rows = [("first", models / "qwen"), ("absent", tmp_path / "nowhere"), ("second", models / "nex")]
    file.write_text("".join(f'[[model]]\nname = "{name}"\nlocation = "{place}"\n' for name, place in rows))
    begun = build(file, tmp_path / "known", size=20_000, limit=1)
    assert (begun.made, begun.failed) == (("first",), ())
    done = build(file, tmp_path / "known", size=20_000)
    assert (done.made, done.kept) == (("second",), ("first",))
    assert [name for name, _ in done.failed] == ["absent"]


@pytest.mark.parametrize("text", ["x =", "a = 1", "[[model]]\nname = 'a'", "[[model]]\nlocation = 3", "[model]\na = 1"])
def test_a_file_that_is_no_list_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "models.toml").write_text(text)
    with pytest.raises(UsageError):
        read_list(tmp_path / "models.toml")


def test_the_list_that_comes_along_names_public_models_each_once() -> None:
    found = read_list(None)
    assert len(found) > 150
    assert all(model.location.count("/") == 1 for model in found)


def test_what_is_pulled_is_what_the_index_says(known: Path, tmp_path: Path) -> None:
    assert pull(known, tmp_path / "copy") == ("nex", "qwen")
    assert pull(known, tmp_path / "copy") == ()
    assert push(known, tmp_path / "third") == ("nex", "qwen")
    forged = known / file_of("nex")
    forged.write_bytes(forged.read_bytes()[:-1] + b"\x00\x01")
    with pytest.raises(InvalidLibraryError, match="another file"):
        pull(known, tmp_path / "fourth")
    with pytest.raises(UsageError, match="pushed to a folder"):
        push(known, "https://example.org/known")


def test_a_library_gives_the_list_that_it_can_be_built_from_again(known: Path, tmp_path: Path) -> None:
    told = json.loads((known / INDEX).read_text())
    held = {"nex": ("hf://org/nex@main/folder", "ab" * 20), "qwen": ("org/qwen", None)}
    for entry in told["entries"]:
        entry["location"], entry["revision"] = held[entry["name"]]
    (known / INDEX).write_text(json.dumps(told))
    text = pinned_list(known)
    assert "# qwen: no revision of it is known" in text
    (tmp_path / "pinned.toml").write_text(text)
    (only,) = read_list(tmp_path / "pinned.toml")
    assert (only.name, only.location, only.revision) == ("nex", "hf://org/nex/folder", "ab" * 20)


@pytest.mark.parametrize("file", ["../nex.mpf", "/etc/passwd.mpf", "nex.txt", ".mpf", "a/b.mpf"])
def test_an_index_that_leads_out_of_the_folder_is_refused(file: str, known: Path) -> None:
    told = json.loads((known / INDEX).read_text())
    told["entries"][0]["file"] = file
    (known / INDEX).write_text(json.dumps(told))
    with pytest.raises(InvalidLibraryError):
        listed(known)


def test_a_folder_without_a_library_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(CheckpointNotFoundError, match="holds no library"):
        listed(tmp_path)
