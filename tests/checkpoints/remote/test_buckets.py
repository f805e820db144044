"""Buckets of an object store, as moto's server imitates S3: opened, read by ranges, watched for changes."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest
from moto.server import ThreadedMotoServer

from modelprov.checkpoints.inspection import inspect_checkpoint
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.remote import buckets
from modelprov.checkpoints.remote.locations import InBucket
from modelprov.checkpoints.remote.source import RemoteFiles
from modelprov.checkpoints.sources.interface import Range, Source
from modelprov.errors import ChangedFileError, RemoteNotFoundError, UnreachableError, UsageError
from tests.checkpoints.sources.contract import RANGES, Contract
from tests.factories import write_checkpoint


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    store = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    store.start()
    host, port = store.get_host_and_port()
    yield f"http://{host}:{port}"
    store.stop()


@pytest.fixture
def client(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """An empty bucket, `models`."""
    from huggingface_hub import constants

    settings = {
        "AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing", "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT": server, "AWS_ALLOW_HTTP": "true", "NO_PROXY": "127.0.0.1",
        "MODELPROV_CACHE": str(tmp_path / "ranges"), "MODELPROV_CACHE_SIZE": "0",
    }  # fmt: skip
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    buckets._store.cache_clear()
    found = boto3.client("s3", endpoint_url=server, region_name="us-east-1")
    found.create_bucket(Bucket="models")
    for each in found.list_objects_v2(Bucket="models").get("Contents", ()):
        found.delete_object(Bucket="models", Key=each["Key"])
    return found


def put(client: Any, folder: Path, prefix: str) -> None:
    for path in folder.iterdir():
        client.put_object(Bucket="models", Key=f"{prefix}{path.name}", Body=path.read_bytes())


@pytest.mark.parametrize("prefix", ["", "org/model/"])
def test_a_folder_of_a_bucket_opens_as_one_of_this_machine(client: Any, tmp_path: Path, prefix: str) -> None:
    tensors = {f"w{number}": np.full((30, 40), number, np.float32) for number in range(6)}
    folder = write_checkpoint(tmp_path / "model", tensors, shards=3, config={"model_type": "llama"})
    put(client, folder, prefix)
    local = inspect_checkpoint(open_checkpoint(str(folder)))
    for location in (f"s3://models/{prefix}", f"s3://models/{prefix}model.safetensors.index.json"):
        found = inspect_checkpoint(open_checkpoint(location))
        assert (found.digest, found.model_type) == (local.digest, "llama")


@pytest.mark.usefixtures("client")
def test_what_is_not_there_or_not_understood_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for location in ("s3://models/nothing", "s3://models/x.safetensors"):
        with pytest.raises(RemoteNotFoundError, match="nothing is at"):
            open_checkpoint(location)
    with pytest.raises((RemoteNotFoundError, UnreachableError)):
        open_checkpoint("s3://no-such-bucket/model")
    monkeypatch.setitem(__import__("sys").modules, "obstore", None)
    with pytest.raises(UsageError, match="obstore") as caught:
        open_checkpoint("gs://models/nothing")
    assert "modelprov[buckets]" in caught.value.advice


def test_an_object_that_is_replaced_is_noticed(client: Any, tmp_path: Path) -> None:
    put(client, write_checkpoint(tmp_path / "model", {"w": np.zeros((300, 400), np.float32)}), "m/")
    found = open_checkpoint("s3://models/m")
    put(client, write_checkpoint(tmp_path / "other", {"w": np.ones((300, 400), np.float32)}), "m/")
    with pytest.raises(ChangedFileError, match="another object"):
        found.source.check_unchanged()
    with pytest.raises(ChangedFileError, match="another object"):
        list(found.source.read_ranges([(0, 1000, 2000)]))


class TestBucket(Contract):
    """The contract, for objects below a folder."""

    @pytest.fixture(autouse=True)
    def bucket(self, client: Any) -> None:
        self.client = client

    @pytest.mark.parametrize("ranges", [RANGES["overlapping"], RANGES["empty"], RANGES["a whole shard"]])
    def test_a_buffer_is_filled_with_the_same_bytes(self, source: Source, ranges: Sequence[Range]) -> None:
        """Some of them: a request for each takes its time."""
        super().test_a_buffer_is_filled_with_the_same_bytes(source, ranges)

    test_many_threads_get_their_own_bytes = None  # type: ignore[assignment]  # the threads are every store's; moto is slow

    def make(self, shards: Sequence[bytes], _folder: Path) -> Source:
        names = [f"{'part/' * (number % 2)}{number}.safetensors" for number in range(len(shards))]
        if not self.client.list_objects_v2(Bucket="models").get("Contents"):
            for name, content in zip(names, shards, strict=True):
                self.client.put_object(Bucket="models", Key=f"m/{name}", Body=content)
        store, _ = buckets.open_bucket(InBucket("s3://models/m"))
        return RemoteFiles(store, names)

    def change(self, _folder: Path, shard: int) -> None:
        held = self.client.get_object(Bucket="models", Key=f"m/{shard}.safetensors")["Body"].read()
        self.client.put_object(Bucket="models", Key=f"m/{shard}.safetensors", Body=bytes([held[0] ^ 1]) + held[1:])
