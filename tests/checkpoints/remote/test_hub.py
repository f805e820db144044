"""Repositories of the Hub: opened at a commit, read by ranges, refused in words; tokens stay where they belong."""

from __future__ import annotations

import socket
from pathlib import Path

import numpy as np
import pytest

from modelprov.checkpoints.inspection import inspect_checkpoint
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.types import Checkpoint
from modelprov.errors import (
    CheckpointNotFoundError,
    GatedError,
    ModelprovError,
    PrivateError,
    RemoteNotFoundError,
    TokenRejectedError,
    UnreachableError,
)
from tests.checkpoints.remote.hub import COMMIT, Hub
from tests.factories import Tensor, write_checkpoint, write_safetensors
from tests.gguf_files import write_gguf

SIZE = 40_000


def weights(seed: int = 0, count: int = 6) -> dict[str, Tensor]:
    rng = np.random.default_rng(seed)
    return {
        f"model.layers.{i}.mlp.up_proj.weight": rng.normal(size=(100, 200)).astype(np.float32) for i in range(count)
    }


@pytest.fixture
def folder(hub: Hub, tmp_path: Path) -> Path:
    folder = write_checkpoint(tmp_path / "org" / "model", weights(), shards=3, config={"model_type": "llama"})
    hub.add("org/model", folder)
    return folder


def same(remote: Checkpoint, local: Checkpoint) -> bool:
    """Whether both hold the same tensors at the same places, byte for byte."""
    assert remote.tensors == local.tensors
    for ref in remote.tensors.values():
        pieces = []
        for checkpoint in (remote, local):
            raw = bytearray(ref.stop - ref.start)
            checkpoint.source.read_into(ref.shard, ref.start, memoryview(raw))
            pieces.append(bytes(raw))
        assert pieces[0] == pieces[1]
    return True


PLACES = (
    "org/model", "org/model@main", f"org/model@{COMMIT}", "hf://org/model", "hf://models/org/model@v1",
    "https://huggingface.co/org/model", "https://huggingface.co/org/model/", "https://huggingface.co/org/model/tree/main",
    f"https://huggingface.co/org/model/commit/{COMMIT}", "https://hf.co/org/model?library=transformers",
    "https://huggingface.co/org/model/blob/main/config.json", "https://huggingface.co/org/model/discussions/3",
)  # fmt: skip


@pytest.mark.parametrize("location", PLACES)
def test_a_repository_opens_as_its_folder_does_and_says_its_commit(folder: Path, location: str) -> None:
    remote, local = open_checkpoint(location), open_checkpoint(str(folder))
    assert remote.revision == COMMIT
    assert remote.label == "model"
    assert remote.config == local.config
    assert [shard.header_digest for shard in remote.shards] == [shard.header_digest for shard in local.shards]
    assert same(remote, local)
    found, known = inspect_checkpoint(remote), inspect_checkpoint(local)
    assert found.digest == known.digest
    assert found.model_copy(update={"location": "", "revision": None}) == known.model_copy(update={"location": ""})


@pytest.mark.usefixtures("folder")
def test_only_headers_cross_the_network_when_a_repository_is_opened(hub: Hub) -> None:
    open_checkpoint("org/model")
    weights_sent = sum(len(content) for name, content in hub.repositories["org/model"].items() if "safetensors" in name)
    assert weights_sent > 450_000
    assert hub.sent < 3 * (17 << 10) + 5_000


@pytest.mark.parametrize(
    "location",
    [
        "https://huggingface.co/org/model/resolve/main/model-00002-of-00003.safetensors?download=true",
        "https://huggingface.co/org/model/blob/main/model-00002-of-00003.safetensors",
        "hf://org/model@main/model-00002-of-00003.safetensors",
    ],
)
def test_a_file_of_a_repository_is_that_file_alone(folder: Path, location: str) -> None:
    found = open_checkpoint(location)
    assert found.source.names == ("model-00002-of-00003.safetensors",)
    assert same(found, open_checkpoint(str(folder / "model-00002-of-00003.safetensors")))


def test_a_sub_folder_of_a_repository_is_a_checkpoint_of_its_own(hub: Hub, tmp_path: Path) -> None:
    inside = write_checkpoint(tmp_path / "pipeline" / "text_encoder", weights(3))
    write_checkpoint(tmp_path / "pipeline" / "unet", weights(4))
    (tmp_path / "pipeline" / "model_index.json").write_text("{}")
    hub.add("org/pipeline", tmp_path / "pipeline")
    for location in ("hf://org/pipeline/text_encoder", "https://huggingface.co/org/pipeline/tree/main/text_encoder"):
        found = open_checkpoint(location)
        assert found.label == "text_encoder"
        assert same(found, open_checkpoint(str(inside)))
    with pytest.raises(ModelprovError, match="several models"):
        open_checkpoint("org/pipeline")


@pytest.mark.usefixtures("folder")
def test_what_is_here_comes_before_what_is_on_the_hub(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert open_checkpoint("org/model").folder == Path("org/model")
    assert hub.seen == []
    assert open_checkpoint("hf://org/model").folder is None


def test_a_copy_in_the_cache_comes_before_the_hub_if_it_is_whole(hub: Hub, folder: Path, tmp_path: Path) -> None:
    snapshot = tmp_path / "hub-cache" / "models--org--model" / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    refs = snapshot.parents[1] / "refs"
    refs.mkdir()
    (refs / "main").write_text(COMMIT)
    for path in folder.iterdir():
        (snapshot / path.name).write_bytes(path.read_bytes())
    assert open_checkpoint("org/model").folder == snapshot
    assert hub.seen == []
    (snapshot / "model-00003-of-00003.safetensors").unlink()
    assert open_checkpoint("org/model").folder is None


def test_the_token_goes_to_the_hub_and_never_to_where_it_redirects(
    hub: Hub, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.token = "hf_secret"
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    assert same(open_checkpoint("org/model"), open_checkpoint(str(folder)))
    tokens = {port: {token for where, _, token in hub.seen if where == port} for port in ("hub", "cdn")}
    assert tokens == {"hub": {"Bearer hf_secret"}, "cdn": {None}}


REFUSALS = {
    "gated": ((403, {"X-Error-Code": "GatedRepo"}), GatedError, "agreement"),
    "gated without a login": ((401, {"X-Error-Code": "GatedRepo"}), GatedError, "log in"),
    "disabled": ((403, {"X-Error-Message": "Access to this resource is disabled."}), TokenRejectedError, "disabled"),
    "a bad token": (
        (401, {"X-Error-Message": "Invalid credentials in Authorization header"}), TokenRejectedError, "Log in again",
    ),
    "a token that may not": ((403, {"X-Error-Message": "no scope"}), TokenRejectedError, "read access"),
    "broken": ((500, {}), UnreachableError, "later"),
    "no hub": ((200, {"Content-Length": "0"}), UnreachableError, "mirror"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_says_what_it_is_and_what_to_do(hub: Hub, case: str) -> None:
    answer, kind, advice = REFUSALS[case]
    hub.refused["org/closed"] = answer
    with pytest.raises(kind) as caught:
        open_checkpoint("org/closed")
    assert type(caught.value) is kind
    assert "org/closed" in caught.value.message
    assert advice in f"{caught.value.message} {caught.value.advice}"


def test_a_name_that_is_nowhere_names_both_readings(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_other")
    with pytest.raises(
        RemoteNotFoundError, match=r"no such folder is here.* and the Hub has no such repository"
    ) as caught:
        open_checkpoint("org/nothing")
    assert "spelling" in caught.value.advice
    monkeypatch.delenv("HF_TOKEN")
    hub.token = "hf_secret"
    with pytest.raises(PrivateError, match="private") as private:
        open_checkpoint("org/nothing")
    assert "log in" in private.value.advice


def test_a_mistyped_path_is_asked_for_once_and_offline_not_at_all(
    hub: Hub, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(PrivateError, match=r"no such folder is here.*; and the Hub has no such repository"):
        open_checkpoint("models/foo")
    assert sum("models/foo" in path for _, path, _ in hub.seen) == 1
    asked = len(hub.seen)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointNotFoundError, match="neither a local path"):
        open_checkpoint("models/foo")
    assert len(hub.seen) == asked
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    with pytest.raises(UnreachableError, match="no such folder is here"):
        open_checkpoint("models/foo")
    assert waits == []


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("hf://org/model@nowhere", "no such revision"),
        ("hf://org/model/nothing", "is not there"),
        ("hf://org/model/nothing.safetensors", "is not there"),
        ("hf://datasets/org/model", "no repository of a model"),
        ("https://huggingface.co/datasets/org/model", "no page of a model"),
        ("ftp://host/model", "not read here"),
        ("https:///model", "no host"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_is_not_there_is_said(location: str, message: str) -> None:
    with pytest.raises(ModelprovError, match=message):
        open_checkpoint(location)


@pytest.mark.usefixtures("folder")
def test_offline_nothing_is_asked(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    for location in ("hf://org/model", "https://huggingface.co/org/model", "https://host/model", "org/model"):
        with pytest.raises(CheckpointNotFoundError) as caught:
            open_checkpoint(location)
        assert "HF_HUB_OFFLINE" in caught.value.message + caught.value.advice
    assert hub.seen == []


@pytest.mark.usefixtures("hub")
def test_where_no_hub_answers_the_error_says_so(waits: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(UnreachableError, match="org/model"):
            open_checkpoint("hf://org/model")
    assert 0 < sum(waits) < 3


def test_the_tokenizer_of_a_repository_is_read_like_that_of_a_folder(hub: Hub, tmp_path: Path) -> None:
    from modelprov.checkpoints.layouts.tokens import shared_tokens

    folder = tmp_path / "tokens"
    folder.mkdir()
    write_safetensors(folder / "model.safetensors", {"model.embed_tokens.weight": np.zeros((4, 8), np.float32)})
    (folder / "tokenizer.json").write_text('{"model": {"vocab": {"a": 2, "b": 0}}}')
    hub.add("org/tokens", folder)
    remote, local = open_checkpoint("org/tokens"), open_checkpoint(str(folder))
    found = shared_tokens(remote, local, (4, 4))
    assert found.by == "strings"
    assert found.first.tolist() == [0, 2]


def test_one_of_several_gguf_files_is_opened_by_its_name_wherever_it_lies(hub: Hub, tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal((64, 64)).astype(np.float32)
    (tmp_path / "both").mkdir()
    for kind in ("Q8_0", "Q4_0"):
        write_gguf(tmp_path / "both" / f"m-{kind}.gguf", {"token_embd.weight": values}, kind)
    hub.add("org/both", tmp_path / "both")
    local = open_checkpoint(str(tmp_path / "both" / "m-Q4_0.gguf"))
    (name,) = local.tensors
    for place in ("hf://org/both", f"{hub.hub}/org/both/blob/main", f"{hub.cdn}/org/both"):
        found = open_checkpoint(f"{place}/m-Q4_0.gguf")
        assert found.packings == local.packings
        assert bytes(next(found.source.read_ranges([(1, 0, 4096)]))[1]) == bytes(
            next(local.source.read_ranges([(1, 0, 4096)]))[1]
        )
    assert name in found.tensors
