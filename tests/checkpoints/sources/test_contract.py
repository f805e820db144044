"""The sources there are, each held against the contract."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from modelprov.checkpoints.sources.interface import Source
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
