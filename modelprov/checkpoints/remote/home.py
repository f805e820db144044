"""A `Home` that is remote: names as the store lists them, small files fetched whole."""

from __future__ import annotations

from collections.abc import Sequence

from modelprov.checkpoints.remote.source import RemoteFiles
from modelprov.checkpoints.remote.store import Store
from modelprov.errors import UnreadableFileError


class RemoteHome:
    """A folder of a store; `inside` ends in `/` unless it is the store itself."""

    def __init__(self, store: Store, inside: str = "") -> None:
        self._store, self._inside = store, inside
        below = [name[len(inside) :] for name in store.files if name.startswith(inside)]
        self._names = sorted({name.partition("/")[0] for name in below})
        self._below = frozenset(below)

    @property
    def folder(self) -> None:
        """It is nowhere on this machine."""
        return None

    @property
    def revision(self) -> str | None:
        """The commit that all is read from."""
        return self._store.revision

    def place(self, name: str = "") -> str:
        """See `Home`."""
        return self._store.place(self._inside + name).rstrip("/")

    def names(self) -> list[str]:
        """See `Home`."""
        return list(self._names)

    def files(self) -> dict[str, int]:
        """Every file below it, at any depth, and its bytes."""
        return {name: self._store.files[self._inside + name].size for name in sorted(self._below)}

    def folders(self) -> dict[str, list[str]]:
        """See `Home`."""
        found: dict[str, set[str]] = {}
        for name in self._below:
            folder, divided, rest = name.partition("/")
            if divided:
                found.setdefault(folder, set()).add(rest.partition("/")[0])
        return {name: sorted(found[name]) for name in sorted(found)}

    def has(self, name: str) -> bool:
        """See `Home`."""
        return name in self._below or any(each.startswith(f"{name}/") for each in self._below)

    def check(self, name: str) -> None:
        """See `Home`; there are no links."""
        if name not in self._below:
            raise UnreadableFileError(f"{self.place(name)} is not a file", "Give a file or a folder of weights.")

    def read(self, name: str, limit: int) -> bytes:
        """See `Home`."""
        self.check(name)
        source = self.source([name])
        if source.size(0) > limit:
            raise UnreadableFileError(
                f"{self.place(name)} is larger than {limit:,} bytes", "Such a file does not belong to a model."
            )
        content = bytearray(source.size(0))
        source.read_into(0, 0, memoryview(content))
        return bytes(content)

    def sub(self, name: str) -> RemoteHome:
        """See `Home`."""
        return RemoteHome(self._store, f"{self._inside}{name}/")

    def source(self, names: Sequence[str]) -> RemoteFiles:
        """See `Home`."""
        return RemoteFiles(self._store, names, self._inside)
