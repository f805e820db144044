"""Which file is it, and may it be read: identity of files over time, and links that lead out of a checkpoint.

A run takes hours and reads a file many times. A file is known by what the system says of it when it is opened, and
whoever is about to conclude something from its bytes asks here whether it is still the same.

A checkpoint comes from somebody else. A link in it could name any file of this machine, whose content would then be
read as a part of the model or be copied into what is made of it, so links out of its folder are refused. A hard link
cannot be told from a file; who can make those here can read the file anyway.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from modelprov.checkpoints.header import unreadable
from modelprov.checkpoints.types import Checkpoint, FileState, OnDisk
from modelprov.errors import ChangedFileError, ForeignLinkError, UnreadableFileError
from modelprov.foreign.shown import quoted

RERUN = (
    "Something replaced this file or wrote to it during the run, so nothing was concluded from it. Let that finish "
    "(a download, a training run), then run the command again."
)


@dataclass(frozen=True)
class Folder:
    """The folder of a checkpoint: `open_to` are the real folders that its files may lie in."""

    path: Path
    open_to: tuple[Path, ...]

    @staticmethod
    def of(path: Path) -> Folder:
        """The folder at `path`, which may itself be a link: whoever named it meant it.

        A snapshot in a Hugging Face cache (`models--*/snapshots/*`) keeps its files in the `blobs` beside it.
        """
        real = path.resolve()
        snapshot = real.parent.name == "snapshots" and real.parents[1].name.startswith("models--")
        return Folder(path, (real, real.parents[1] / "blobs") if snapshot else (real,))

    def check(self, path: Path, *, folder: bool = False) -> None:
        """Raise `ForeignLinkError` where `path` leads out of the folder, `UnreadableFileError` if it is no file.

        With `folder` it may be a folder as well.
        """
        try:
            real = path.resolve(strict=True)
            regular = stat.S_ISREG(real.stat().st_mode)
        except RuntimeError as error:  # links in a circle, until Python 3.12
            raise UnreadableFileError(f"cannot read {path}: {error}", "Check the disk and path.") from error
        except FileNotFoundError as error:
            raise _dangling(path) or unreadable(path, error) from error
        except OSError as error:
            raise unreadable(path, error) from error
        if not (regular or (folder and real.is_dir())):
            raise UnreadableFileError(f"{path} is not a regular file", "Give a file or a folder of weights.")
        if not any(real.is_relative_to(place) for place in self.open_to):
            raise ForeignLinkError(
                f"{path} is a link out of {self.path}",
                "Links are not followed: they could name any file of this machine. If you know what it leads to, name "
                "the folder where the files really lie, or put a copy in its place.",
            )


def _dangling(path: Path) -> UnreadableFileError | None:
    """What a link to nothing is: git-annex and caches leave such links for what was not fetched."""
    if not path.is_symlink():
        return None
    target = os.readlink(path)
    get = "Fetch it: `git annex get`." if "annex/objects" in target else "Download the file it stands for."
    return UnreadableFileError(f"{path} is a link to {quoted(target)}, which is not there", get)


def state_of(path: Path) -> FileState:
    """What the system says of a file now, links followed; raises `UnreadableFileError`."""
    try:
        return state_from(path.stat())
    except OSError as error:
        raise unreadable(path, error) from error


def state_from(found: os.stat_result) -> FileState:
    """The part of a `stat` that changes whenever a file is replaced or written to."""
    return FileState(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def files_of(checkpoint: Checkpoint) -> Mapping[Path, FileState]:
    """The files that a checkpoint is read from, as they were when it was opened."""
    return checkpoint.source.files() if isinstance(checkpoint.source, OnDisk) else {}


def changed(path: Path) -> ChangedFileError:
    """A file that is another one than when it was opened, in words."""
    return ChangedFileError(f"{path} changed while it was read", RERUN)


def check_open(path: Path, descriptor: int, expected: FileState | None) -> None:
    """Raise `ChangedFileError` unless the open file is the one that is expected.

    One that lost bytes passes: the reader says how many are missing, or the check after the pass finds it.
    """
    if expected is None:
        return
    found = state_from(os.fstat(descriptor))
    if found != expected and found.size >= expected.size:
        raise changed(path)


def check_unchanged(checkpoints: Iterable[Checkpoint]) -> None:
    """Raise `ChangedFileError` where a file that the checkpoints are read from is no longer the one that was opened.

    Belongs at the end of every pass: only then do its sums speak of the models that were opened.
    """
    for checkpoint in checkpoints:
        for path, expected in files_of(checkpoint).items():
            try:
                found = state_from(path.stat())
            except OSError as error:
                raise changed(path) from error
            if found != expected:
                raise changed(path)
