"""One writer of a file of answers at a time. Knows no format; reads and writes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

from modelprov.errors import UsageError


def lock(file: IO[Any], path: Path, advice: str) -> None:
    """Lock an open file until it is closed (nothing happens on systems without such locks).

    Raises `UsageError` with `advice` where another run holds the lock.
    """
    try:
        import fcntl
    except ImportError:  # no such locks on this system
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UsageError(f"another run is writing {path}", advice) from error
