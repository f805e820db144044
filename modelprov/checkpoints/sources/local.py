"""Reads bytes of local shards: the only place that touches weight data on disk. Knows no tensors and no formats."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from modelprov.checkpoints.files import FileState, changed, state_from, state_of, unreadable
from modelprov.checkpoints.sources.interface import DOWNLOAD_AGAIN, Piece, Range, one_after_another
from modelprov.checkpoints.sources.positioned import FLAGS, read_at
from modelprov.errors import TruncatedShardError

MAX_OPEN_FILES = 64


@dataclass(slots=True)
class _OpenFile:
    descriptor: int
    users: int = 0


class LocalFiles:
    """Files below one folder as a `Source`; at most 64 idle ones stay open, until `close` or the object's own end.

    The files are those that lie there when the object is made (`states` says which those were, for a copy): another
    file in the place of one, however it got there, is an error. Raises `UnreadableFileError` for what is no file.
    """

    def __init__(self, folder: Path, names: Sequence[str], states: Sequence[FileState] = ()) -> None:
        self._folder, self._names = folder, tuple(names)
        self._paths = tuple(folder / name for name in names)
        self._states = tuple(states) or tuple(map(state_of, self._paths))
        self._lock = threading.Lock()
        self._open: dict[int, _OpenFile] = {}
        self._finalizer = weakref.finalize(self, _close_all, self._open)

    def __reduce__(self) -> tuple[_Copy, tuple[Path, tuple[str, ...], tuple[FileState, ...]]]:
        """Open files stay behind: the copy opens its own."""
        return _copy, (self._folder, self._names, self._states)

    @property
    def names(self) -> tuple[str, ...]:
        """Their names below the folder."""
        return self._names

    def place(self, shard: int) -> str:
        """The path of a shard."""
        return str(self._paths[shard])

    def size(self, shard: int) -> int:
        """Bytes of a shard when the object was made."""
        return self._states[shard].size

    def open(self, shard: int, flags: int = 0) -> int:
        """A new descriptor of a shard, for the caller to close; raises `OSError` or `ChangedFileError`.

        A file that only lost bytes passes: whoever reads it says how many are missing, or `check_unchanged` finds it.
        """
        path, expected = self._paths[shard], self._states[shard]
        descriptor = os.open(path, os.O_RDONLY | FLAGS | getattr(os, "O_NONBLOCK", 0) | flags)
        try:
            found = state_from(os.fstat(descriptor))
            if found != expected and found.size >= expected.size:
                raise changed(path)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    @contextmanager
    def descriptor(self, shard: int) -> Iterator[int]:
        """An open descriptor of `shard`, kept open at least until the context ends; raises as `open` does."""
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

    def read_ranges(self, ranges: Sequence[Range]) -> Iterator[tuple[int, Piece]]:
        """See `Source`; in the order asked for."""
        return one_after_another(self.read_into, ranges)

    def read_into(self, shard: int, start: int, out: memoryview) -> None:
        """See `Source`."""
        self.read_pieces(shard, [(start, out)])

    def read_pieces(self, shard: int, pieces: Iterable[tuple[int, memoryview]]) -> None:
        """Fill each piece from its place on; raises as `read_into` does."""
        try:
            with self.descriptor(shard) as descriptor:
                for start, out in pieces:
                    view = out.cast("B")
                    missing = len(view)
                    while missing:
                        got = read_at(descriptor, view[-missing:], start + len(view) - missing)
                        if got == 0:
                            raise TruncatedShardError(
                                f"{self._paths[shard]} ends {missing:,} bytes before the end of a block; it changed "
                                "while being read",
                                DOWNLOAD_AGAIN,
                            )
                        missing -= got
        except OSError as error:
            raise unreadable(self._paths[shard], error) from error

    def versions(self) -> tuple[str, ...]:
        """What the system says of every file."""
        return tuple(f"{one.inode} {one.size} {one.modified_ns} {one.changed_ns}" for one in self._states)

    def check_unchanged(self) -> None:
        """See `Source`."""
        for path, expected in zip(self._paths, self._states, strict=True):
            try:
                found = state_from(path.stat())
            except OSError as error:
                raise changed(path) from error
            if found != expected:
                raise changed(path)

    def close(self) -> None:
        """Close the idle files; a later read opens them again."""
        with self._lock:
            for number in [number for number, file in self._open.items() if file.users == 0]:
                os.close(self._open.pop(number).descriptor)

    def _make_room(self) -> None:
        """Close the files that were idle longest; a dictionary keeps its order of use."""
        idle = [number for number, file in self._open.items() if file.users == 0]
        for number in idle[: max(0, len(self._open) - MAX_OPEN_FILES + 1)]:
            os.close(self._open.pop(number).descriptor)


_Copy = Callable[[Path, tuple[str, ...], tuple[FileState, ...]], LocalFiles]


def _copy(folder: Path, names: tuple[str, ...], states: tuple[FileState, ...]) -> LocalFiles:
    """The same files, seen from here: on another machine a shared disk has another number, and all else is the same."""
    here = []
    for name, state in zip(names, states, strict=True):
        try:
            here.append(replace(state, device=(folder / name).stat().st_dev))
        except OSError:  # whoever reads it says so
            here.append(state)
    return LocalFiles(folder, names, here)


def _close_all(files: dict[int, _OpenFile]) -> None:
    while files:
        os.close(files.popitem()[1].descriptor)
