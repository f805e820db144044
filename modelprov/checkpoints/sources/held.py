"""A `Source` of which only some bytes are there: those that a fingerprint holds. Knows no tensors and no formats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.sources.interface import Bytes, Piece, Range, one_after_another
from modelprov.errors import NotInFingerprintError, TruncatedShardError

Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class HeldBytes:
    """Bytes `starts[b]` to `stops[b]` of the shards laid one after the other, one stretch after the other in `data`.

    The stretches are sorted and apart from each other; `name` and `version` say what they are of.
    """

    name: str
    names: tuple[str, ...]
    begins: Int64
    starts: Int64
    stops: Int64
    data: Bytes
    sizes: tuple[int, ...]
    version: str

    def place(self, shard: int) -> str:
        """See `Source`."""
        return f"{self.names[shard]} in the fingerprint {self.name}"

    def size(self, shard: int) -> int:
        """Bytes of the shard that the fingerprint is of."""
        return self.sizes[shard]

    def read_ranges(self, ranges: Sequence[Range]) -> Iterator[tuple[int, Piece]]:
        """See `Source`; in the order asked for."""
        return one_after_another(self.read_into, ranges)

    def read_into(self, shard: int, start: int, out: memoryview) -> None:
        """See `Source`; raises `NotInFingerprintError` for bytes that are not there."""
        view = out.cast("B")
        if not len(view):
            return
        if start + len(view) > self.sizes[shard]:
            raise TruncatedShardError(f"{self.place(shard)} has {self.sizes[shard]:,} bytes, fewer than asked for")
        first = int(self.begins[shard]) + start
        at = int(np.searchsorted(self.stops, first, "right"))
        if at == len(self.starts) or first < self.starts[at] or first + len(view) > self.stops[at]:
            raise NotInFingerprintError(
                f"{self.name} is a fingerprint: it holds some blocks of the weights, and others were asked for",
                "Give the checkpoint itself. Of fingerprints `inspect`, `identify` and plain `compare` say something.",
            )
        offset = int(self._offsets[at]) + first - int(self.starts[at])
        view[:] = self.data.data[offset : offset + len(view)]

    @cached_property
    def _offsets(self) -> Int64:
        """Where each stretch begins in `data`."""
        lengths = self.stops - self.starts
        return np.asarray(np.cumsum(lengths) - lengths, np.int64)

    def versions(self) -> tuple[str, ...]:
        """The digest of what is there."""
        return (self.version,)

    def check_unchanged(self) -> None:
        """Nothing can change: all of it is in memory."""

    def close(self) -> None:
        """Nothing is open."""
