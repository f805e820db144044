"""Brings the bytes of a block into memory, by the cheapest safe way, within bounded memory. Decodes nothing.

A file that is in the page cache is mapped, and its pages are given back behind the reader. Any other local file is
read past the cache (O_DIRECT) into reused buffers, or by plain positioned reads where that is refused. Everything
else (a checkpoint without files) is asked through its `Source`. One `Reader` belongs to one thread; `Files` are shared.

A file that is cut short during the run is an error in words, with one gap that no user program can close: pages of a
map that vanish between the check at the start of a block and the arithmetic on it end the process with SIGBUS
(status 135, no report; never a wrong number).
"""

from __future__ import annotations

import mmap
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.header import DOWNLOAD_AGAIN, unreadable
from modelprov.checkpoints.plan import Plan, byte_ranges
from modelprov.checkpoints.sources.local import LocalFiles
from modelprov.checkpoints.sources.page_cache import ALIGNMENT, aligned_buffer, cached_share, open_direct
from modelprov.checkpoints.types import Checkpoint
from modelprov.errors import TruncatedShardError

Bytes = npt.NDArray[np.uint8]
Opened = TypeVar("Opened")
CACHED = 0.9  # above this share of cached pages a file is mapped
MAX_OPEN_FILES = 32  # maps, and as many direct descriptors; some systems allow a process 256 files in all


@dataclass(frozen=True, slots=True)
class LoadedBlock:
    """A block in memory: one byte buffer a checkpoint, and where each segment starts in it, int64 [n, s]."""

    buffers: tuple[Bytes, ...]
    start: npt.NDArray[np.int64]


class _Direct:
    """A descriptor for direct reads; closes itself when the last reader lets go of it."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __del__(self) -> None:
        os.close(self.descriptor)


class Files:
    """The open files of a pass, by checkpoint and shard: maps and direct descriptors, the last used of each kind."""

    def __init__(self, checkpoints: tuple[Checkpoint, ...], method: str = "auto") -> None:
        self.checkpoints = checkpoints
        self._method = method
        self._lock = threading.Lock()
        self._maps: dict[tuple[int, int], mmap.mmap | None] = {}
        self._direct: dict[tuple[int, int], _Direct | None] = {}

    def mapped(self, checkpoint: int, shard: int) -> mmap.mmap | None:
        """The map of a cached shard; None when it had better be read."""
        with self._lock:
            return _remember(self._maps, (checkpoint, shard), lambda: self._map(checkpoint, shard))

    def direct(self, checkpoint: int, shard: int) -> _Direct | None:
        """A descriptor for direct reads of a shard; None where those are refused."""
        with self._lock:
            return _remember(self._direct, (checkpoint, shard), lambda: self._open_direct(checkpoint, shard))

    def check_size(self, checkpoint: int, shard: int, mapping: mmap.mmap) -> None:
        """Raise `TruncatedShardError` when a mapped file has become shorter than its header promised."""
        owner = self.checkpoints[checkpoint]
        if mapping.size() < owner.shards[shard].size:
            raise _shorter(owner.shards[shard].path)

    def close(self) -> None:
        """Let go of everything; what a reader still holds closes with the reader."""
        with self._lock:
            self._maps.clear()
            self._direct.clear()
        for checkpoint in self.checkpoints:
            if isinstance(checkpoint.source, LocalFiles):
                checkpoint.source.close()

    def _open_direct(self, checkpoint: int, shard: int) -> _Direct | None:
        source = self.checkpoints[checkpoint].source
        if not isinstance(source, LocalFiles) or self._method not in ("auto", "direct"):
            return None
        descriptor = open_direct(partial(source.open, shard))
        return None if descriptor is None else _Direct(descriptor)

    def _map(self, checkpoint: int, shard: int) -> mmap.mmap | None:
        owner = self.checkpoints[checkpoint]
        if not isinstance(owner.source, LocalFiles) or self._method not in ("auto", "map"):
            return None
        path = owner.source.path(shard)
        try:
            descriptor = owner.source.open(shard)
        except OSError as error:
            raise unreadable(path, error) from error
        try:
            if os.fstat(descriptor).st_size < owner.shards[shard].size:
                raise _shorter(path)
            mapping = mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ)
        except OSError:
            return None
        finally:
            os.close(descriptor)
        return mapping if self._method == "map" or cached_share(mapping) >= CACHED else None


def _remember(
    opened: dict[tuple[int, int], Opened | None], key: tuple[int, int], make: Callable[[], Opened | None]
) -> Opened | None:
    """What is open under `key`, made now if need be; what was used longest ago is let go of."""
    found = opened.pop(key) if key in opened else make()
    opened[key] = found  # a dictionary keeps its order: last used, last
    held = [other for other, one in opened.items() if one is not None]
    for other in held[:-MAX_OPEN_FILES]:
        del opened[other]
    return found


def _shorter(path: Path) -> TruncatedShardError:
    return TruncatedShardError(f"{path} became shorter while it was being read", DOWNLOAD_AGAIN)


class Reader:
    """Loads blocks of a plan for one thread; its buffers are reused, so a block is valid until the next `load`."""

    def __init__(self, plan: Plan, files: Files) -> None:
        self._plan, self._files = plan, files
        self._buffers: list[Bytes] = [aligned_buffer(1) for _ in files.checkpoints]
        self._behind: list[tuple[mmap.mmap, int, int]] = []

    def load(self, number: int) -> LoadedBlock:
        """Bring block `number` into memory; gives back the pages of the block before it."""
        self.release()
        block = self._plan.block(number)
        loaded = [self._load(checkpoint, block) for checkpoint in range(len(self._files.checkpoints))]
        return LoadedBlock(tuple(buffer for buffer, _ in loaded), np.stack([start for _, start in loaded]))

    def release(self) -> None:
        """Give the mapped pages of the last block back to the system; the page cache keeps them."""
        for mapping, start, stop in self._behind:
            first = start // mmap.PAGESIZE * mmap.PAGESIZE
            if hasattr(mmap, "MADV_DONTNEED"):
                mapping.madvise(mmap.MADV_DONTNEED, first, stop - first)
        self._behind.clear()

    def _load(self, checkpoint: int, block: slice) -> tuple[Bytes, npt.NDArray[np.int64]]:
        runs = byte_ranges(self._plan, block, checkpoint)
        start = self._plan.start[checkpoint, block]
        if len({shard for shard, _, _ in runs}) == 1:
            mapping = self._files.mapped(checkpoint, runs[0][0])
            if mapping is not None and not (start % 4).any():
                self._files.check_size(checkpoint, runs[0][0], mapping)
                self._behind += [(mapping, begin, end) for _, begin, end in runs]
                return np.frombuffer(mapping, np.uint8), start
        return self._read(checkpoint, block, runs)

    def _read(
        self, checkpoint: int, block: slice, runs: list[tuple[int, int, int]]
    ) -> tuple[Bytes, npt.NDArray[np.int64]]:
        """Read runs one after the other into the reused buffer; each lands where its offset in the file would."""
        places, end = [], 0
        for _, begin, stop in runs:
            places.append(end + begin % ALIGNMENT)
            end = -(-(places[-1] + stop - begin) // ALIGNMENT) * ALIGNMENT
        if len(self._buffers[checkpoint]) < end:
            self._buffers[checkpoint] = aligned_buffer(end)
        buffer = self._buffers[checkpoint]
        for (shard, begin, stop), place in zip(runs, places, strict=True):
            self._fill(checkpoint, shard, begin, stop, buffer, place)
        start = np.empty(block.stop - block.start, np.int64)
        shards, starts = self._plan.shard[checkpoint, block], self._plan.start[checkpoint, block]
        for (shard, begin, stop), place in zip(runs, places, strict=True):
            inside = (shards == shard) & (starts >= begin) & (starts < stop)
            start[inside] = starts[inside] - begin + place
        return _word_aligned(buffer, start, self._plan.sizes[checkpoint, block])

    def _fill(self, checkpoint: int, shard: int, begin: int, stop: int, buffer: Bytes, place: int) -> None:
        direct = self._files.direct(checkpoint, shard)
        if direct is not None and self._fill_direct(direct.descriptor, begin, stop, buffer, place):
            return
        owner = self._files.checkpoints[checkpoint]
        owner.source.read_into(shard, begin, buffer.data[place : place + stop - begin])

    @staticmethod
    def _fill_direct(descriptor: int, begin: int, stop: int, buffer: Bytes, place: int) -> bool:
        """Read whole pages around [begin, stop); False where the system refuses or the file ended early."""
        first = begin // ALIGNMENT * ALIGNMENT
        size = -(-(stop - first) // ALIGNMENT) * ALIGNMENT
        view, done = buffer.data[place - (begin - first) :][:size], 0
        try:
            while done < stop - first:
                got = os.preadv(descriptor, [view[done:]], first + done)
                if got == 0 or (got % ALIGNMENT and done + got < stop - first):
                    return False
                done += got
        except OSError:
            return False
        return True


def _word_aligned(
    buffer: Bytes, start: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64]
) -> tuple[Bytes, npt.NDArray[np.int64]]:
    """The same bytes with every segment on a multiple of 8; a copy, made only for shards with odd offsets."""
    if not (start % 4).any():
        return buffer, start
    moved = np.concatenate([[0], np.cumsum(-(-sizes // 8) * 8)])
    copy = np.empty(int(moved[-1]), np.uint8)
    for source, target, size in zip(start.tolist(), moved.tolist(), sizes.tolist(), strict=False):
        copy[target : target + size] = buffer[source : source + size]
    return copy, moved[:-1]
