"""The values of a suspect and of many fingerprints at the places that they share, side by side. Fits nothing.

A place is a run of elements of a tensor under its canonical name; only matrices that may carry a verdict count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import Float32, rounding_cells
from modelprov.checkpoints.layouts.alignment import align
from modelprov.checkpoints.plan import Int64
from modelprov.checkpoints.types import Alignment, Checkpoint
from modelprov.forensics.sampling.blocks import RUN, own_segments
from modelprov.forensics.sampling.runs import KEY, Segments, spread, take, values_of

MOST = 1 << 26  # numbers side by side, all models together

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Shared:
    """Values at n places: `suspect` float32 [n], `widths` of its rounding cells, `entries` float32 [e, n].

    `there` bool [e, n] says where an entry has a value; elsewhere it is 0. `tensor` and `run` int64 [n] number the
    tensors and runs that the places lie in, in order.
    """

    suspect: Float32
    widths: Float32
    entries: Float32
    there: Mask
    tensor: Int64
    run: Int64


class Numbers:
    """A number for each tensor, by canonical name and sides longer than 1."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, tuple[int, ...]], int] = {}

    def of(self, alignment: Alignment) -> Int64:
        """Those of all tensors of a model; -1 for those that carry no verdict."""
        return np.array(
            [
                self._known.setdefault((one.name, tuple(side for side in one.shape if side != 1)), len(self._known))
                if one.decisive
                else -1
                for one in alignment.tensors
            ],
            np.int64,
        )


def shared(suspect: Checkpoint, entries: Sequence[Checkpoint]) -> Shared:
    """What the suspect and the entries (fingerprints) hold at common places; of a whole suspect these are read.

    Raises what reading raises.
    """
    numbers = Numbers()
    theirs = [held(entry, numbers) for entry in entries]
    wanted = np.unique(np.concatenate([each.key for each in theirs])) if theirs else np.empty(0, np.int64)
    own = held(suspect, numbers) if suspect.fingerprint is not None else _at(suspect, numbers, wanted)
    own = take(own, np.isin(own.key, wanted))
    most = max(1, MOST // max(1, len(entries) * RUN))
    if len(own.key) > most:  # evenly over all tensors
        own = take(own, np.isin(np.arange(len(own.key)), np.linspace(0, len(own.key) - 1, most).astype(int)))
    order = np.argsort(own.key, kind="stable")
    own = take(own, order)
    ends = np.cumsum(np.r_[0, own.count])
    values, codes = values_of(suspect, own)
    lower, upper = rounding_cells(values, codes)
    rows = np.zeros((len(entries), int(ends[-1])), np.float32)
    there = np.zeros(rows.shape, bool)
    for number, (entry, segments) in enumerate(zip(entries, theirs, strict=True)):
        chosen = take(segments, np.isin(segments.key, own.key))
        places = np.searchsorted(own.key, chosen.key)
        same = chosen.count == own.count[places]
        chosen, places = take(chosen, same), places[same]
        index = spread(ends[places], chosen.count)
        rows[number, index] = values_of(entry, chosen)[0]
        there[number, index] = True
    finite = np.isfinite(values) & np.isfinite(rows).all(axis=0)
    run = np.repeat(np.arange(len(own.key)), own.count)
    return Shared(
        values[finite].astype(np.float32),
        (upper - lower)[finite].astype(np.float32),
        rows[:, finite],
        there[:, finite],
        np.repeat(own.key // KEY, own.count)[finite],
        run[finite],
    )


def held(checkpoint: Checkpoint, numbers: Numbers) -> Segments:
    """What a fingerprint holds of matrices, in runs, in no order."""
    alignment = align((checkpoint,))
    row, first, count = own_segments(alignment)
    number = numbers.of(alignment)[row]
    segments = Segments(alignment, number * KEY + first // RUN, row, first, count)
    return take(segments, (number >= 0) & (first % RUN == 0))


def _at(checkpoint: Checkpoint, numbers: Numbers, wanted: Int64) -> Segments:
    """The wanted places of a whole model, where it has the tensors."""
    alignment = align((checkpoint,))
    number = numbers.of(alignment)
    rows = {one: row for row, one in enumerate(number.tolist()) if one >= 0}
    chosen = wanted[np.isin(wanted // KEY, list(rows))]
    row = np.array([rows[one] for one in (chosen // KEY).tolist()], np.int64)
    first = chosen % KEY * RUN
    total = np.array([tensor.count for tensor in alignment.tensors], np.int64)
    return Segments(alignment, chosen, row, first, np.minimum(RUN, total[row] - first) if len(row) else first)
