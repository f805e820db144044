"""Files of this machine: small ones read whole, which file it is over time, links that lead out of a checkpoint.

A run takes hours and reads a file many times. A file is known by what the system says of it when it is opened, and
whoever is about to conclude something from its bytes asks whether it is still the same.

A checkpoint comes from somebody else. A link in it could name any file of this machine, whose content would then be
read as a part of the model or be copied into what is made of it, so links out of its folder are refused. A hard link
cannot be told from a file; who can make those here can read the file anyway.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from modelprov.errors import ChangedFileError, ForeignLinkError, UnreadableFileError
from modelprov.foreign.shown import quoted

RERUN = (
    "Something replaced this file or wrote to it during the run, so nothing was concluded from it. Let that finish "
    "(a download, a training run), then run the command again."
)


@dataclass(frozen=True, slots=True)
class FileState:
    """Which file it is, and since when it is as it is: changes whenever a file is replaced or written to.

    `changed_ns` is the system's own time of the last change, which no program can set back as it can `modified_ns`.
    """

    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int


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
            raise not_regular(path)
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


def read_small_file(path: Path, limit: int) -> bytes:
    """The whole of a regular file of at most `limit` bytes; raises `UnreadableFileError`."""
    state_of(path)
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise unreadable(path, error) from error
    if len(content) > limit:
        raise UnreadableFileError(f"{path} is larger than {limit:,} bytes", "Such a file does not belong to a model.")
    return content


def state_of(path: Path) -> FileState:
    """What the system says of a regular file now, links followed; raises `UnreadableFileError`."""
    try:
        found = path.stat()
    except OSError as error:
        raise unreadable(path, error) from error
    if not stat.S_ISREG(found.st_mode):
        raise not_regular(path)
    return state_from(found)


def state_from(found: os.stat_result) -> FileState:
    """The part of a `stat` that changes whenever a file is replaced or written to."""
    return FileState(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def changed(path: Path) -> ChangedFileError:
    """A file that is another one than when it was opened, in words."""
    return ChangedFileError(f"{path} changed while it was read", RERUN)


def unreadable(path: Path, error: OSError) -> UnreadableFileError:
    """The operating system's refusal in words."""
    advice = "Check the permissions of the file." if isinstance(error, PermissionError) else "Check the disk and path."
    return UnreadableFileError(f"cannot read {path}: {error.strerror or error}", advice)


def not_regular(path: Path) -> UnreadableFileError:
    """A folder, pipe or device in the place of a file, in words."""
    if path.is_dir():
        return UnreadableFileError(f"{path} is a folder, not a regular file", "A file is needed in its place.")
    return UnreadableFileError(f"{path} is not a regular file", "Pipes and devices cannot be read twice: give a file.")
