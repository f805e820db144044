"""Plain addresses of the web: files and folders, and the same contract as every source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from modelprov.checkpoints.inspection import inspect_checkpoint
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.remote.hub import HubStore
from modelprov.checkpoints.remote.source import RemoteFiles
from modelprov.checkpoints.remote.store import Stored
from modelprov.checkpoints.remote.web import WebStore
from modelprov.checkpoints.sources.interface import Range, Source
from modelprov.errors import ChangedFileError, RemoteNotFoundError
from tests.checkpoints.remote.conftest import reach
from tests.checkpoints.remote.hub import COMMIT, Hub, digest, serving
from tests.checkpoints.sources.contract import RANGES, Contract
from tests.factories import Tensor, write_checkpoint


def weights() -> dict[str, Tensor]:
    return {f"w{number}": np.full((30, 40), number, np.float32) for number in range(6)}


@pytest.mark.parametrize("shards", [1, 3])
def test_a_folder_of_the_web_opens_by_the_names_that_loaders_ask_for(hub: Hub, tmp_path: Path, shards: int) -> None:
    folder = write_checkpoint(tmp_path / "model", weights(), shards=shards, config={"model_type": "llama"})
    hub.add("org/model", folder)
    local = inspect_checkpoint(open_checkpoint(str(folder)))
    addresses = [f"{hub.cdn}/org/model", f"{hub.cdn}/org/model/"]
    addresses += [f"{hub.cdn}/org/model/model.safetensors.index.json"] if shards > 1 else []
    for address in addresses:
        found = inspect_checkpoint(open_checkpoint(address))
        assert found.digest == local.digest
        assert found.model_type == "llama"
        assert found.label == "model"


def test_a_signature_is_sent_and_never_shown(hub: Hub, tmp_path: Path) -> None:
    hub.add("org/model", write_checkpoint(tmp_path / "model", weights()))
    found = open_checkpoint(f"{hub.cdn}/org/model/model.safetensors?Signature=0&secret=1")
    assert found.location == f"{hub.cdn}/org/model/model.safetensors"
    assert "secret" not in found.source.place(0) + str(found.source.versions())
    assert any("secret=1" in path for _, path, _ in hub.seen)


def test_a_file_that_is_replaced_is_noticed(hub: Hub, tmp_path: Path) -> None:
    hub.add("org/model", write_checkpoint(tmp_path / "model", weights()))
    found = open_checkpoint(f"{hub.cdn}/org/model/model.safetensors")
    content = bytearray(hub.repositories["org/model"]["model.safetensors"])
    content[-1] ^= 1
    hub.repositories["org/model"]["model.safetensors"] = bytes(content)
    with pytest.raises(ChangedFileError, match="another file"):
        found.source.check_unchanged()
    with pytest.raises(ChangedFileError, match="another file"):
        list(found.source.read_ranges([(0, 500, 600)]))


def test_what_is_not_there_is_said(hub: Hub, tmp_path: Path) -> None:
    hub.add("org/model", write_checkpoint(tmp_path / "model", weights()))
    with pytest.raises(RemoteNotFoundError, match="not there"):
        open_checkpoint(f"{hub.cdn}/org/model/other.safetensors")
    with pytest.raises(RemoteNotFoundError, match="no index"):
        open_checkpoint(f"{hub.cdn}/org/other")


class _Served(Contract):
    """Shards behind a server, nothing of them in a cache."""

    @pytest.fixture(autouse=True)
    def served(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        self.state = Hub()
        with serving(self.state):
            reach(self.state, tmp_path, monkeypatch)
            monkeypatch.setenv("MODELPROV_CACHE_SIZE", "0")
            yield

    @pytest.mark.parametrize("ranges", [RANGES["overlapping"], RANGES["empty"], RANGES["a whole shard"]])
    def test_a_buffer_is_filled_with_the_same_bytes(self, source: Source, ranges: Sequence[Range]) -> None:
        """Some of them: a request for each takes its time."""
        super().test_a_buffer_is_filled_with_the_same_bytes(source, ranges)

    def serve(self, shards: Sequence[bytes]) -> list[str]:
        names = [f"{'part/' * (number % 2)}{number}.safetensors" for number in range(len(shards))]
        self.state.repositories.setdefault("org/model", dict(zip(names, shards, strict=True)))
        return names


class TestWeb(_Served):
    """At plain addresses."""

    def make(self, shards: Sequence[bytes], _folder: Path) -> Source:
        names = self.serve(shards)
        store = WebStore(f"{self.state.cdn}/org/model/", "", {}).with_files(names)
        empty = {name: Stored(0, None) for name in names if name not in store.files}
        return RemoteFiles(WebStore(store.url, "", {**store.files, **empty}), names)

    def change(self, _folder: Path, shard: int) -> None:
        content = bytearray(self.state.repositories["org/model"][f"{shard}.safetensors"])
        content[0] ^= 1
        self.state.repositories["org/model"][f"{shard}.safetensors"] = bytes(content)


class TestHub(_Served):
    """In a repository at one commit, which cannot change."""

    def make(self, shards: Sequence[bytes], _folder: Path) -> Source:
        names = self.serve(shards)
        files = {name: Stored(len(data), digest(data)) for name, data in zip(names, shards, strict=True)}
        return RemoteFiles(HubStore("org/model", COMMIT, files, self.state.hub), names)
