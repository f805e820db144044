"""The sources there are, each held against the contract."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from modelprov.checkpoints.adapters.source import AdaptedSource
from modelprov.checkpoints.sources.interface import Source
from modelprov.checkpoints.sources.joined import JoinedSource
from modelprov.checkpoints.sources.local import LocalFiles
from tests.checkpoints.sources.contract import Contract
from tests.memory import Memory


class TestLocalFiles(Contract):
    """Files of this machine, some in a folder of their own."""

    def make(self, shards: Sequence[bytes], folder: Path) -> Source:
        names = [f"{'part/' * (number % 2)}{number}.safetensors" for number in range(len(shards))]
        for name, content in zip(names, shards, strict=True):
            (folder / name).parent.mkdir(exist_ok=True)
            if not (folder / name).exists():
                (folder / name).write_bytes(content)
        return LocalFiles(folder, names)

    def change(self, folder: Path, shard: int) -> None:
        path = folder / f"{shard}.safetensors"
        path.with_name("new").write_bytes(path.read_bytes())
        path.with_name("new").replace(path)


class TestMemory(Contract):
    """Pieces of memory, answered in the opposite order."""

    def make(self, shards: Sequence[bytes], _folder: Path) -> Source:
        return Memory(tuple(shards))


class TestJoined(Contract):
    """Folders of this machine, each with some of the shards."""

    def make(self, shards: Sequence[bytes], folder: Path) -> Source:
        names = [f"{number}.safetensors" for number in range(len(shards))]
        for number, (name, content) in enumerate(zip(names, shards, strict=True)):
            (folder / str(number % 2)).mkdir(exist_ok=True)
            if not (folder / str(number % 2) / name).exists():
                (folder / str(number % 2) / name).write_bytes(content)
        parts = [LocalFiles(folder / str(number % 2), [name]) for number, name in enumerate(names)]
        return JoinedSource(tuple(parts), tuple(str(number % 2) for number in range(len(names))))

    def change(self, folder: Path, shard: int) -> None:
        path = folder / str(shard % 2) / f"{shard}.safetensors"
        path.with_name("new").write_bytes(path.read_bytes())
        path.with_name("new").replace(path)


class TestAdapted(Contract):
    """A base with an adapter on it that changes nothing."""

    def make(self, shards: Sequence[bytes], folder: Path) -> Source:
        return AdaptedSource(TestLocalFiles().make(shards, folder), Memory(()), ())

    def change(self, folder: Path, shard: int) -> None:
        TestLocalFiles().change(folder, shard)
