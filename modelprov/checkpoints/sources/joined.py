"""Several sources as one, their shards one after the other: a model that lies in several folders."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from modelprov.checkpoints.sources.interface import Piece, Range, Source


@dataclass(frozen=True)
class JoinedSource:
    """The shards of `parts` in their order, each under the name of its folder (`folders`, "" for none)."""

    parts: tuple[Source, ...]
    folders: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The shards' names, folders and all."""
        named = zip(self.parts, self.folders, strict=True)
        return tuple(f"{folder}/{name}" if folder else name for part, folder in named for name in part.names)

    def _of(self, shard: int) -> tuple[int, int]:
        """The part that a shard is of, and its number there."""
        begins = [0]
        for part in self.parts:
            begins.append(begins[-1] + len(part.names))
        number = bisect_right(begins, shard) - 1
        return number, shard - begins[number]

    def place(self, shard: int) -> str:
        """See `Source`."""
        part, own = self._of(shard)
        return self.parts[part].place(own)

    def size(self, shard: int) -> int:
        """See `Source`."""
        part, own = self._of(shard)
        return self.parts[part].size(own)

    def read_ranges(self, ranges: Sequence[Range]) -> Iterator[tuple[int, Piece]]:
        """See `Source`; each part is asked for all of its ranges together."""
        asked: dict[int, list[tuple[int, Range]]] = {}
        for number, (shard, start, stop) in enumerate(ranges):
            part, own = self._of(shard)
            asked.setdefault(part, []).append((number, (own, start, stop)))
        for part, wanted in asked.items():
            for found, piece in self.parts[part].read_ranges([each for _, each in wanted]):
                yield wanted[found][0], piece

    def read_into(self, shard: int, start: int, out: memoryview) -> None:
        """See `Source`."""
        part, own = self._of(shard)
        self.parts[part].read_into(own, start, out)

    def versions(self) -> tuple[str, ...]:
        """Those of all parts."""
        return tuple(version for part in self.parts for version in part.versions())

    def check_unchanged(self) -> None:
        """See `Source`; asks all parts."""
        for part in self.parts:
            part.check_unchanged()

    def close(self) -> None:
        """Close all parts."""
        for part in self.parts:
            part.close()
