"""One pass over the weights: every block is read once and leaves a row of moments behind. Judges nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.plan import Plan
from modelprov.checkpoints.reading import Reader, Sources
from modelprov.checkpoints.sources.local_access import HELD
from modelprov.checkpoints.types import Checkpoint
from modelprov.engines.local import InOrder, run_tasks
from modelprov.forensics.sums.kernels.interface import Device, RecipePlan, Segments
from modelprov.forensics.sums.moments import Moments

Progress = Callable[[int], None]
Complete = Callable[[Moments, np.integer | int], None]
"""Hears the sums so far, and the first tensor whose row is not complete yet."""
BUFFERS_PER_THREAD = 2  # block bytes a thread may hold at a time where files are mapped, beside what alignment adds
SMALLEST_BLOCK = 64 << 10
PIECE = 2 << 20
"""Bytes of each checkpoint in one term of a tensor's sums: the same on every machine, or the last bits are not."""


def piece_bytes(memory: int, checkpoints: int) -> int:
    """Bytes of each checkpoint in a segment: `PIECE`, unless `memory` bytes do not hold one for a single thread."""
    return int(np.clip(memory // (checkpoints * BUFFERS_PER_THREAD), SMALLEST_BLOCK, PIECE))


def threads_within(memory: int, threads: int, checkpoints: int) -> int:
    """How many of the threads can hold a segment each, at least one; `block_bytes` is then no less than a segment."""
    return max(1, min(threads, memory // (checkpoints * BUFFERS_PER_THREAD * piece_bytes(memory, checkpoints))))


def block_bytes(memory: int, threads: int, checkpoints: int, device: Device, method: str = "auto") -> int:
    """Bytes of each checkpoint in a block, so that all threads' buffers stay within `memory` bytes.

    What is read by pieces from files that the system holds is in no buffer.
    """
    if device.by_pieces is not None and method == HELD:
        return device.block
    held = max(1, threads * checkpoints * (BUFFERS_PER_THREAD if device.by_pieces is None else 1))
    return int(np.clip(memory // held, SMALLEST_BLOCK, device.block))


def sweep(
    checkpoints: tuple[Checkpoint, ...], plan: Plan, tensors: int, recipes: RecipePlan, device: Device,
    *, threads: int, method: str = "auto", on_bytes: Progress | None = None,
    precision: npt.NDArray[np.int64] | None = None, total: Moments | None = None, on_sums: Complete | None = None,
) -> Moments:  # fmt: skip
    """Moments with leading axis [tensors] of everything in the plan.

    `precision` int64 [tensors]: codes of the formats whose numbers the suspect holds, where those were measured.
    `method` is how local files are read (`Sources`). `on_bytes` hears how many bytes were read, from any thread. Rows
    are added in the plan's order: the same segments give the same bits for any number of threads. They are added to
    `total`, whose rows of tensors that the plan does not hold stay; `on_sums` hears of it after every block, one thread
    at a time.
    """
    sources = Sources(checkpoints, method)
    sizes = plan.sizes.sum(axis=0)
    sums = Moments.empty(len(checkpoints), tensors) if total is None else total

    def add(number: int, rows: Moments) -> None:
        block = plan.block(number)
        np.add.at(sums.counts, plan.tensor[block], rows.counts)
        np.add.at(sums.sums, plan.tensor[block], rows.sums)
        if on_sums is not None:
            rest = plan.tensor[block.stop :]
            on_sums(sums, rest[0] if len(rest) else len(sums.sums))

    in_order = InOrder(add)

    def make_worker() -> Callable[[int], None]:
        reader = Reader(plan, sources)

        def work(number: int) -> None:
            block = plan.block(number)
            tensor = plan.tensor[block]
            narrow = None if precision is None else precision[tensor]

            def segments(start: npt.NDArray[np.int64]) -> Segments:
                return Segments(tensor, plan.count[block], start, plan.dtype[:, block], narrow)

            if device.by_pieces is None:
                loaded = reader.load(number)
                rows = device.kernel(loaded.buffers, segments(loaded.start), recipes)
            else:
                pieces = reader.pieces(number)
                rows = device.by_pieces(pieces.buffers, segments(pieces.start), recipes)
            in_order.put(number, rows)
            if on_bytes is not None:
                on_bytes(int(sizes[block].sum()))

        return work

    try:
        run_tasks(plan.blocks, make_worker, threads)
    finally:
        sources.close()
    for checkpoint in checkpoints:
        checkpoint.source.check_unchanged()
    return sums
