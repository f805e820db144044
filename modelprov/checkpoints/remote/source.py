"""A `Source` whose shards are remote: ranges that lie close are asked for together, and many at once.

What is in the cache of this machine is not asked for. Knows no HTTP: a `Store` fetches.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from itertools import pairwise
from queue import SimpleQueue

from modelprov.checkpoints.remote.cache import shared_cache
from modelprov.checkpoints.remote.store import Store
from modelprov.checkpoints.remote.traffic import TRAFFIC, connections
from modelprov.checkpoints.sources.interface import DOWNLOAD_AGAIN, Piece, Range, Source, parts_of
from modelprov.errors import TruncatedShardError

LOG = logging.getLogger(__name__)
GAP = 16 << 10
"""Bytes between two ranges that are cheaper to fetch than another request."""
LARGEST = 8 << 20
"""Bytes of one request: what breaks off is asked for again, and a large range is fetched in parts at once."""
SMALL = 1 << 20
AHEAD = 2
"""Requests that wait for each one under way."""
MOST_AHEAD = 64 << 20
"""Bytes that are asked for before they are taken, or one request."""

Group = tuple[int, int, int, list[int]]
"""Shard, first byte, byte behind the last one, and the ranges that lie in it."""


class RemoteFiles:
    """Files of a store as a `Source`; their names are those below its folder `inside`, which ends in `/`."""

    def __init__(self, store: Store, names: Sequence[str], inside: str = "") -> None:
        self._store, self._names, self._inside = store, tuple(inside + name for name in names), inside
        self._stored = tuple(store.files[name] for name in self._names)
        self._whole = sum(each.size for each in self._stored)

    @property
    def names(self) -> tuple[str, ...]:
        """Their names below the folder."""
        return tuple(name[len(self._inside) :] for name in self._names)

    @property
    def at_once(self) -> int:
        """How many reads are worth having under way at once."""
        return connections()

    @property
    def store(self) -> Store:
        """Where they are."""
        return self._store

    def place(self, shard: int) -> str:
        """The address of a shard."""
        return self._store.place(self._names[shard])

    def size(self, shard: int) -> int:
        """Bytes of a shard when the source was made."""
        return self._stored[shard].size

    def read_ranges(self, ranges: Sequence[Range]) -> Iterator[tuple[int, Piece]]:
        """See `Source`; as they arrive."""
        for shard, start, stop in ranges:
            self._check(shard, start, stop)
        yield from ((number, b"") for number, (_, start, stop) in enumerate(ranges) if start >= stop)
        groups = deque(grouped(ranges))
        pool, under_way, done = (
            TRAFFIC.pool(),
            dict[Future[bytes | bytearray], Group](),
            SimpleQueue[Future[bytes | bytearray]](),
        )
        most, size = AHEAD * connections(), 0
        try:
            while groups or under_way:
                while groups and len(under_way) < most and (size < MOST_AHEAD or not under_way):
                    group = groups.popleft()
                    future = pool.submit(self._fetch, *group[:3])
                    under_way[future] = group
                    size += group[2] - group[1]
                    future.add_done_callback(done.put)
                future = done.get()
                _, begin, end, members = under_way.pop(future)
                size -= end - begin
                content = memoryview(future.result())
                for number in members:
                    _, start, stop = ranges[number]
                    yield number, content[start - begin : stop - begin]
        finally:
            for future in under_way:
                future.cancel()

    def read_into(self, shard: int, start: int, out: memoryview) -> None:
        """See `Source`; a large range in parts at once."""
        view = out.cast("B")
        self._check(shard, start, start + len(view))
        cuts = [*range(0, len(view), LARGEST), len(view)]
        parts = [(shard, start + begin, start + end) for begin, end in pairwise(cuts)]
        if len(parts) == 1:
            view[:] = self._fetch(*parts[0])
            return
        for number, piece in self.read_ranges(parts):
            view[cuts[number] : cuts[number + 1]] = piece

    def versions(self) -> tuple[str, ...]:
        """Place, size and identity of every file."""
        pairs = zip(self._names, self._stored, strict=True)
        return tuple(f"{self._store.place(name)} {each.size} {each.identity}" for name, each in pairs)

    def check_unchanged(self) -> None:
        """See `Source`."""
        self._store.check_unchanged(self._names)

    def close(self) -> None:
        """Nothing is held."""

    def _check(self, shard: int, start: int, stop: int) -> None:
        if start < stop and stop > self.size(shard):
            raise TruncatedShardError(
                f"{self.place(shard)} has {self.size(shard):,} bytes, {stop - self.size(shard):,} fewer than asked for",
                DOWNLOAD_AGAIN,
            )

    def _fetch(self, shard: int, start: int, stop: int) -> bytes | bytearray:
        """From the cache, else over the network and into it."""
        if start >= stop:
            return b""
        identity, cache = self._stored[shard].identity, shared_cache()
        found = cache.get(identity, start, stop)
        if found is not None:
            TRAFFIC.from_cache(len(found))
            LOG.debug("from the cache: bytes %d to %d of %s", start, stop, self.place(shard))
            return found
        LOG.debug("fetching: bytes %d to %d of %s", start, stop, self.place(shard))
        piece = self._store.fetch(self._names[shard], start, stop)
        if stop - start <= SMALL or cache.holds(self._whole):
            cache.put(identity, start, piece)
        return piece


def grouped(ranges: Sequence[Range]) -> Iterator[Group]:
    """The requests that bring all ranges that are not empty: neighbours together, each range whole."""
    order = sorted((number for number, (_, start, stop) in enumerate(ranges) if start < stop), key=ranges.__getitem__)
    group: Group | None = None
    for number in order:
        shard, start, stop = ranges[number]
        if group is not None and group[0] == shard and start <= group[2] + GAP and stop - group[1] <= LARGEST:
            group = shard, group[1], max(group[2], stop), [*group[3], number]
            continue
        if group is not None:
            yield group
        group = shard, start, stop, [number]
    if group is not None:
        yield group


def is_far(source: Source) -> bool:
    """Whether bytes of a source cross a network: its own, or of a model or source that it is computed from."""
    return isinstance(source, RemoteFiles) or any(map(is_far, parts_of(source)))
