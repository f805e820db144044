"""How a batch travels to a lane: read or copied into windows, one after the other. Knows no weights and no driver.

All windows at once in C where there is that and the bytes lie in files or in memory; else window by window in Python,
which is the same, a third as fast on a machine with many threads (one at a time computes in Python), and says in words
what is wrong with a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Protocol

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.sources.interface import Stored
from modelprov.forensics.sums.kernels.gpu_batches import Batch, Scalars, Window
from modelprov.forensics.sums.kernels.stored import copy, lies

Bytes = npt.NDArray[np.uint8]
Int64 = npt.NDArray[np.int64]


class Lane(Protocol):
    """The way to a slab; belongs to one thread at a time. Windows have `size` bytes."""

    size: int

    def window(self) -> Bytes:
        """Memory here for what travels next."""
        ...

    def send(self, size: int, at: int) -> None:
        """Enqueue the first `size` bytes of the window for byte `at` of the slab."""
        ...

    def send_all(self, windows: Int64, parts: Int64) -> bool:
        """Fill and send windows without Python; False where that is impossible or failed, and nothing is under way.

        `windows` [w, 3] are the byte of the slab, the size and the number of parts of each, `parts` [p, 4] a descriptor
        (or `IN_MEMORY`), the offset (or address), the byte of the window and the size of each.
        """
        ...


def fill(lane: Lane, batch: Batch, buffers: Sequence[Bytes | Stored], scalars: Scalars) -> None:
    """Send a batch on its way."""
    everything = [*buffers, batch.written_tables(scalars)]
    windows = list(batch.windows(lane.size))
    if _sent_at_once(lane, windows, everything):
        return
    for at, size, parts in windows:
        window = lane.window()
        for i, start, place, length in parts:
            copy(everything[i], start, window[place : place + length])
        lane.send(size, at)


def _sent_at_once(lane: Lane, windows: Sequence[Window], everything: Sequence[Bytes | Stored]) -> bool:
    with ExitStack() as held:
        try:
            lie = [held.enter_context(lies(source)) for source in everything]
        except OSError:
            return False
        parts = [
            (lie[part.checkpoint][0], lie[part.checkpoint][1] + part.source, part.at, part.size)
            for window in windows for part in window.parts
        ]  # fmt: skip
        shapes = [(window.at, window.size, len(window.parts)) for window in windows]
        return lane.send_all(np.array(shapes, np.int64), np.array(parts, np.int64))
