"""One pass over the weights: every block is read once and leaves a row of moments behind. Judges nothing."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.plan import Plan
from modelprov.checkpoints.reading import Reader, Sources
from modelprov.checkpoints.types import Checkpoint
from modelprov.engines.local import run_tasks
from modelprov.forensics.sums.kernels.interface import Device, RecipePlan, Segments
from modelprov.forensics.sums.moments import Moments

Progress = Callable[[int], None]
BUFFERS_PER_THREAD = 2  # block bytes a thread may hold at a time where files are mapped, beside what alignment adds


def block_bytes(memory: int, threads: int, checkpoints: int, device: Device) -> int:
    """Bytes of each checkpoint in a block, so that all threads' buffers stay within `memory` bytes."""
    held = BUFFERS_PER_THREAD if device.buffer is None else 1
    return int(np.clip(memory // max(1, threads * checkpoints * held), 64 << 10, device.block))


def sweep(
    checkpoints: tuple[Checkpoint, ...], plan: Plan, tensors: int, recipes: RecipePlan, device: Device,
    *, threads: int, method: str = "auto", on_bytes: Progress | None = None,
    precision: npt.NDArray[np.int64] | None = None,
) -> Moments:  # fmt: skip
    """Moments with leading axis [tensors] of everything in the plan.

    `precision` int64 [tensors]: codes of the formats whose numbers the suspect holds, where those were measured.
    `method` is how local files are read: auto, map, direct or buffered. `on_bytes` hears how many bytes were read,
    from any thread. Rows are added in the plan's order: the same blocks give the same bits for any number of threads.
    """
    sources = Sources(checkpoints, method)
    sizes = plan.sizes.sum(axis=0)

    def make_worker() -> Callable[[int], Moments]:
        reader = Reader(plan, sources, device.buffer)

        def work(number: int) -> Moments:
            block = plan.block(number)
            loaded = reader.load(number)
            tensor = plan.tensor[block]
            narrow = None if precision is None else precision[tensor]
            segments = Segments(tensor, plan.count[block], loaded.start, plan.dtype[:, block], narrow)
            rows = device.kernel(loaded.buffers, segments, recipes)
            if on_bytes is not None:
                on_bytes(int(sizes[block].sum()))
            return rows

        return work

    try:
        parts = run_tasks(plan.blocks, make_worker, threads)
    finally:
        sources.close()
    for checkpoint in checkpoints:
        checkpoint.source.check_unchanged()
    total = Moments.empty(len(checkpoints), tensors)
    if parts:
        np.add.at(total.counts, plan.tensor, np.concatenate([part.counts for part in parts]))
        np.add.at(total.sums, plan.tensor, np.concatenate([part.sums for part in parts]))
    return total
