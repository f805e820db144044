"""A lane without a GPU: Triton's interpreter runs the kernels on the processor, slowly. For tests and checks.

Needs triton, imported where TRITON_INTERPRET=1 is set, and torch, whose tensors the interpreter takes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from modelprov.errors import UsageError
from modelprov.forensics.sums.kernels.gpu_batches import ALIGNMENT, OVERREAD, Batch, Bytes, Limits
from modelprov.forensics.sums.kernels.gpu_columns import COLUMNS
from modelprov.forensics.sums.kernels.interface import RecipePlan


class Interpreted:
    """What stands in for a GPU; raises `UsageError` without Triton's interpreter. Windows of `window` bytes."""

    def __init__(self, window: int = 1 << 16) -> None:
        try:
            from modelprov.forensics.sums.kernels.triton_kernel import INTERPRETED
        except ImportError as error:
            raise UsageError("Triton is not installed", "Install it: pip install 'modelprov[gpu]'.") from error
        if not INTERPRETED:
            raise UsageError("Triton compiles here", "Set TRITON_INTERPRET=1 before it is imported.")
        self._window = window

    name = "Triton's interpreter"

    def lane(self, limits: Limits) -> InterpretedLane:
        """A new lane."""
        return InterpretedLane(limits, self._window)


class InterpretedLane:
    """See `gpu.Lane`."""

    def __init__(self, limits: Limits, window: int) -> None:
        self._limits = limits
        self._slab = np.full(limits.capacity + OVERREAD, 0xA5, np.uint8)  # what was not sent is no zero
        self._window, self.size = np.empty(window, np.uint8), window

    def enter(self) -> None:
        """There is but one processor."""

    def window(self) -> Bytes:
        """Memory for what travels next."""
        return self._window

    def send(self, size: int, at: int) -> None:
        """The first `size` bytes of the window to byte `at` of the slab."""
        self._slab[at : at + size] = self._window[:size]

    def send_all(self, _windows: npt.NDArray[np.int64], _parts: npt.NDArray[np.int64]) -> bool:
        """One after the other is as good."""
        return False

    def settle(self) -> None:
        """Nothing is ever under way."""

    def sums(self, batch: Batch, recipes: RecipePlan) -> npt.NDArray[np.float64]:
        """The rows of a batch that was sent, added by groups, float64 [groups, columns]."""
        import torch

        from modelprov.forensics.sums.kernels.triton_kernel import PADDED, constants, group_sums, run_rows

        slab = torch.from_numpy(self._slab[: len(self._slab) // ALIGNMENT * ALIGNMENT])
        pieces, scalars, run_piece, groups = batch.tables
        rows = torch.empty((len(batch.run_piece), COLUMNS), dtype=torch.float64)
        for launch in batch.launches:
            run_rows[(launch.runs,)](
                slab.view(torch.int16), slab.view(torch.int32), slab[run_piece].view(torch.int32),
                slab[pieces].view(torch.int64), slab[scalars].view(torch.float64), rows, launch.first_run,
                **constants(len(batch.dtype), launch, recipes),
            )  # fmt: skip
        count = batch.group_runs.shape[1]
        out = torch.empty((count, COLUMNS), dtype=torch.float64)
        table = slab[groups].view(torch.int64)
        group_sums[(count,)](rows, table, out, count, WIDTH=COLUMNS, GROUP=self._limits.group, PADDED=PADDED)
        return np.asarray(out.numpy())
