"""Reads the segments of a plan and decodes them, checkpoint beside checkpoint. Chooses none and judges none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from modelprov.checkpoints.formats.dtypes import FORMATS, Float64, decode
from modelprov.checkpoints.plan import Plan
from modelprov.checkpoints.reading import LoadedBlock, Reader, Sources
from modelprov.checkpoints.types import Checkpoint


def decoded(
    checkpoints: Sequence[Checkpoint], plan: Plan, on_bytes: Callable[[int], None] | None = None
) -> Iterator[tuple[int, Float64]]:
    """Each segment's number in the plan, in order, and its values in every checkpoint, float64 [checkpoints, n].

    `on_bytes` hears of every block when its segments were taken. Raises what reading raises.
    """
    for span, loaded in _blocks(checkpoints, plan):
        for position in range(span.start, span.stop):
            count = int(plan.count[position])
            values = np.empty((len(checkpoints), count))
            starts, codes = loaded.start[:, position - span.start].tolist(), plan.dtype[:, position].tolist()
            for row, buffer, start, code in zip(values, loaded.buffers, starts, codes, strict=True):
                decode(buffer[start : start + count * FORMATS[code].size], FORMATS[code], row)
            yield position, values
        if on_bytes is not None:
            on_bytes(int(plan.sizes[:, span].sum()))


def decoded_at_once(checkpoints: Sequence[Checkpoint], plan: Plan) -> Float64:
    """The values of all segments one after the other, float64 [checkpoints, n]: a call for a format, not for a segment.

    Raises what reading raises.
    """
    values = np.empty((len(checkpoints), int(plan.count.sum())))
    ends = np.cumsum(plan.count)
    for span, loaded in _blocks(checkpoints, plan):
        counts, first = plan.count[span], int(ends[span.start] - plan.count[span.start])
        for row, buffer, starts, codes in zip(values, loaded.buffers, loaded.start, plan.dtype[:, span], strict=True):
            own = row[first : first + int(counts.sum())]
            for code in np.flatnonzero(np.bincount(codes)).tolist():
                size, chosen = FORMATS[code].size, codes == code
                spans = zip(starts[chosen].tolist(), (starts + size * counts)[chosen].tolist(), strict=True)
                found = decode(np.concatenate([buffer[start:stop] for start, stop in spans]), FORMATS[code])
                if chosen.all():
                    own[:] = found
                else:
                    own[np.repeat(chosen, counts)] = found
    return values


def _blocks(checkpoints: Sequence[Checkpoint], plan: Plan) -> Iterator[tuple[slice, LoadedBlock]]:
    """The segments of each block, and the block while it is in memory."""
    sources = Sources(checkpoints, "buffered")
    reader = Reader(plan, sources)
    try:
        for block in range(plan.blocks):
            yield plan.block(block), reader.load(block)
    finally:
        sources.close()
