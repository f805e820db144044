"""Reads single tensors of a decoder as matrices of float32, norms folded in. Knows no other model and pairs nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import Float32, decode, finite_or_zero
from modelprov.checkpoints.layouts.decoder import Decoder, Place

Int64 = npt.NDArray[np.int64]
MOST = 2 << 20
"""Bytes of neighbouring rows that are decoded at once."""

TILE = 128


def transposed(values: Float32) -> Float32:
    """A copy the other way round, a tile at a time, which takes half of what numpy takes at once."""
    found = np.empty(values.shape[::-1], np.float32)
    for row in range(0, values.shape[0], TILE):
        for column in range(0, values.shape[1], TILE):
            tile = values[row : row + TILE, column : column + TILE]
            found[column : column + TILE, row : row + TILE] = tile.T
    return found


@dataclass(frozen=True)
class Matrices:
    """The tensors of one decoder; `on_bytes` hears of every byte that is read."""

    decoder: Decoder
    on_bytes: Callable[[int], None] = lambda _: None
    _gains: dict[str, Float32] = field(default_factory=dict)

    def read(self, place: Place) -> Float32:
        """The stored values, of the tensor's shape, flipped ones transposed; what is not finite is 0.

        Raises what reading raises.
        """
        values = self.rows(place, np.arange(place.shape[0])).reshape(place.shape)
        return transposed(values) if place.flipped else values

    def rows(self, place: Place, chosen: Int64) -> Float32:
        """Some rows of a tensor in any order, [n, width]; neighbours are read together."""
        view, width = place.view, place.view.count // place.shape[0]
        size = width * view.ref.dtype.size
        wanted = np.unique(chosen)
        breaks = np.flatnonzero((np.diff(wanted) != 1) | (np.diff(wanted // max(1, MOST // size)) != 0)) + 1
        runs = [run for run in np.split(wanted, breaks) if run.size]
        ranges = [
            (view.ref.shard, view.start + int(run[0]) * size, view.start + (int(run[-1]) + 1) * size) for run in runs
        ]
        found = np.empty((wanted.size, width), np.float32)
        starts = np.cumsum([0, *(run.size for run in runs)])
        for number, piece in self.decoder.checkpoint.source.read_ranges(ranges):
            values = decode(np.frombuffer(piece, np.uint8), view.ref.dtype).astype(np.float32)
            place_of = slice(int(starts[number]), int(starts[number + 1]))
            found[place_of] = finite_or_zero(values).reshape(-1, width)
            self.on_bytes(len(piece))
        return found if np.array_equal(wanted, chosen) else found[np.searchsorted(wanted, chosen)]

    def gains(self, norm: str | None) -> Float32 | None:
        """What a norm multiplies by, [hidden]; None where there is no norm."""
        if norm is None:
            return None
        if norm not in self._gains:
            values = self.read(self.decoder.places[norm])
            self._gains[norm] = values + np.float32(1) if self.decoder.one_plus else values
        return self._gains[norm]

    def folded(self, place: Place) -> Float32:
        """A matrix with the gains of the norm before it multiplied into its columns: what survives moving them."""
        values, gains = self.read(place), self.gains(place.norm)
        if gains is not None:
            values *= gains  # its own memory: what is read is kept nowhere
        return values
