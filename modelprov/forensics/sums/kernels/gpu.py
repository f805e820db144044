"""The kernel on a GPU: bytes from pinned memory, Triton or torch on the device, float64 sums, one result a call.

Several threads may call it at once: while one reads weights, another's are on their way, and a third's are being
computed. Weights that were read into `buffer`s go straight to the device; any others are copied into pinned memory
first. Nothing waits for the device until a call needs its results. What the device cannot do exactly (F64, a handful
of elements, sums that leave float32's range) the CPU kernels do. torch is imported only when a `GpuKernel` is made.

Without a GPU the arithmetic is checked in Triton's interpreter and with torch on the processor, and the compiled code
by reading it (`tests/forensics/kernels/test_gpu.py`). Streams, pinned memory and speed are for `benchmarks/gpu.py`.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from modelprov.called import called
from modelprov.checkpoints.formats.dtypes import DType
from modelprov.checkpoints.sources.page_cache import aligned_buffer
from modelprov.errors import UsageError
from modelprov.forensics.sums.kernels.cpu import cpu_kernel
from modelprov.forensics.sums.kernels.gpu_batches import OVERREAD, Batch, Int64, Limits, batches
from modelprov.forensics.sums.kernels.interface import RecipePlan, Segments
from modelprov.forensics.sums.kernels.reference import reference_kernel
from modelprov.forensics.sums.kernels.torch_kernel import torch_rows
from modelprov.forensics.sums.moments import Moments, layout

Bytes = npt.NDArray[np.uint8]
FEW = 64  # elements below which float32's rounding does not average out: added in float64 on the processor
STRETCHES = 256  # copies to the device for one batch; above that, one copy on the host first is cheaper


@dataclass(slots=True)
class Slab:
    """Bytes on the device, what is staged for them on the host (pinned where there is a GPU), and two events.

    `host` grows to what is asked of it: the tables alone, or everything where the weights are not in pinned memory.
    """

    host: Any
    device: Any
    copied: Any
    done: Any


class GpuKernel:
    """See `Kernel`. Counts as the reference's; sums within 1e-7 of float64, relative to the root of the diagonals.

    `device` is a torch device (`cuda`, `cuda:1`; `cpu` to test without a GPU), `backend` what computes there: Triton
    for up to four checkpoints where it is installed, else torch. Memory on the device: `slabs` times
    `limits.capacity`, allocated when first needed and kept; as many batches as slabs are under way at a time. Raises
    `UsageError` without torch, GPU or memory.
    """

    def __init__(
        self,
        device: str = "cuda",
        *,
        backend: Literal["auto", "triton", "torch"] = "auto",
        limits: Limits | None = None,
        slabs: int = 8,
    ) -> None:
        self._torch = torch = _torch()
        if device.startswith("cuda") and not torch.cuda.is_available():
            raise UsageError(
                "no GPU that torch can use was found", f"Use {called('device', 'cpu')}, or check the driver."
            )
        self._device = torch.device(device)
        self._cuda = self._device.type == "cuda"
        triton = find_spec("triton") is not None
        if backend == "triton" and not triton:
            raise UsageError("Triton is not installed", "Install it: pip install 'modelprov[gpu]'.")
        self._triton = backend == "triton" or (backend == "auto" and triton and self._cuda)
        self._limits = limits or Limits()
        self._lock = threading.Lock()
        self._free: queue.SimpleQueue[Slab | None] = queue.SimpleQueue()
        for _ in range(slabs):
            self._free.put(None)
        if self._cuda:
            self._copies, self._work = torch.cuda.Stream(self._device), torch.cuda.Stream(self._device)

    @property
    def description(self) -> str:
        """The device and what computes on it, for reports."""
        name = self._torch.cuda.get_device_name(self._device) if self._cuda else "processor"
        return f"{name} ({'Triton' if self._triton else 'torch'})"

    def __call__(self, buffers: Sequence[Bytes], segments: Segments, recipes: RecipePlan) -> Moments:
        """Moments with leading axis [segments]; returns when they are there."""
        rows = Moments.empty(len(buffers), len(segments.count))
        small = (segments.count < FEW) | (segments.dtype == DType.F64.code).any(axis=0)
        coarser = (segments.rounded_to != segments.dtype[0]) & ~small  # the device's kernels round to what is stored
        for chosen, kernel in ((small, reference_kernel), (coarser, cpu_kernel)):
            if chosen.any():
                which = np.flatnonzero(chosen)
                part = kernel(buffers, segments.select(which), recipes)
                rows.counts[which], rows.sums[which] = part.counts, part.sums
        waiting: deque[tuple[Slab, Batch, Any]] = deque()
        try:
            for batch in batches(segments, np.flatnonzero(~small & ~coarser), recipes, self._limits):
                slab = self._take(waiting, lambda: self._collect(waiting, buffers, segments, recipes, rows))
                try:
                    sent = self.stage(slab, batch, buffers, segments, recipes)
                    waiting.append((slab, batch, self.submit(slab, batch, recipes, sent)))
                except BaseException:
                    self._free.put(slab)
                    raise
            while waiting:
                self._collect(waiting, buffers, segments, recipes, rows)
        finally:
            for slab, _, _ in waiting:
                self._wait(slab)
                self._free.put(slab)
        return rows

    def _take(self, waiting: deque[tuple[Slab, Batch, Any]], collect: Callable[[], None]) -> Slab:
        """A free slab; who already holds some gives one back rather than wait for others."""
        while True:
            try:
                slab = self._free.get(block=not waiting)
                break
            except queue.Empty:
                collect()
        if slab is not None:
            return slab
        try:
            return self.slab()
        except BaseException:
            self._free.put(None)
            raise

    def slab(self) -> Slab:
        """A new slab. Raises `UsageError` when there is no memory for it."""
        torch, size = self._torch, self._limits.capacity + OVERREAD
        device = self._allocated(size, lambda: torch.empty(size, dtype=torch.uint8, device=self._device))
        events = [torch.cuda.Event() if self._cuda else None for _ in range(2)]
        return Slab(self._pinned(1 << 20), device, *events)

    def buffer(self, size: int) -> Bytes:
        """Memory for a reader, from which weights go straight to the device; starts on a page, as direct reads need."""
        return np.asarray(self._pinned(size).numpy()) if self._cuda else aligned_buffer(size)

    def _pinned(self, size: int) -> Any:
        torch = self._torch
        return self._allocated(size, lambda: torch.empty(size, dtype=torch.uint8, pin_memory=self._cuda))

    def _allocated(self, size: int, allocate: Callable[[], Any]) -> Any:
        try:
            return allocate()
        except RuntimeError as error:
            advice = f"Use {called('device', 'cpu')}, or less {called('memory')}."
            raise UsageError(f"no memory for staging {size >> 20} MiB: {error}", advice) from error

    def stage(
        self, slab: Slab, batch: Batch, buffers: Sequence[Bytes], segments: Segments, recipes: RecipePlan
    ) -> list[tuple[int, Any]]:
        """Write on the host what the device needs; returns what is to be sent, with its place in the slab."""
        stretches = batch.stretches()
        straight = len(stretches) <= STRETCHES and all(self._is_pinned(buffer) for buffer in buffers)
        size = batch.tables_end if straight else batch.used
        if len(slab.host) < size:
            slab.host = self._pinned(1 << (size - 1).bit_length() if straight else self._limits.capacity)
        if not straight:
            batch.fill(slab.host.numpy(), buffers, segments, recipes)
            return [(0, slab.host[:size])]
        batch.write_tables(slab.host.numpy(), segments, recipes)
        held = [self._torch.from_numpy(buffer) for buffer in buffers]
        weights = [(at, held[i][source : source + length]) for i, source, at, length in stretches]
        return [(0, slab.host[:size]), *weights]

    def _is_pinned(self, buffer: Bytes) -> bool:
        """Whether the device can read the buffer by itself; without a GPU, whatever a reader filled will do."""
        return buffer.flags.writeable and (not self._cuda or self._torch.from_numpy(buffer).is_pinned())

    def submit(self, slab: Slab, batch: Batch, recipes: RecipePlan, sent: Sequence[tuple[int, Any]]) -> Any:
        """Send what was staged and enqueue its work; float64 [groups, columns] on the host, valid once `done` is."""
        torch = self._torch
        if not self._cuda:
            for at, data in sent:
                slab.device[at : at + len(data)] = data
            return self.reduced(slab.device, batch, recipes)
        with self._lock, torch.cuda.device(self._device):
            with torch.cuda.stream(self._copies):
                for at, data in sent:
                    slab.device[at : at + len(data)].copy_(data, non_blocking=True)
                slab.copied.record(self._copies)
            with torch.cuda.stream(self._work):
                self._work.wait_event(slab.copied)
                reduced = self.reduced(slab.device, batch, recipes)
                result = torch.empty(reduced.shape, dtype=reduced.dtype, pin_memory=True)
                result.copy_(reduced, non_blocking=True)
                slab.done.record(self._work)
        return result

    def reduced(self, slab: Any, batch: Batch, recipes: RecipePlan) -> Any:
        """The rows of a batch that lies on the device, added by groups in float64: a fixed order, no atomics."""
        rows = self.rows(slab, batch, recipes)
        lengths = slab[batch.tables[3]].view(self._torch.int64)
        return self._torch.segment_reduce(rows, "sum", lengths=lengths, axis=0, unsafe=self._cuda)

    def rows(self, slab: Any, batch: Batch, recipes: RecipePlan) -> Any:
        """One row a run of a batch that lies on the device, enqueued on the current stream."""
        if self._uses_triton(len(batch.dtype)):
            from modelprov.forensics.sums.kernels.triton_kernel import triton_rows

            return triton_rows(slab, batch, recipes)
        return torch_rows(slab, batch, recipes)

    def _uses_triton(self, n: int) -> bool:
        return self._triton and n <= 4

    def _wait(self, slab: Slab) -> None:
        if self._cuda:
            slab.done.synchronize()

    def _collect(
        self,
        waiting: deque[tuple[Slab, Batch, Any]],
        buffers: Sequence[Bytes],
        segments: Segments,
        recipes: RecipePlan,
        rows: Moments,
    ) -> None:
        """Wait for the oldest batch and add its groups to the rows of their segments."""
        slab, batch, result = waiting[0]
        self._wait(slab)
        waiting.popleft()
        self._free.put(slab)
        n = len(buffers)
        sums, counts, flag = self._columns(n)
        table = result.numpy()
        parts = Moments(n, np.zeros((len(table), layout(n).counts), np.int64), np.ascontiguousarray(table[:, sums]))
        present = [c for c in range(len(counts)) if c < layout(n).recipe + len(recipes.arithmetic)]
        parts.counts[:, present] = np.rint(table[:, counts[present]]).astype(np.int64)
        if flag is not None and (table[:, flag] != 0).any():
            again = np.flatnonzero(table[:, flag])
            exact = cpu_kernel(buffers, batch.groups(again, segments), recipes)
            parts.counts[again], parts.sums[again] = exact.counts, exact.sums
        row = batch.row[batch.group_piece]
        np.add.at(rows.counts, row, parts.counts)
        np.add.at(rows.sums, row, parts.sums)

    def _columns(self, n: int) -> tuple[Int64, Int64, int | None]:
        if self._uses_triton(n):
            from modelprov.forensics.sums.kernels.triton_kernel import columns

            return columns(n)
        return np.arange(layout(n).sums), layout(n).sums + np.arange(layout(n).counts), None


def _torch() -> Any:
    """The torch module; raises `UsageError` where it is not installed."""
    with contextlib.suppress(ImportError):
        import torch

        return torch
    raise UsageError(
        "comparing on a GPU needs torch, which is not installed",
        f"Install it: pip install 'modelprov[gpu]'. Or use {called('device', 'cpu')}.",
    )
