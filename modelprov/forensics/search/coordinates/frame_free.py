"""What two models, fingerprints among them, show in whatever coordinates: before an all-clear that rests on places.

A disguise moves every weight and costs nothing, noise blurs what it leaves, and of a fingerprint neither can be undone.
So strangers are told from disguised relatives by what no coordinates change: how the embeddings of shared tokens stand
to one another, and how matrices overlap. Noise as large as the weights is allowed for; more is not, unless embeddings
show that it is there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from modelprov.checkpoints.layouts.decoder import Decoder, decoder_of
from modelprov.checkpoints.types import Checkpoint, Overlaps, TokenRows
from modelprov.forensics.search.coordinates.overlaps import overlaps
from modelprov.forensics.search.coordinates.overlaps_alike import OverlapsAlike, overlaps_alike
from modelprov.forensics.search.coordinates.token_rows import Angles, angles, rows_of
from modelprov.forensics.thresholds import (
    KIN,
    NOISE_RESIDUAL,
    OVERLAP_ERRORS,
    OVERLAPS_LEFT,
    TRAINED_RESIDUAL,
    UNRELATED,
)


@dataclass(frozen=True)
class FrameFree:
    """Of a suspect and one other model: the embeddings' `angles`, and the `overlaps` of matrices, None if unknown."""

    angles: Angles
    overlaps: OverlapsAlike | None = None

    @property
    def reused(self) -> bool:
        """Whether the embeddings are that model's, in some frame."""
        return (self.angles.correlation or 0.0) >= KIN

    @property
    def common(self) -> float:
        """How much of the overlaps is that model's; 1 where they are not known."""
        return 1.0 if self.overlaps is None else self.overlaps.correlation

    @property
    def least(self) -> float:
        """What a disguised relative's overlaps would still have in common with that model's.

        That is what noise as large as the weights leaves; or the square of what embeddings have in common, where these
        could be that model's under more noise than that.
        """
        alike = self.angles.correlation or 0.0
        return min(OVERLAPS_LEFT, alike**2) if alike >= UNRELATED else OVERLAPS_LEFT

    @property
    def strangers(self) -> bool:
        """Whether these are no relatives in disguise: what overlaps in them differs, beyond sampling error.

        A relative's have more in common than `least`; and what they have not in common is noise, which leaves a
        residual of `NOISE_RESIDUAL`, or training, which leaves a small share of their size.
        """
        found = self.overlaps
        if found is None or self.reused:
            return False
        error = OVERLAP_ERRORS / math.sqrt(found.pairs)
        residual = found.residual * (1 - error * math.sqrt(2))
        apart = residual > NOISE_RESIDUAL + TRAINED_RESIDUAL * found.size
        return apart or found.correlation + error < self.least


def frame_free(
    suspect: Checkpoint, others: Sequence[Checkpoint], on_bytes: Callable[[int], None] = lambda _: None
) -> tuple[FrameFree | None, ...]:
    """The suspect against each of the others; None where both are whole, which are looked into otherwise.

    Of a whole model what the other one's fingerprint holds is read. Raises what reading raises.
    """
    own = _Model(suspect, on_bytes)
    return tuple(
        None if suspect.fingerprint is None and other.fingerprint is None else _pair(own, _Model(other, on_bytes))
        for other in others
    )


def _pair(own: _Model, theirs: _Model) -> FrameFree:
    rows = [own.rows(theirs), theirs.rows(own)]
    tables = [own.overlaps(theirs), theirs.overlaps(own)]
    seen = Angles() if rows[0] is None or rows[1] is None else angles(rows[0], rows[1])
    return FrameFree(seen, None if tables[0] is None or tables[1] is None else overlaps_alike(tables[0], tables[1]))


class _Model:
    """A model with what is held of it, or what was read of it to be held against a fingerprint, once for each."""

    def __init__(self, checkpoint: Checkpoint, on_bytes: Callable[[int], None]) -> None:
        self.checkpoint, self._on_bytes = checkpoint, on_bytes
        self._decoder: Decoder | None = None if checkpoint.fingerprint is not None else decoder_of(checkpoint)
        self._rows: dict[tuple[str, ...], TokenRows | None] = {}
        self._overlaps: dict[tuple[tuple[str, ...], int], Overlaps | None] = {}

    def rows(self, other: _Model) -> TokenRows | None:
        """Its embeddings of the tokens that the other one's fingerprint holds, or all that its own does."""
        if self.checkpoint.fingerprint is not None:
            return self.checkpoint.fingerprint.rows
        held = None if other.checkpoint.fingerprint is None else other.checkpoint.fingerprint.rows
        if held is None or self._decoder is None:
            return None
        if held.tokens not in self._rows:
            self._rows[held.tokens] = rows_of(self._decoder, held, self._on_bytes)
        return self._rows[held.tokens]

    def overlaps(self, other: _Model) -> Overlaps | None:
        """Its overlaps of the matrices that the other one's fingerprint has them of."""
        if self.checkpoint.fingerprint is not None:
            return self.checkpoint.fingerprint.overlaps
        held = None if other.checkpoint.fingerprint is None else other.checkpoint.fingerprint.overlaps
        if held is None or self._decoder is None:
            return None
        key = held.names, held.head_width
        if key not in self._overlaps:
            self._overlaps[key] = overlaps(self._decoder, *key, self._on_bytes)
        return self._overlaps[key]
