"""The hidden folder beside the output in which a merge grows, and how it becomes the output: whole, or not at all.

Rules:

* every file is written under a name that only this run uses, and gets its real name when it is complete and on disk;
* what is published is what this run wrote, or found with the digest that an earlier run of it wrote: each file is known
  by what the system says of it, which changes when another program replaces it or writes to it; where that differs, the
  digest decides;
* the journal leaves the folder in the last step but one, so a run that is killed anywhere can go on.

A lock keeps other runs away (`modelprov.locking`); these rules hold where the file system has none.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from modelprov.checkpoints.files import FileState, state_from
from modelprov.checkpoints.sources.positioned import FLAGS
from modelprov.errors import ChangedFileError, UsageError
from modelprov.merge.output_file import write_whole
from modelprov.merge.receipt import RECEIPT
from modelprov.merge.shard_files import sha256_of

JOURNAL = "journal.json"


@dataclass(frozen=True, slots=True)
class _Known:
    sha256: str
    state: FileState


class Stage:
    """The folder `.NAME.merging` of the output `NAME`; `journal` is where the journal waits while it is renamed."""

    def __init__(self, out: Path) -> None:
        self.folder = out.parent / f".{out.name}.merging"
        self.lock_file = out.parent / f".{out.name}.merging.lock"
        self._aside = out.parent / f".{out.name}.merging.json"
        self._out = out
        self._known: dict[str, _Known] = {}

    def open(self) -> None:
        """Make the folder, or take over that of an earlier run; raises `UsageError` where it is something else."""
        if self._aside.is_file() and (self.folder / RECEIPT).is_file() and not (self.folder / JOURNAL).exists():
            self._aside.rename(self.folder / JOURNAL)  # that run was killed in its last step
        if self.folder.is_symlink() or (self.folder.exists() and not self._is_ours()):
            raise UsageError(
                f"{self.folder} is in the way and not of an unfinished merge", "Remove it, or choose another folder."
            )
        self.folder.mkdir(exist_ok=True)

    def _is_ours(self) -> bool:
        """Only files, and a journal among them; a run that is killed at its start leaves no more than a part of one."""
        if not self.folder.is_dir():
            return False
        found = list(self.folder.iterdir())
        names = [path.name for path in found]
        begun = all(name.startswith(f"{JOURNAL}.") and name.endswith(".part") for name in names)
        return (JOURNAL in names or begun) and not any(path.is_dir() and not path.is_symlink() for path in found)

    def find(self, name: str, size: int, sha256: str) -> bool:
        """Whether a file of an earlier run is there with this size and digest; it is then a part of the output."""
        path = self.folder / name
        state = _state(path)
        if state is None or state.size != size or sha256_of(path) != sha256:
            return False
        self.add(name, sha256, state)
        return True

    def clear(self, kept: str) -> None:
        """Remove every file that is neither a part of the output nor `kept`."""
        for path in self.folder.iterdir():
            if path.name not in self._known and path.name != kept:
                path.unlink()

    def add(self, name: str, sha256: str, state: FileState) -> None:
        """Know a file that was written as `name`."""
        self._known[name] = _Known(sha256, state)

    def write(self, name: str, data: bytes) -> None:
        """Write a small file of the output; raises `OSError`."""
        self.add(name, hashlib.sha256(data).hexdigest(), write_whole(self.folder / name, data))

    def write_journal(self, data: bytes) -> None:
        """Write the journal anew; raises `OSError`."""
        write_whole(self.folder / JOURNAL, data)

    def discard(self) -> None:
        """Remove everything: nothing of it may be gone on from."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def publish(self) -> None:
        """Rename the folder to the output; raises `ChangedFileError` if it does not hold exactly what was written."""
        self._check(self.folder)
        _sync(self.folder)
        (self.folder / JOURNAL).replace(self._aside)
        self.folder.rename(self._out)
        try:
            self._check(self._out)  # nobody writes into the stage from here on: what is right now stays right
        except BaseException:
            self._out.rename(self.folder)
            raise
        self._aside.unlink()
        _sync(self._out.parent)

    def _check(self, folder: Path) -> None:
        """Every file is there as it was written, and no other; hidden ones are the system's own."""
        for name, known in self._known.items():
            state = _state(folder / name)
            if state is None or (state != known.state and sha256_of(folder / name) != known.sha256):
                raise self._disturbed(name)
        for path in folder.iterdir():
            if path.name not in self._known and path.name != JOURNAL and not path.name.startswith("."):
                raise self._disturbed(path.name)

    def _disturbed(self, name: str) -> ChangedFileError:
        return ChangedFileError(
            f"{name} in {self.folder} is not what this run wrote: another program was at work there",
            f"Nothing was published as {self._out}. See that no other merge writes there, then run the command again.",
        )


def _state(path: Path) -> FileState | None:
    """The state of a regular file; None for anything else, links too."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    return state_from(found) if stat.S_ISREG(found.st_mode) else None


def _sync(folder: Path) -> None:
    """Have the names in a folder on the disk, where the system can do that."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | FLAGS)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
