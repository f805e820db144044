"""The one place where a report reaches a file or standard output: all of it, or nothing. Renders nothing."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
import sys
from pathlib import Path

from modelprov.errors import UnreadableFileError, UsageError

STANDARD_OUTPUT = "-"
WEIGHTS = (".safetensors", ".safetensors.index.json")

_ADVICE = {
    errno.ENOSPC: "The disk is full. Free some space or choose another folder; nothing was changed.",
    errno.EDQUOT: "The disk quota is used up. Free some space or choose another folder; nothing was changed.",
    errno.ENOENT: "Create the folder first, or choose another one.",
    errno.ENOTDIR: "A part of the path is a file, not a folder. Choose another path.",
    errno.EISDIR: "This is a folder. Give the name of a file in it.",
    errno.EACCES: "Choose a folder that you may write to.",
    errno.EPERM: "Choose a folder that you may write to.",
    errno.EROFS: "The file system is read-only. Choose another folder.",
    errno.ENAMETOOLONG: "Choose a shorter file name.",
}


def _failure(place: str, error: OSError) -> UnreadableFileError:
    advice = _ADVICE.get(error.errno or 0, "Choose another place, or `-` for standard output.")
    return UnreadableFileError(f"Could not write {place}: {error.strerror or error}.", advice)


def refuse_weights(path: Path) -> None:
    """What is written here never takes the place of weights."""
    if path.name.endswith(WEIGHTS):
        raise UsageError(f"{path} has the name of a weights file", f"Choose a name that does not end in {path.suffix}.")


def write_atomically(path: str | os.PathLike[str], text: str | bytes) -> None:
    """Write text (UTF-8, line feeds) or bytes so that the file is either complete and on disk, or as it was before.

    `-` is standard output, for text. A link is followed, so that it stays one; an existing file keeps its permissions.

    Raises:
        UsageError: the file has the name of weights.
        UnreadableFileError: the operating system refused (no such folder, no permission, disk full, ...).

    """
    if os.fspath(path) == STANDARD_OUTPUT and isinstance(text, str):
        _write_standard_output(text)
        return
    refuse_weights(Path(path))
    try:
        target = Path(path).resolve()
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        data = text.encode("utf-8", "backslashreplace") if isinstance(text, str) else text
        if target.exists() and not target.is_file():  # a device or pipe, such as /dev/null: nothing to replace
            target.write_bytes(data)
        else:
            _replace(target, data)
    except (OSError, RuntimeError) as error:
        cause = error if isinstance(error, OSError) else OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        raise _failure(os.fspath(path), cause) from error


def _replace(target: Path, data: bytes) -> None:
    temporary = target.with_name(f".modelprov-{secrets.token_hex(8)}.part")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            temporary.chmod(stat.S_IMODE(target.stat().st_mode))
        temporary.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Make the rename last; some file systems cannot, and the file is complete either way."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _write_standard_output(text: str) -> None:
    try:
        encoding = sys.stdout.encoding or "utf-8"
        sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stdout.flush()
    except BrokenPipeError:  # nobody reads it any more: no fault, and the command knows how to leave
        raise
    except OSError as error:
        raise _failure("standard output", error) from error
