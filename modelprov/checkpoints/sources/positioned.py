"""Reads and writes at a place of an open file, from any thread, with what the system has. Knows no files' meaning.

Linux and the BSDs read into memory that is there (`preadv`); macOS and others by way of a copy; Windows has neither,
and one thread after the other moves the file's own position.
"""

from __future__ import annotations

import os
import threading

FLAGS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
"""For every `os.open`: children do not inherit it, and bytes are bytes."""
LONGEST = 1 << 28  # bytes of one call that copies
_position = threading.Lock()


def read_at(descriptor: int, out: memoryview, start: int) -> int:
    """Bytes read into the beginning of `out` from byte `start` on: none at the end of the file, else one or more."""
    if hasattr(os, "preadv"):
        return os.preadv(descriptor, [out], start)
    wanted = min(len(out), LONGEST)
    if hasattr(os, "pread"):
        found = os.pread(descriptor, wanted, start)
    else:
        with _position:
            os.lseek(descriptor, start, os.SEEK_SET)
            found = os.read(descriptor, wanted)
    out[: len(found)] = found
    return len(found)


def write_at(descriptor: int, view: memoryview, start: int) -> int:
    """How many bytes of the beginning of `view` were written at byte `start`."""
    if hasattr(os, "pwrite"):
        return os.pwrite(descriptor, view, start)
    with _position:
        os.lseek(descriptor, start, os.SEEK_SET)
        return os.write(descriptor, view[:LONGEST])
