"""The fast ways to the bytes of local shards: maps of cached files, direct reads past the cache. Only for `LocalFiles`.

A file that is in the page cache is read piece by piece by kernels that can, into memory that the processor's cache
holds; for all others it is mapped, and its pages are given back behind the reader. Any other file is read past the page
cache (O_DIRECT), or by plain positioned reads where that is refused.

A file that is cut short during the run is an error in words, with one gap that no user program can close: pages of a
map that vanish between the check at the start of a block and the arithmetic on it end the process with SIGBUS
(status 135, no report; never a wrong number).
"""

from __future__ import annotations

import mmap
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TypeVar

import numpy as np

from modelprov.checkpoints.files import unreadable
from modelprov.checkpoints.sources.interface import DOWNLOAD_AGAIN, Bytes, Range
from modelprov.checkpoints.sources.local import LocalFiles
from modelprov.checkpoints.sources.page_cache import ALIGNMENT, cached_share, open_direct
from modelprov.checkpoints.sources.positioned import read_at
from modelprov.errors import TruncatedShardError

Opened = TypeVar("Opened")
CACHED = 0.9  # above this share of cached pages the system holds a file
HELD = "held"
"""The way of reading in the place of "auto" where the system holds every file: each is read piece by piece."""


@dataclass(frozen=True, slots=True)
class MappedView:
    """A mapped shard, and the ranges of it that the reader asked for."""

    mapping: mmap.mmap
    ranges: tuple[Range, ...]

    @property
    def bytes(self) -> Bytes:
        """All its bytes."""
        return np.frombuffer(self.mapping, np.uint8)

    def release(self) -> None:
        """Give the pages of the ranges back to the system; the page cache keeps them."""
        if hasattr(mmap, "MADV_DONTNEED"):
            for _, start, stop in self.ranges:
                first = start // mmap.PAGESIZE * mmap.PAGESIZE
                self.mapping.madvise(mmap.MADV_DONTNEED, first, stop - first)


@dataclass(frozen=True, slots=True)
class CachedFile:
    """A shard that the system holds; see `Stored`."""

    source: LocalFiles
    shard: int

    def descriptor(self) -> AbstractContextManager[int]:
        """Of the file, open for as long as the context."""
        return self.source.descriptor(self.shard)

    def read_into(self, start: int, out: memoryview) -> None:
        """Fill `out` with the bytes from `start` on; raises as `Source.read_into` does."""
        self.source.read_into(self.shard, start, out)


class Direct:
    """A descriptor for direct reads; closes itself when the last reader lets go of it."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __del__(self) -> None:
        os.close(self.descriptor)

    def read(self, begin: int, stop: int, buffer: Bytes, place: int) -> bool:
        """Read whole pages around [begin, stop); False where the system refuses or the file ended early."""
        first = begin // ALIGNMENT * ALIGNMENT
        size = -(-(stop - first) // ALIGNMENT) * ALIGNMENT
        view, done = buffer.data[place - (begin - first) :][:size], 0
        try:
            while done < stop - first:
                got = read_at(self.descriptor, view[done:], first + done)
                if got == 0 or (got % ALIGNMENT and done + got < stop - first):
                    return False
                done += got
        except OSError:
            return False
        return True


class LocalAccess:
    """`Access` to local files; of maps and of direct descriptors the last `room` are kept of each.

    `method` is auto, map, direct or buffered: which of the ways may be taken; or `HELD`.
    """

    def __init__(self, source: LocalFiles, method: str, room: int) -> None:
        self._source, self._method, self._room = source, method, room
        self._lock = threading.Lock()
        self._maps: dict[int, mmap.mmap | None] = {}
        self._direct: dict[int, Direct | None] = {}
        self._cached: dict[int, bool] = {}

    def view(self, ranges: Sequence[Range]) -> MappedView | None:
        """The map of the one shard of all ranges; raises `TruncatedShardError` when it has become shorter."""
        shard = ranges[0][0]
        if any(other != shard for other, _, _ in ranges):
            return None
        mapping = self.mapped(shard)
        if mapping is None:
            return None
        if mapping.size() < self._source.size(shard):
            raise self._shorter(shard)
        return MappedView(mapping, tuple(ranges))

    def stored(self, shard: int) -> CachedFile | None:
        """The shard, where the system holds it and a map is not asked for."""
        here = self._method == HELD or (self._method != "map" and self.mapped(shard) is not None)
        return CachedFile(self._source, shard) if here else None

    def held(self, shards: Iterable[int]) -> bool:
        """Whether they were in the page cache when first asked for; said of none that is to be read past it."""
        return self._method != "direct" and all(self._in_cache(shard) for shard in shards)

    def fill(self, ranges: Sequence[Range], places: Sequence[int], buffer: Bytes) -> None:
        """One range after the other, past the cache where that works and the file is not in it."""
        for shard, own in groupby(zip(ranges, places, strict=True), lambda each: each[0][0]):
            direct = None if self.mapped(shard) is not None else self.direct(shard)
            pieces = (
                (begin, buffer.data[place : place + stop - begin])
                for (_, begin, stop), place in own
                if direct is None or not direct.read(begin, stop, buffer, place)
            )
            self._source.read_pieces(shard, pieces)

    def close(self) -> None:
        """Let go of everything; what a reader still holds closes with the reader."""
        with self._lock:
            self._maps.clear()
            self._direct.clear()
        self._source.close()

    def mapped(self, shard: int) -> mmap.mmap | None:
        """The map of a cached shard; None when it had better be read."""
        with self._lock:
            return _remember(self._maps, shard, self._map, self._room)

    def direct(self, shard: int) -> Direct | None:
        """A descriptor for direct reads of a shard; None where those are refused."""
        with self._lock:
            return _remember(self._direct, shard, self._open_direct, self._room)

    def _in_cache(self, shard: int) -> bool:
        if self.mapped(shard) is not None:
            return True
        if shard not in self._cached:
            mapping = self._whole(shard)
            self._cached[shard] = mapping is not None and cached_share(mapping) >= CACHED
        return self._cached[shard]

    def _open_direct(self, shard: int) -> Direct | None:
        if self._method not in ("auto", "direct"):
            return None
        descriptor = open_direct(partial(self._source.open, shard))
        return None if descriptor is None else Direct(descriptor)

    def _map(self, shard: int) -> mmap.mmap | None:
        if self._method not in ("auto", "map"):
            return None
        mapping = self._whole(shard)
        return mapping if mapping is None or self._method == "map" or cached_share(mapping) >= CACHED else None

    def _whole(self, shard: int) -> mmap.mmap | None:
        """A map of the shard; None where the system refuses."""
        try:
            descriptor = self._source.open(shard)
        except OSError as error:
            raise unreadable(Path(self._source.place(shard)), error) from error
        try:
            if os.fstat(descriptor).st_size < self._source.size(shard):
                raise self._shorter(shard)
            return mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError):  # an empty file cannot be mapped
            return None
        finally:
            os.close(descriptor)

    def _shorter(self, shard: int) -> TruncatedShardError:
        return TruncatedShardError(
            f"{self._source.place(shard)} became shorter while it was being read", DOWNLOAD_AGAIN
        )


def _remember(
    opened: dict[int, Opened | None], shard: int, make: Callable[[int], Opened | None], room: int
) -> Opened | None:
    """What is open for a shard, made now if need be; what was used longest ago is let go of."""
    found = opened.pop(shard) if shard in opened else make(shard)
    opened[shard] = found  # a dictionary keeps its order: last used, last
    held = [number for number, kept in opened.items() if kept is not None]
    for number in held[:-room]:
        del opened[number]
    return found
