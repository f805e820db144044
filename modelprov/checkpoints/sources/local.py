"""Reads bytes of local shards: the only place that touches weight data on disk. Knows no names and no shapes."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from modelprov.checkpoints.files import check_open
from modelprov.checkpoints.header import DOWNLOAD_AGAIN, unreadable
from modelprov.checkpoints.types import FileState
from modelprov.errors import TruncatedShardError

MAX_OPEN_FILES = 64


@dataclass(slots=True)
class _OpenFile:
    descriptor: int
    users: int = 0


class LocalFiles:
    """The files of one checkpoint, by shard number; safe to use from many threads, and to send to another process.

    `states` says which files they are: another file in the place of one, however it got there, is an error.
    At most 64 idle files stay open; they are closed by `close`, or with the object itself.
    """

    def __init__(self, paths: Sequence[Path], states: Mapping[Path, FileState] | None = None) -> None:
        self._paths = tuple(paths)
        self._states = dict(states or {})
        self._lock = threading.Lock()
        self._open: dict[int, _OpenFile] = {}
        self._finalizer = weakref.finalize(self, _close_all, self._open)

    def __reduce__(self) -> tuple[type[LocalFiles], tuple[tuple[Path, ...], dict[Path, FileState]]]:
        """Open files stay behind: the copy opens its own."""
        return LocalFiles, (self._paths, self._states)

    def files(self) -> Mapping[Path, FileState]:
        """The files as they were when their headers were read."""
        return self._states

    def open(self, shard: int, flags: int = 0) -> int:
        """A new descriptor of shard number `shard`, for the caller to close; raises `OSError` or `ChangedFileError`."""
        path = self._paths[shard]
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | flags)
        try:
            check_open(path, descriptor, self._states.get(path))
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def path(self, shard: int) -> Path:
        """The file of shard number `shard`, to be named in messages."""
        return self._paths[shard]

    def read_into(self, shard: int, start: int, out: memoryview) -> None:
        """Fill `out` with the bytes of `shard` from absolute offset `start`.

        Raises `TruncatedShardError` when the file ends before, `UnreadableFileError` when the system refuses.
        """
        view = out.cast("B")
        done = 0
        try:
            with self._descriptor(shard) as descriptor:
                while done < len(view):
                    got = os.preadv(descriptor, [view[done:]], start + done)
                    if got == 0:
                        break
                    done += got
        except OSError as error:
            raise unreadable(self._paths[shard], error) from error
        if done < len(view):
            missing = len(view) - done
            raise TruncatedShardError(
                f"{self._paths[shard]} ends {missing:,} bytes before the end of a block; it changed while being read",
                DOWNLOAD_AGAIN,
            )

    def close(self) -> None:
        """Close the idle files; a later read opens them again."""
        with self._lock:
            for number in [number for number, file in self._open.items() if file.users == 0]:
                os.close(self._open.pop(number).descriptor)

    @contextmanager
    def _descriptor(self, shard: int) -> Iterator[int]:
        """An open descriptor of `shard`, kept open at least until the block ends."""
        with self._lock:
            file = self._open.pop(shard, None)
            if file is None:
                self._make_room()
                file = _OpenFile(self.open(shard))
            self._open[shard] = file
            file.users += 1
        try:
            yield file.descriptor
        finally:
            with self._lock:
                file.users -= 1

    def _make_room(self) -> None:
        """Close the files that were idle longest; a dictionary keeps its order of use."""
        idle = [number for number, file in self._open.items() if file.users == 0]
        for number in idle[: max(0, len(self._open) - MAX_OPEN_FILES + 1)]:
            os.close(self._open.pop(number).descriptor)


def _close_all(files: dict[int, _OpenFile]) -> None:
    while files:
        os.close(files.popitem()[1].descriptor)
