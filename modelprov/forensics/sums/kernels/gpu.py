"""The kernel on GPUs: weights travel in small windows of pinned memory, Triton computes, float64 rows come back.

Several threads may call it at once, each in a lane of its own: while one fills a window, another's are on their way,
and a third's weights are being added. Nothing but windows is held here, whatever the weights lie in: memory, or files
that the system holds, which are read into windows (mapped pages would cost more to give back than to read). What a GPU
cannot do exactly (F64, a handful of elements, sums that leave float32's range) or was not built for (five checkpoints
and more) the processor's kernels do.

Without a GPU all of it runs in tests: the arithmetic in Triton's interpreter (`interpreted.py`), streams and windows
with a driver that is acted (`tests/forensics/kernels/test_cuda.py`). Speed is for `benchmarks/gpu.py`.
"""

from __future__ import annotations

import queue
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.checkpoints.sources.interface import Stored
from modelprov.forensics.sums.kernels import gpu_windows
from modelprov.forensics.sums.kernels.cpu import cpu_by_pieces
from modelprov.forensics.sums.kernels.gpu_batches import Batch, Limits, Scalars, batches, recipe_scalars
from modelprov.forensics.sums.kernels.gpu_columns import CHECKPOINTS, FLAG, columns
from modelprov.forensics.sums.kernels.interface import RecipePlan, Segments
from modelprov.forensics.sums.kernels.reference import reference_kernel
from modelprov.forensics.sums.kernels.stored import read_first
from modelprov.forensics.sums.moments import Moments, layout

Bytes = npt.NDArray[np.uint8]
FEW = 64  # elements below which float32's rounding does not average out: added in float64 on the processor


class Lane(gpu_windows.Lane, Protocol):
    """A slab on a GPU and the way there; belongs to one thread at a time."""

    def enter(self) -> None:
        """The calling thread has it now."""
        ...

    def sums(self, batch: Batch, recipes: RecipePlan) -> npt.NDArray[np.float64]:
        """The rows of a batch that was sent, added by groups, float64 [groups, columns]; waits for them."""
        ...

    def settle(self) -> None:
        """Wait for everything that was enqueued."""
        ...


class Accelerator(Protocol):
    """What has lanes: a GPU, or what stands in for one."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    def lane(self, limits: Limits) -> Lane:
        """A new lane; raises `UsageError` where there is no memory for it."""
        ...


class GpuKernel:
    """See `Kernel`. Counts as the reference's; sums within 1e-7 of float64, relative to the root of the diagonals.

    As many calls as `lanes` are under way at a time, dealt to the accelerators in turn; each takes `limits.capacity`
    bytes there and two windows here, when first needed, and keeps them.
    """

    def __init__(self, accelerators: Sequence[Accelerator], *, limits: Limits | None = None, lanes: int = 8) -> None:
        self._limits = limits or Limits()
        none = RecipePlan.none(1, 0)
        self._known = none, recipe_scalars(none)
        self._names = [accelerator.name for accelerator in accelerators]
        self._idle: queue.SimpleQueue[tuple[Accelerator, Lane | None]] = queue.SimpleQueue()
        for number in range(lanes):
            self._idle.put((accelerators[number % len(accelerators)], None))

    @property
    def description(self) -> str:
        """What computes, for reports."""
        times = f"{len(self._names)} x " if len(self._names) > 1 else ""
        return f"{times}{self._names[0]} (Triton)"

    def __call__(self, buffers: Sequence[Bytes | Stored], segments: Segments, recipes: RecipePlan) -> Moments:
        """Moments with leading axis [segments]; returns when they are there. Stored bytes are read window by window."""
        n = len(buffers)
        if n > CHECKPOINTS:
            return cpu_by_pieces(buffers, segments, recipes)
        rows = Moments.empty(n, len(segments.count))
        small = (segments.count < FEW) | (segments.dtype == DType.F64.code).any(axis=0)
        if small.any():
            which = np.flatnonzero(small)
            part = read_first(reference_kernel, buffers, segments.select(which), recipes)
            rows.counts[which], rows.sums[which] = part.counts, part.sums
        if not small.all():
            self._on_a_lane(buffers, segments, np.flatnonzero(~small), recipes, rows)
        return rows

    def _on_a_lane(
        self, buffers: Sequence[Bytes | Stored], segments: Segments, which: npt.NDArray[np.int64], recipes: RecipePlan,
        rows: Moments,
    ) -> None:  # fmt: skip
        """The segments numbered `which` into their rows."""
        accelerator, lane = self._idle.get()
        try:
            if lane is None:
                lane = accelerator.lane(self._limits)
            lane.enter()
            try:
                for batch in batches(segments, which, len(recipes.arithmetic), self._limits):
                    gpu_windows.fill(lane, batch, buffers, self._scalars(recipes))
                    _add(lane.sums(batch, recipes), batch, buffers, recipes, rows)
            finally:
                lane.settle()
        finally:
            self._idle.put((accelerator, lane))

    def _scalars(self, recipes: RecipePlan) -> Scalars:
        """Those of the recipes, computed once a pass: every call of it brings the same plan."""
        known, scalars = self._known
        if known is not recipes:
            scalars = recipe_scalars(recipes)
            self._known = recipes, scalars
        return scalars


def _add(
    table: npt.NDArray[np.float64], batch: Batch, buffers: Sequence[Bytes | Stored], recipes: RecipePlan, rows: Moments
) -> None:
    """Add the groups of a batch, float64 [groups, columns], to the rows of their segments."""
    n = len(buffers)
    sums, counts = columns(n)
    parts = Moments(n, np.zeros((len(table), layout(n).counts), np.int64), np.ascontiguousarray(table[:, sums]))
    present = layout(n).recipe + len(recipes.arithmetic)
    parts.counts[:, :present] = np.rint(table[:, counts[:present]])
    again = np.flatnonzero(table[:, FLAG] != 0)
    if len(again):
        exact = cpu_by_pieces(buffers, batch.groups(again), recipes)
        parts.counts[again], parts.sums[again] = exact.counts, exact.sums
    row = batch.row[batch.group_piece]
    np.add.at(rows.counts, row, parts.counts)
    np.add.at(rows.sums, row, parts.sums)
