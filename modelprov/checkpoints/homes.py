"""The folder of a checkpoint, wherever it lies, as one interface: names, small files whole, shards as a source.

Whoever opens a checkpoint or looks at the files beside its weights asks its home, and never where that is. Names are
those below the folder, divided by `/`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from modelprov.checkpoints.files import Folder, read_small_file, unreadable
from modelprov.checkpoints.json_files import MAX_JSON_BYTES, json_object
from modelprov.checkpoints.sources.interface import Source
from modelprov.checkpoints.sources.local import LocalFiles
from modelprov.errors import UnreadableFileError

COMMIT = re.compile(r"[0-9a-f]{40}")


class Home(Protocol):
    """A folder with a model's files. Raises `UnreadableFileError` where it cannot be read, or a kind of it."""

    @property
    def folder(self) -> Path | None:
        """Where it is on this machine; None where it is not."""
        ...

    @property
    def revision(self) -> str | None:
        """The commit that its files are of, where that is known."""
        ...

    def place(self, name: str = "") -> str:
        """Where a file of it lies, or itself: for people."""
        ...

    def names(self) -> Sequence[str]:
        """What lies in it, files and folders, in order."""
        ...

    def folders(self) -> Mapping[str, Sequence[str]]:
        """What lies in each of its sub-folders, in order; links are not followed, and what cannot be read is empty."""
        ...

    def has(self, name: str) -> bool:
        """Whether a file or folder of this name is there; a link to nothing is none."""
        ...

    def check(self, name: str) -> None:
        """Raise `ForeignLinkError` where a file is a link out of the folder, `UnreadableFileError` if it is no file."""
        ...

    def read(self, name: str, limit: int) -> bytes:
        """The whole of a file of at most so many bytes, checked as above."""
        ...

    def sub(self, name: str) -> Home:
        """The home that a sub-folder is."""
        ...

    def source(self, names: Sequence[str]) -> Source:
        """The shards of these names."""
        ...


class LocalHome:
    """A folder of this machine."""

    def __init__(self, path: Path) -> None:
        self._folder = Folder.of(path)

    @property
    def folder(self) -> Path:
        """See `Home`."""
        return self._folder.path

    @property
    def revision(self) -> str | None:
        """The commit, when the folder is a snapshot in a Hugging Face cache."""
        for path in (self.folder.absolute(), self.folder.resolve()):
            if path.parent.name == "snapshots" and COMMIT.fullmatch(path.name):
                return path.name
        return None

    def place(self, name: str = "") -> str:
        """See `Home`."""
        return str(self.folder / name)

    def names(self) -> list[str]:
        """See `Home`."""
        return _names(self.folder)

    def folders(self) -> dict[str, list[str]]:
        """See `Home`."""
        found = {}
        for name in self.names():
            inside = self.folder / name
            with suppress(OSError, UnreadableFileError):
                if not inside.is_symlink() and inside.is_dir():
                    found[name] = _names(inside)
        return found

    def has(self, name: str) -> bool:
        """See `Home`; a name that no system can hold names none."""
        try:
            return (self.folder / name).exists()
        except (OSError, ValueError):
            return False

    def check(self, name: str) -> None:
        """See `Home`."""
        self._folder.check(self.folder / name)

    def read(self, name: str, limit: int) -> bytes:
        """See `Home`."""
        self.check(name)
        return read_small_file(self.folder / name, limit)

    def sub(self, name: str) -> LocalHome:
        """See `Home`; raises `ForeignLinkError` where it leads out of this one."""
        self._folder.check(self.folder / name, folder=True)
        return LocalHome(self.folder / name)

    def source(self, names: Sequence[str]) -> LocalFiles:
        """See `Home`."""
        return LocalFiles(self.folder, names)


def json_in(home: Home, name: str) -> dict[str, Any]:
    """The JSON object in a file of a home; raises `InvalidCheckpointError` when it is anything else."""
    return json_object(home.read(name, MAX_JSON_BYTES), home.place(name))


def _names(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir())
    except OSError as error:
        raise unreadable(folder, error) from error
