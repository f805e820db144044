"""What a location means, by its text alone."""

from __future__ import annotations

import pytest

from modelprov.checkpoints.labels import unique_labels
from modelprov.checkpoints.remote.locations import (
    InBucket,
    OnHub,
    OnWeb,
    canonical,
    parse,
    pinned,
    shown,
    without_secrets,
)
from modelprov.errors import UsageError
from modelprov.jobs.arguments import refuse_repeated

HUB = "https://huggingface.co/"
MEANINGS = {
    "org/name": OnHub("org/name"),
    "org/name@v1": OnHub("org/name", "v1"),
    "org/name@refs/pr/3": OnHub("org/name", "refs/pr/3"),
    "hf://org/name": OnHub("org/name"),
    "hf://org/name@refs/pr/3/part": OnHub("org/name", "refs/pr/3", "part"),
    "hf://org/name@refs%2Fpr%2F3": OnHub("org/name", "refs/pr/3"),
    "hf://models/org/name/part/x.safetensors": OnHub("org/name", None, "part/x.safetensors"),
    f"{HUB}gpt2": OnHub("gpt2"),
    f"{HUB}gpt2/tree/main": OnHub("gpt2", "main"),
    f" {HUB}org/name ": OnHub("org/name"),
    f"{HUB}org/name/tree/refs%2Fpr%2F3/part": OnHub("org/name", "refs/pr/3", "part"),
    f"{HUB}org/name/tree/refs/pr/3": OnHub("org/name", "refs/pr/3"),
    f"{HUB}org/name/blob/main/README.md?code=true#L3": OnHub("org/name", "main"),
    f"{HUB}org/name/blob/main/part/config.json": OnHub("org/name", "main", "part"),
    f"{HUB}org/name/resolve/main/x.safetensors?download=true": OnHub("org/name", "main", "x.safetensors"),
    f"{HUB}api/models/org/name": OnHub("org/name"),
    f"{HUB}org/name/commits/v2": OnHub("org/name", "v2"),
    "http://huggingface.co/org/name": OnHub("org/name"),
    "https://host/a/model.safetensors?sig=1#x": OnWeb("https://host/a/model.safetensors?sig=1"),
    "s3://bucket/folder/": InBucket("s3://bucket/folder"),
    "gs://bucket": InBucket("gs://bucket"),
    "./org/name": None,
    "/org/name": None,
    "name": None,
    "a/b/c": None,
}


@pytest.mark.parametrize("location", MEANINGS)
def test_a_location_means_one_thing(location: str) -> None:
    assert parse(location) == MEANINGS[location]


def test_an_address_of_the_mirror_is_one_of_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example/")
    assert parse("https://mirror.example/org/name/tree/main") == OnHub("org/name", "main")
    assert parse(f"{HUB}org/name") == OnHub("org/name")


@pytest.mark.parametrize(
    "location", ["hf://name", "hf://", f"{HUB}spaces/org/name", HUB, "file:///x", "http:///x", "git+https://host/a"]
)
def test_an_address_that_is_no_model_is_an_error(location: str) -> None:
    with pytest.raises(UsageError):
        parse(location)


def test_passwords_and_signatures_are_not_shown() -> None:
    assert shown("https://me:secret@host/a?sig=secret") == "https://host/a"
    assert without_secrets("base=https://host/a?sig=secret") == "base=https://host/a"
    assert shown("git+https://me:secret@host/a") == "git+https://host/a"
    assert without_secrets("az://me:secret@box/a?sig=secret") == "az://box/a"
    for word in ("org/name@v1", "hf://org/name@v1/part", "a=b", "--json"):
        assert without_secrets(word) == word


def test_one_place_written_in_two_ways_is_given_twice() -> None:
    for pair in (
        ["org/name", f"{HUB}org/name/tree/main"],
        ["hf://org/name@main", "org/name"],
        ["s3://b/a", "s3://b/a/"],
    ):
        assert canonical(pair[0]) == canonical(pair[1])
        with pytest.raises(UsageError, match="twice"):
            refuse_repeated(pair)
    refuse_repeated(["org/name", "org/name@v1"])


def test_a_repository_is_named_again_at_its_commit() -> None:
    assert pinned("org/name@main", "abc") == "org/name@abc"
    assert pinned(f"{HUB}org/name/tree/main/part", "abc") == "hf://org/name@abc/part"
    assert pinned("https://host/x", "abc") == "https://host/x"


def test_labels_of_addresses_are_the_names_of_models() -> None:
    given = [
        f"{HUB}org/name/tree/main",
        "hf://org/other@v1",
        "https://host/files/third.safetensors?x=1",
        "s3://b/fourth",
    ]
    assert unique_labels(given) == ("name", "other", "third", "fourth")
