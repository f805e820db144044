"""Libraries in data sets of the Hub, of which this machine has an imitation: pulled at a commit, pushed in one."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelprov.checkpoints.library_folder import INDEX, file_of
from modelprov.checkpoints.remote.data_sets import commit_to
from modelprov.checkpoints.remote.hub import open_hub
from modelprov.checkpoints.remote.locations import OnHub, data_set
from modelprov.errors import (
    ChangedFileError,
    InvalidLibraryError,
    RemoteNotFoundError,
    TokenRejectedError,
    UsageError,
)
from modelprov.jobs.inspect import inspect
from modelprov.jobs.library import add, listed, pull, push
from tests.checkpoints.remote.conftest import reach
from tests.checkpoints.remote.hub import COMMIT, Hub, serving

WHERE = "hf://datasets/org/known"
HELD = "datasets/org/known"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A Hub with an empty data set, and a token that may write to it."""
    with serving(Hub(repositories={HELD: {}}, token="hf_secret")) as state:
        reach(state, tmp_path, monkeypatch)
        monkeypatch.setenv("HF_TOKEN", "hf_secret")
        yield state


@pytest.fixture
def known(models: Path, tmp_path: Path) -> Path:
    """A library of two models."""
    for each in ("qwen", "nex"):
        add(models / each, tmp_path / "known", size=20_000)
    return tmp_path / "known"


@pytest.mark.parametrize("inside", ["", "/libraries/small"])
def test_what_is_pushed_to_a_data_set_is_pulled_from_it(hub: Hub, known: Path, tmp_path: Path, inside: str) -> None:
    assert push(known, WHERE + inside) == ("nex", "qwen")
    assert push(known, WHERE + inside) == ()
    below = f"{inside[1:]}/" if inside else ""
    assert sorted(hub.repositories[HELD]) == sorted(below + name for name in (INDEX, file_of("nex"), file_of("qwen")))
    assert pull(WHERE + inside, tmp_path / "copy") == ("nex", "qwen")
    assert listed(tmp_path / "copy") == listed(known)
    assert (tmp_path / "copy" / file_of("nex")).read_bytes() == (known / file_of("nex")).read_bytes()
    assert {token for port, _, token in hub.seen if port == "cdn"} == {None}  # the token stays with the Hub


def test_a_push_adds_to_what_is_there(hub: Hub, models: Path, known: Path, tmp_path: Path) -> None:
    push(known, WHERE)
    add(models / "rio", tmp_path / "more", size=20_000)
    assert push(tmp_path / "more", WHERE) == ("rio",)
    assert [entry["name"] for entry in json.loads(hub.repositories[HELD][INDEX])["entries"]] == ["nex", "qwen", "rio"]
    assert pull(WHERE, tmp_path / "all") == ("nex", "qwen", "rio")


def test_who_pushed_meanwhile_is_not_overwritten(hub: Hub) -> None:
    found = open_hub(OnHub("org/known"), "dataset")
    hub.commits[HELD] = COMMIT[::-1]
    with pytest.raises(ChangedFileError, match="meanwhile"):
        commit_to(OnHub("org/known"), found, {"a": b"b"}, "message")
    assert hub.repositories[HELD] == {}


def test_without_a_right_to_write_nothing_is_pushed(hub: Hub, known: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.token = None  # everybody may read
    with pytest.raises(TokenRejectedError, match="may not write"):
        push(known, WHERE)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(TokenRejectedError, match="logged in"):
        push(known, WHERE)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with pytest.raises(UsageError, match="is a commit"):
        push(known, f"{WHERE}@{COMMIT}")
    with pytest.raises(RemoteNotFoundError):
        push(known, "hf://datasets/org/absent")
    assert hub.repositories[HELD] == {}


def test_a_forged_or_absent_library_is_refused(hub: Hub, known: Path, tmp_path: Path) -> None:
    with pytest.raises(RemoteNotFoundError):
        pull(WHERE, tmp_path / "copy")
    push(known, WHERE)
    hub.repositories[HELD][file_of("nex")] = hub.repositories[HELD][file_of("nex")][:-1] + b"x"
    with pytest.raises(InvalidLibraryError, match="another file"):
        pull(WHERE, tmp_path / "copy")
    told = json.loads(hub.repositories[HELD][INDEX])
    told["entries"] = [told["entries"][0] | {"name": "theirs", "file": file_of("qwen")}]
    hub.repositories[HELD][INDEX] = json.dumps(told).encode()
    hub.commits[HELD] = "ab" * 20
    with pytest.raises(InvalidLibraryError, match="twice"):
        push(known, WHERE)


def test_a_data_set_is_no_model(hub: Hub) -> None:
    with pytest.raises(UsageError, match="no repository of a model"):
        inspect(WHERE)
    assert hub.seen == []


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (WHERE, OnHub("org/known")),
        (f"{WHERE}@v1/folder", OnHub("org/known", "v1", "folder")),
        ("https://huggingface.co/datasets/org/known", OnHub("org/known")),
        ("https://huggingface.co/datasets/org/known/tree/main/folder", OnHub("org/known", "main", "folder")),
        ("hf://org/known", None),
        ("https://huggingface.co/org/known", None),
        ("https://host/datasets/org/known", None),
        ("./datasets/org/known", None),
    ],
)
def test_a_data_set_is_written_as_its_address_or_page(written: str, meant: OnHub | None) -> None:
    assert data_set(written) == meant


def test_a_store_of_a_data_set_travels_with_its_kind(hub: Hub) -> None:
    hub.repositories[HELD]["a.mpf"] = b"x" * 5000
    store = pickle.loads(pickle.dumps(open_hub(OnHub("org/known"), "dataset")))
    assert store.place("a.mpf").startswith("hf://datasets/org/known@")
    assert bytes(store.fetch("a.mpf", 10, 20)) == b"x" * 10
