"""One file that is being written: whole pages past the page cache where the system allows it, the rest through it.

A merge writes every byte once and reads none of them again. Through the cache each page costs an allocation, a copy and
a second trip to the disk at the end (measured here: 0.4 to 1.4 processor seconds for 1.6 GB, against 0.06).
"""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from modelprov.checkpoints.page_cache import ALIGNMENT, O_DIRECT

WORTHWHILE = 1 << 20  # bytes; a smaller piece is written through the cache


class OutputFile:
    """A new file at `path`; safe to write from many threads. Raises `OSError` (disk full, ...)."""

    def __init__(self, path: Path) -> None:
        self._cached = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        self._direct: int | None = None
        if O_DIRECT:
            with contextlib.suppress(OSError):  # a file system that refuses, such as tmpfs
                self._direct = os.open(path, os.O_WRONLY | os.O_CLOEXEC | O_DIRECT)

    def write(self, view: memoryview, start: int) -> None:
        """Write all of `view` at byte `start`; past the cache if both begin on a page."""
        done = 0
        pages = len(view) - len(view) % ALIGNMENT
        if self._direct is not None and start % ALIGNMENT == 0 and pages >= WORTHWHILE:
            done = self._past_the_cache(self._direct, view[:pages], start)
        while done < len(view):
            done += os.pwrite(self._cached, view[done:], start + done)

    def _past_the_cache(self, descriptor: int, view: memoryview, start: int) -> int:
        """How many bytes were written so; none where the system does not take this piece of memory."""
        done = 0
        try:
            while done < len(view) and done % ALIGNMENT == 0:
                done += os.pwrite(descriptor, view[done:], start + done)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
        return done

    def sync(self) -> None:
        """Have everything on the disk."""
        os.fsync(self._cached)

    def close(self) -> None:
        """Give the file back to the system."""
        os.close(self._cached)
        if self._direct is not None:
            os.close(self._direct)
