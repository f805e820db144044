"""What weights are read from, as one interface: shards by number, names and bytes. No paths, no formats.

A source is a folder of this machine, a merge that is computed when it is read, or anything else that can answer ranges.
Whoever reads a checkpoint asks its source and never what kind it is; only `reading.py` knows that local files have
faster ways.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from itertools import islice
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

Range = tuple[int, int, int]
"""Number of a shard, first byte, byte behind the last one."""
Piece = bytes | bytearray | memoryview
Bytes = npt.NDArray[np.uint8]
Asked = TypeVar("Asked")
Result = TypeVar("Result")
DOWNLOAD_AGAIN = "Download this file again and compare its size and SHA-256 with the publisher's."


class Source(Protocol):
    """The shards of one checkpoint, by number; safe to use from many threads.

    One that is made of stored bytes can be pickled, to be read in another process; a merge cannot yet, since a method
    holds functions.
    Reading raises `TruncatedShardError` for bytes behind the end of a shard, `ChangedFileError` for a shard that is
    found to be another one than the source was made of, and `UnreadableFileError` where bytes cannot be had.
    """

    @property
    def names(self) -> Sequence[str]:
        """The shards' names inside the checkpoint, folders divided by `/`."""
        ...

    def place(self, shard: int) -> str:
        """Where a shard lies, for people: a path, an address."""
        ...

    def size(self, shard: int) -> int:
        """Bytes of a shard when the source was made."""
        ...

    def read_ranges(self, ranges: Sequence[Range]) -> Iterator[tuple[int, Piece]]:
        """The bytes of every range with its place in `ranges`, each once, in any order.

        Ranges may overlap and be empty. Ask for as much as possible at once: some sources answer together what would
        take long one after the other.
        """
        ...

    def read_into(self, shard: int, start: int, out: memoryview) -> None:
        """Fill `out` with the bytes of `shard` from absolute offset `start`; no copy where the source can help it."""
        ...

    def versions(self) -> Sequence[str]:
        """A text for every stored file that bytes come from, another one after any change of it."""
        ...

    def check_unchanged(self) -> None:
        """Raise `ChangedFileError` where something is no longer what the source was made of.

        Belongs at the end of every pass: only then do its sums speak of the checkpoint that was opened.
        """
        ...

    def close(self) -> None:
        """Let go of what is held open; a later read opens it again."""
        ...


class Stored(Protocol):
    """A shard that is read piece by piece, by whoever needs its bytes."""

    def descriptor(self) -> AbstractContextManager[int | None]:
        """Of a file whose bytes are the shard's, open for as long as the context; None where there is none.

        Raises `OSError` where it cannot be opened.
        """
        ...

    def read_into(self, start: int, out: memoryview) -> None:
        """Fill `out` with the bytes from `start` on."""
        ...


class View(Protocol):
    """A shard that lies in memory as a whole, for as long as a reader needs some of it."""

    @property
    def bytes(self) -> Bytes:
        """All its bytes, uint8."""
        ...

    def release(self) -> None:
        """The reader has done with it; what the bytes are needed for is over."""
        ...


class Access(Protocol):
    """How the blocks of one source come into memory in a pass; shared by the threads of the pass."""

    def view(self, ranges: Sequence[Range]) -> View | None:
        """The one shard of all `ranges`, where taking it as it lies in memory is the cheapest way; else None."""
        ...

    def stored(self, shard: int) -> Stored | None:
        """A shard to be read piece by piece, where the system holds it and small pieces cost no more; else None."""
        ...

    def held(self, shards: Iterable[int]) -> bool:
        """Whether the system holds all of these shards, so that another call costs less than reading much around."""
        ...

    def fill(self, ranges: Sequence[Range], places: Sequence[int], buffer: Bytes) -> None:
        """Bring every range to its place in `buffer`.

        A place is its range's start modulo `page_cache.ALIGNMENT`, and the whole pages around it are free for use.
        """
        ...

    def close(self) -> None:
        """End of the pass; what a reader still holds closes with the reader."""
        ...


def one_after_another(
    read_into: Callable[[int, int, memoryview], None], ranges: Sequence[Range]
) -> Iterator[tuple[int, Piece]]:
    """`Source.read_ranges` of a source that gains nothing by being asked for much at once."""
    for number, asked in enumerate(ranges):
        yield number, _piece(read_into, asked)


def computed(
    read_into: Callable[[int, int, memoryview], None], ranges: Sequence[Range], base: Source
) -> Iterator[tuple[int, Piece]]:
    """`Source.read_ranges` of a source whose bytes are computed from those of `base`, which may be a network away."""
    yield from enumerate(each_of(partial(_piece, read_into), ranges, base))


def each_of(call: Callable[[Asked], Result], asked: Sequence[Asked], base: Source) -> Iterator[Result]:
    """`map` of a call that reads `base`: in order, many under way at once where each waits for a network."""
    threads = min(at_once(base), len(asked))
    if threads <= 1:
        yield from map(call, asked)
        return
    with ThreadPoolExecutor(threads) as pool:
        under_way, rest = deque[Future[Result]](), iter(asked)
        try:
            for _ in asked:
                for each in islice(rest, AHEAD * threads - len(under_way)):
                    under_way.append(pool.submit(call, each))
                yield under_way.popleft().result()
        finally:
            for future in under_way:
                future.cancel()


AHEAD = 4
"""What is asked for before it is taken, for each thread."""


def parts_of(source: Source) -> tuple[Source, ...]:
    """The sources that a source's bytes are computed from, by what it calls its `parts`."""
    return tuple(getattr(source, "parts", ()))


def at_once(source: Source) -> int:
    """How many reads are worth having under way at once: 1 on this machine, more where each waits for a network."""
    return max(getattr(source, "at_once", 1), *map(at_once, parts_of(source)), 1)


def _piece(read_into: Callable[[int, int, memoryview], None], asked: Range) -> Piece:
    shard, start, stop = asked
    piece = bytearray(stop - start)
    read_into(shard, start, memoryview(piece))
    return piece
