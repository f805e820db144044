"""Adapters and their bases of the Hub: read by ranges, named in every form, recorded at their commits."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelprov.checkpoints.adapters.joining import base_and_adapter
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.remote.locations import is_remote, shown, without_secrets
from tests.checkpoints.adapted import LORA, Q, base_weights, matrices, values_of, write_adapter, write_base
from tests.checkpoints.remote.hub import COMMIT, Hub


@pytest.fixture
def folders(hub: Hub, tmp_path: Path) -> tuple[Path, Path]:
    base = write_base(tmp_path / "org" / "base", base_weights())
    adapter = write_adapter(tmp_path / "org" / "adapter", matrices(Q), LORA | {"base_model_name_or_path": "org/base"})
    hub.add("org/base", base)
    hub.add("org/adapter", adapter)
    hub.commits["org/adapter"] = "f" * 40
    return base, adapter


@pytest.mark.parametrize(
    "location",
    [
        "org/base+org/adapter",
        "org/base@main+org/adapter@main",
        "hf://org/base+hf://org/adapter",
        "https://huggingface.co/org/base+https://huggingface.co/org/adapter/tree/main",
        "org/base+hf://org/adapter",
        "org/base + hf://org/adapter",
        "hf://org/base@main+org/adapter",
        "{base}+org/adapter",
        "org/base+{adapter}",
        "hf://org/base+{adapter}",
    ],
)
def test_an_adapter_and_its_base_are_read_from_wherever_each_is(folders: tuple[Path, Path], location: str) -> None:
    base, adapter = folders
    here = open_checkpoint(f"{base}+{adapter}")
    there = open_checkpoint(location.format(base=base, adapter=adapter))
    for name in here.tensors:
        assert (values_of(there, name) == values_of(here, name)).all()


@pytest.mark.parametrize("location", ["org/base+org/adapter", "hf://org/base+https://huggingface.co/org/adapter"])
@pytest.mark.usefixtures("folders")
def test_what_is_recorded_names_both_commits_and_opens_the_same_again(location: str) -> None:
    opened = open_checkpoint(location)
    assert COMMIT in opened.location
    assert "f" * 40 in opened.location
    again = open_checkpoint(opened.location)
    assert again.location == opened.location
    assert [shard.header_digest for shard in again.shards] == [shard.header_digest for shard in opened.shards]
    assert opened.label == "adapter"


@pytest.mark.parametrize("plus", ["+", " + ", "+ "])
def test_secrets_of_both_addresses_stay_out_of_sight(plus: str) -> None:
    told = f"https://me:word@host/base?key=a{plus}https://me:word@host/adapter?key=b"
    assert shown(told) == "https://host/base+https://host/adapter"
    assert shown("https://host/base%2Bhttps://me:word@host/ad") == "https://host/base%2Bhttps://host/ad"
    assert shown("https://host/base+//me:word@host/ad") == "https://host/base+//host/ad"
    assert without_secrets(f"P={told}") == "P=https://host/base+https://host/adapter"


@pytest.mark.parametrize(
    ("location", "parts"),
    {
        "hf://org/base@main+org/adapter": ("hf://org/base@main", "org/adapter"),
        "hf://models/org/base+org/adapter@v2": ("hf://models/org/base", "org/adapter@v2"),
        "https://huggingface.co/org/base+org/adapter": ("https://huggingface.co/org/base", "org/adapter"),
        "hf://org/base/a+b/c": None,  # a folder of the repository
        "https://host/a+b/c": None,
        "s3://bucket/a+b/c": None,
        "git+https://host/a": None,
    }.items(),
)
def test_a_name_behind_a_repository_of_the_hub_is_an_adapter_and_a_plus_elsewhere_is_a_letter(
    location: str, parts: tuple[str, str] | None
) -> None:
    assert base_and_adapter(location, is_remote(location)) == parts
