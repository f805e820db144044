"""Reads the segments of a plan and decodes them, checkpoint beside checkpoint. Chooses none and judges none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from modelprov.checkpoints.formats.dtypes import FORMATS, Float64, decode
from modelprov.checkpoints.plan import Plan
from modelprov.checkpoints.reading import Reader, Sources
from modelprov.checkpoints.types import Checkpoint


def decoded(
    checkpoints: Sequence[Checkpoint], plan: Plan, on_bytes: Callable[[int], None] | None = None
) -> Iterator[tuple[int, list[Float64]]]:
    """Each segment's number in the plan, in order, and its values in every checkpoint, float64 [n] each.

    `on_bytes` hears of every block when its segments were taken. Raises what reading raises.
    """
    sources = Sources(checkpoints, "buffered")
    reader = Reader(plan, sources)
    try:
        for block in range(plan.blocks):
            loaded, span = reader.load(block), plan.block(block)
            for position in range(span.start, span.stop):
                count, values = int(plan.count[position]), []
                starts = loaded.start[:, position - span.start].tolist()
                for buffer, start, code in zip(loaded.buffers, starts, plan.dtype[:, position], strict=True):
                    values.append(decode(buffer[start : start + count * FORMATS[code].size], FORMATS[code]))
                yield position, values
            if on_bytes is not None:
                on_bytes(int(plan.sizes[:, span].sum()))
    finally:
        sources.close()
