"""One writer at a time, of a file or of a folder. The system lets go of a lock when its process ends, however it ends.

Knows no format and no folder's contents. Where a system or a file system has no such locks nothing is held: a writer
that must not be disturbed has to look at what it wrote as well.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import socket
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from modelprov.errors import InUseError

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL)
HOLDER = re.compile(r"process \d{1,10} on [\w.-]{1,100} since [\d :-]{19}", re.ASCII)


def lock(file: IO[Any], path: Path, advice: str, holder: str = "another run") -> None:
    """Lock an open file until it is closed (nothing happens on systems without such locks).

    Raises `InUseError` with `advice` where another run holds the lock; `holder` is how that run is called.
    """
    try:
        import fcntl
    except ImportError:  # no such locks on this system
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise InUseError(f"{holder} is writing {path}", advice) from error
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise


@contextlib.contextmanager
def only_writer(lock_file: Path, path: Path, advice: str) -> Iterator[None]:
    """Be the only writer of `path` while the block runs; `lock_file` says who that is, and is removed at the end.

    Raises `InUseError` naming the other run, and `OSError` where the lock file cannot be made.
    """
    held = _locked(lock_file, path, advice)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            lock_file.unlink()  # before the lock goes: what lies there then is another run's
        held.close()


def _locked(lock_file: Path, path: Path, advice: str) -> IO[bytes]:
    """The lock file, open and locked, with this process written into it."""
    while True:
        # Never through a link that somebody else laid there, and never waiting for a pipe.
        asked = [getattr(os, name, 0) for name in ("O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK", "O_BINARY")]
        flags = os.O_RDWR | os.O_CREAT | sum(asked)
        file = os.fdopen(os.open(lock_file, flags, 0o644), "r+b", buffering=0)
        try:
            found = HOLDER.fullmatch(file.read(200).decode("ascii", "replace").strip())
            lock(file, path, advice, f"another run ({found[0]})" if found else "another run")
            if _lies_at(file, lock_file):
                now = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S")
                file.seek(0)
                file.truncate()
                file.write(f"process {os.getpid()} on {socket.gethostname()} since {now}\n".encode())
                return file
        except BaseException:
            file.close()
            raise
        file.close()  # the run before this one removed it on its way out; there may be a new one


def _lies_at(file: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.lstat())
    except FileNotFoundError:
        return False
