"""Pieces of remote files kept on this machine, by what they are pieces of: shared between runs and processes.

A piece is a file that is written whole or not at all, with the SHA-256 of its bytes in front: one that was cut or
changed counts as none. The pieces that were used longest ago go when there are too many bytes. Whatever the disk
refuses (full, read-only), the run goes on without.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

from modelprov.checkpoints.remote.traffic import size_in

MOST = 5 << 30
"""Bytes that are kept, unless `MODELPROV_CACHE_SIZE` says otherwise."""
DOWN_TO, OFTEN = 0.9, 0.05
"""Shares of the most: what is left after the oldest went, and how much is written between two looks at all."""
DIGEST = hashlib.sha256().digest_size


class BlockCache:
    """The pieces below one folder; safe for many threads and processes."""

    def __init__(self, folder: Path, most: int) -> None:
        self._folder, self._most = folder, most
        self._lock = threading.Lock()
        self._written: int | None = None
        self._full = False

    def holds(self, size: int) -> bool:
        """Whether so many bytes fit without pushing each other out."""
        return size <= self._most // 2

    def get(self, identity: str | None, start: int, stop: int) -> bytes | None:
        """Bytes `start` to `stop` of what has this identity; None where they are not here."""
        if identity is None or self._most <= 0:
            return None
        path = self._path(identity, start, stop)
        try:
            content = path.read_bytes()
        except OSError:
            return None
        piece = content[DIGEST:]
        if len(piece) != stop - start or hashlib.sha256(piece).digest() != content[:DIGEST]:
            with suppress(OSError):
                path.unlink()
            return None
        with suppress(OSError):
            os.utime(path)
        return piece

    def put(self, identity: str | None, start: int, piece: bytes | bytearray) -> None:
        """Keep a piece, if it can be kept; never raises for what the disk says."""
        if identity is None or self._full or len(piece) > self._most // 4:
            return
        path = self._path(identity, start, start + len(piece))
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._make_room(len(piece))
            descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".piece-")
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(hashlib.sha256(piece).digest())
                    file.write(piece)
                os.replace(name, path)
            except BaseException:
                with suppress(OSError):
                    os.unlink(name)
                raise
        except OSError:
            self._full = True  # a full disk stays full: reading goes on, nothing more is kept

    def _path(self, identity: str, start: int, stop: int) -> Path:
        key = hashlib.sha256(f"{identity}\n{start}\n{stop}".encode()).hexdigest()
        return self._folder / key[:2] / key[2:]

    def _make_room(self, size: int) -> None:
        """Look at all pieces now and then, and let the oldest go; others may be writing meanwhile."""
        with self._lock:
            if self._written is not None and self._written + size <= OFTEN * self._most:
                self._written += size
                return
            self._written = size
            found = []
            for path in self._folder.glob("*/*"):
                with suppress(OSError):
                    state = path.stat()
                    found.append((state.st_mtime_ns, state.st_size, path))
            held = sum(each for _, each, _ in found)
            if held <= (1 - OFTEN) * self._most:
                return
            for _, each, path in sorted(found):
                if held <= DOWN_TO * self._most:
                    break
                with suppress(OSError):
                    path.unlink()
                    held -= each


_shared: dict[tuple[Path, int], BlockCache] = {}
_making: Final = threading.Lock()


def shared_cache() -> BlockCache:
    """The cache of this machine's user: in `MODELPROV_CACHE`, else among the other caches of the home."""
    given = os.environ.get("MODELPROV_CACHE")
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = Path(os.path.expanduser(given)) if given else Path(home) / "modelprov" / "ranges"
    key = folder, size_in("MODELPROV_CACHE_SIZE", MOST)
    with _making:
        if key not in _shared:
            _shared[key] = BlockCache(*key)
        return _shared[key]
