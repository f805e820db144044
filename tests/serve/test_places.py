"""Which folders may be named: those under the given one, links followed, and nothing else of the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelprov.errors import UsageError
from modelprov.serve.places import Places
from tests.serve.conftest import Open


def test_folders_with_weights_are_listed_and_can_be_named(models: Path) -> None:
    (models / "notes").mkdir()
    (models / "org" / "deep").mkdir(parents=True)
    (models / "org" / "deep" / "model.gguf").touch()
    places = Places(models.resolve())
    assert places.listed() == ["nex", "org/deep", "qwen", "rio"]
    assert places.located("org/deep") == str(models.resolve() / "org" / "deep")


@pytest.mark.parametrize(
    "name", ["../outside", "rio/../../outside", "/etc", "~", ".", "..", "", "rio\0", "none",
             "rio+nex", "a" * 5000, "file:///etc", "http://example.org/a"],
)  # fmt: skip
@pytest.mark.parametrize("network", [False, True])
def test_what_is_not_below_the_folder_cannot_be_named(models: Path, name: str, network: bool) -> None:
    (models.parent / "outside").mkdir()
    (models.parent / "outside" / "model.safetensors").touch()
    with pytest.raises(UsageError):
        Places(models.resolve(), network).located(name)


def test_a_folder_whose_name_could_be_read_as_a_base_and_an_adapter_cannot_be_named(models: Path) -> None:
    (models / "rio+nex").mkdir()
    (models / "rio+nex" / "model.safetensors").touch()
    with pytest.raises(UsageError, match="is no folder of the list"):
        Places(models.resolve()).located("rio+nex")
    assert "rio+nex" not in Places(models.resolve()).listed()


def test_a_file_cannot_be_named(models: Path) -> None:
    with pytest.raises(UsageError, match="is no folder of the list"):
        Places(models.resolve()).located("rio/model.safetensors")


def test_a_link_that_leads_out_cannot_be_named_and_one_that_stays_can(models: Path) -> None:
    outside = models.parent / "outside"
    outside.mkdir()
    (outside / "model.safetensors").touch()
    (models / "out").symlink_to(outside)
    (models / "in").symlink_to(models / "rio")
    (models / "mixed").mkdir()
    (models / "mixed" / "model.safetensors").symlink_to(outside / "model.safetensors")
    places = Places(models.resolve())
    assert places.located("in") == str(models.resolve() / "rio")
    for name in ("out", "mixed"):
        with pytest.raises(UsageError, match="is no folder of the list"):
            places.located(name)


def test_what_exists_elsewhere_and_what_does_not_are_refused_in_the_same_words(models: Path) -> None:
    said = []
    for name in ("../models", "../nothing"):
        with pytest.raises(UsageError) as refused:
            Places(models.resolve()).located(name)
        said.append(refused.value.message.replace(name, ""))
    assert said[0] == said[1]


def test_an_adapter_is_refused_as_it_names_a_base_that_may_lie_anywhere(models: Path) -> None:
    (models / "rio" / "adapter_config.json").write_text('{"base_model_name_or_path": "/etc"}')
    (models / "rio" / "adapter_model.safetensors").touch()
    with pytest.raises(UsageError, match="adapter"):
        Places(models.resolve()).located("rio")


@pytest.mark.parametrize("name", ["org/name", "https://example.org/model.safetensors", "s3://bucket/model"])
def test_addresses_are_for_those_who_allow_a_network(models: Path, name: str) -> None:
    with pytest.raises(UsageError, match="nothing is fetched"):
        Places(models.resolve()).located(name)
    assert Places(models.resolve(), network=True).located(name) == ("hf://org/name" if name == "org/name" else name)


def test_the_page_refuses_them_in_words(opened: Open) -> None:
    page = opened()
    for name in ("../../etc", "org/name"):
        answer = page.post("/run", {"suspect": name, "parent": ["nex"]})
        assert answer.status_code == 400
        assert "is no folder of the list" in answer.text
    assert page.post("/run", {"suspect": "rio", "parent": ["nex", "rio"]}).status_code == 400
    assert page.post("/run", {"suspect": "rio"}).status_code == 400


def test_without_a_folder_nothing_can_be_run(opened: Open) -> None:
    page = opened(models=None)
    assert "--models" in page.client.get("/").text
    assert page.post("/run", {"suspect": "rio", "parent": ["nex"]}).status_code == 400
