"""Where remote files are, as one small interface: sizes, identities, ranges of bytes that are checked. Data only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Stored:
    """A remote file: its bytes, and a text that another content would not have; None where the server gives none."""

    size: int
    identity: str | None


class Store(Protocol):
    """The files below one place, by name; can be pickled, and used from many threads."""

    @property
    def files(self) -> Mapping[str, Stored]:
        """What is there."""
        ...

    @property
    def revision(self) -> str | None:
        """The commit that all is read from."""
        ...

    def place(self, name: str = "") -> str:
        """Where a file is, or the store itself: for people, without passwords and signatures."""
        ...

    def fetch(self, name: str, start: int, stop: int) -> bytes | bytearray:
        """Bytes `start` to `stop` of a file; waits, retries and checks. Raises a `RemoteError`, `ChangedFileError`."""
        ...

    def check_unchanged(self, names: Sequence[str]) -> None:
        """Raise `ChangedFileError` where a file is no longer what `files` says."""
        ...
