"""Brings the bytes of a plan's blocks into memory, by the cheapest safe way, within bounded memory. Decodes nothing.

Local files have fast ways of their own (`sources/local_access.py`); every other source is asked for ranges. One
`Reader` belongs to one thread; `Sources` are shared by all threads of a pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.plan import GAP, GAP_HELD, Plan, byte_ranges
from modelprov.checkpoints.sources.interface import Access, Bytes, Range, Source, Stored, View
from modelprov.checkpoints.sources.local import LocalFiles
from modelprov.checkpoints.sources.local_access import HELD, LocalAccess
from modelprov.checkpoints.sources.page_cache import ALIGNMENT, aligned_buffer
from modelprov.checkpoints.types import Checkpoint

WORD = 4  # bytes; plain loops read float32 from no other places
MAX_OPEN_FILES = 32  # maps, and as many direct descriptors; some systems allow a process 256 files in all


def way_of_reading(checkpoints: Sequence[Checkpoint], method: str) -> str:
    """`method`, or `HELD` where that is left to us and the system holds every shard of every checkpoint."""
    if method != "auto":
        return method
    sources = Sources(checkpoints)
    try:
        every = zip(sources.access, checkpoints, strict=True)
        return HELD if all(access.held(range(len(own.source.names))) for access, own in every) else method
    finally:
        sources.close()


@dataclass(frozen=True, slots=True)
class LoadedBlock:
    """A block in memory: one byte buffer a checkpoint, and where each segment starts in it, int64 [n, s]."""

    buffers: tuple[Bytes, ...]
    start: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BlockInPieces:
    """The same with whole shards in the place of buffers, where the system holds those anyway."""

    buffers: tuple[Bytes | Stored, ...]
    start: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PlainAccess:
    """Access to any source, by nothing but its interface."""

    source: Source

    def view(self, _ranges: Sequence[Range]) -> None:
        """Nothing lies in memory."""

    def stored(self, _shard: int) -> None:
        """Pieces would be asked for one after the other."""

    def held(self, _shards: Iterable[int]) -> bool:
        """A call may cross a network."""
        return False

    def fill(self, ranges: Sequence[Range], places: Sequence[int], buffer: Bytes) -> None:
        """One range where it belongs; many together, as some sources answer them faster, at the price of a copy."""
        if len(ranges) == 1:
            shard, start, stop = ranges[0]
            self.source.read_into(shard, start, buffer.data[places[0] : places[0] + stop - start])
            return
        for number, piece in self.source.read_ranges(ranges):
            buffer[places[number] : places[number] + len(piece)] = np.frombuffer(piece, np.uint8)

    def close(self) -> None:
        """Close the source."""
        self.source.close()


class Sources:
    """The sources of the checkpoints of a pass, held open for its threads.

    `method` is how local files are read: auto, map, direct, buffered or `HELD`. `gaps` are bytes between two segments
    up to which both are read as a piece of each; a fingerprint has nothing there.
    """

    def __init__(self, checkpoints: Sequence[Checkpoint], method: str = "auto") -> None:
        room = max(1, MAX_OPEN_FILES // max(1, len(checkpoints)))
        self.access = tuple(_access(checkpoint.source, method, room) for checkpoint in checkpoints)
        self.gaps = tuple(GAP if checkpoint.fingerprint is None else 0 for checkpoint in checkpoints)

    def close(self) -> None:
        """Let go of everything; what a reader still holds closes with the reader."""
        for access in self.access:
            access.close()


def _access(source: Source, method: str, room: int) -> Access:
    """The way to a source's bytes; the one place that asks what kind of source it is."""
    return LocalAccess(source, method, room) if isinstance(source, LocalFiles) else PlainAccess(source)


class Reader:
    """Loads blocks of a plan for one thread; its buffers are reused, so a block is valid until the next `load`.

    Files are mapped where that is cheaper than reading them.
    """

    def __init__(self, plan: Plan, sources: Sources) -> None:
        self._plan, self._access, self._gaps = plan, sources.access, sources.gaps
        self._buffers: list[Bytes] = [aligned_buffer(1) for _ in self._access]
        self._behind: list[View] = []

    def load(self, number: int) -> LoadedBlock:
        """Bring block `number` into memory; gives back the memory of the block before it."""
        self.release()
        block = self._plan.block(number)
        loaded = [self._load(checkpoint, block) for checkpoint in range(len(self._access))]
        return LoadedBlock(tuple(buffer for buffer, _ in loaded), np.stack([start for _, start in loaded]))

    def pieces(self, number: int) -> BlockInPieces:
        """Block `number` for who reads it piece by piece, from any byte on: in memory what the system does not hold."""
        self.release()
        block = self._plan.block(number)
        found: list[tuple[Bytes | Stored, npt.NDArray[np.int64]]] = []
        for checkpoint, access in enumerate(self._access):
            shards = self._plan.shard[checkpoint, block]
            stored = access.stored(int(shards[0])) if (shards == shards[0]).all() else None
            start = self._plan.start[checkpoint, block]
            found.append(self._load(checkpoint, block, in_words=False) if stored is None else (stored, start))
        return BlockInPieces(tuple(buffer for buffer, _ in found), np.stack([start for _, start in found]))

    def release(self) -> None:
        """Give back what the last block held."""
        for view in self._behind:
            view.release()
        self._behind.clear()

    def _load(self, checkpoint: int, block: slice, *, in_words: bool = True) -> tuple[Bytes, npt.NDArray[np.int64]]:
        """Bytes, and where each segment starts; `in_words`, at a multiple of 4."""
        runs = byte_ranges(self._plan, block, checkpoint, self._gaps[checkpoint])
        start = self._plan.start[checkpoint, block]
        view = None if in_words and (start % WORD).any() else self._access[checkpoint].view(runs)
        if view is not None:
            self._behind.append(view)
            return view.bytes, start
        if self._gaps[checkpoint] > GAP_HELD and self._access[checkpoint].held({shard for shard, _, _ in runs}):
            runs = byte_ranges(self._plan, block, checkpoint, GAP_HELD)
        buffer, start = self._read(checkpoint, block, runs)
        if in_words and (start % WORD).any():  # shards whose data begin at an odd byte
            return moved_to_words(buffer, start, self._plan.sizes[checkpoint, block])
        return buffer, start

    def _read(self, checkpoint: int, block: slice, runs: list[Range]) -> tuple[Bytes, npt.NDArray[np.int64]]:
        """Read the runs into the reused buffer; each lands where its offset in the shard would, modulo a page."""
        places, end = [], 0
        for _, begin, stop in runs:
            places.append(end + begin % ALIGNMENT)
            end = -(-(places[-1] + stop - begin) // ALIGNMENT) * ALIGNMENT
        if len(self._buffers[checkpoint]) < end:
            self._buffers[checkpoint] = aligned_buffer(end)
        buffer = self._buffers[checkpoint]
        self._access[checkpoint].fill(runs, places, buffer)
        shards, starts = self._plan.shard[checkpoint, block], self._plan.start[checkpoint, block]
        shard_of, begins, _ = np.array(runs, np.int64).T
        longest = int(starts.max()) + 1  # runs and segments in one order: by shard, and by place in it
        run = (shard_of * longest + begins).searchsorted(shards * longest + starts, side="right") - 1
        return buffer, starts + (np.array(places) - begins)[run]


def moved_to_words(
    source: Bytes | Stored, start: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64]
) -> tuple[Bytes, npt.NDArray[np.int64]]:
    """A copy of segments [s] in memory, and where each starts in it, int64 [s], at a multiple of 16.

    Raises as reading does.
    """
    room = -(-sizes // 16) * 16
    moved = np.cumsum(room) - room
    out = np.empty(int(room.sum()), np.uint8)
    pieces = zip(start.tolist(), moved.tolist(), sizes.tolist(), strict=True)
    if isinstance(source, np.ndarray):
        for begin, place, size in pieces:
            out[place : place + size] = source[begin : begin + size]
    else:
        for begin, place, size in pieces:
            source.read_into(begin, out.data[place : place + size])
    return out, moved
