"""The contract of every kernel: what it is given and what it returns. Data only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.sources.interface import Stored
from modelprov.forensics.sums.moments import Moments


@dataclass(frozen=True, slots=True)
class RecipePlan:
    """Candidate recipes to count: arithmetic and order a recipe, weights a recipe and tensor.

    `arithmetic` int64 [r] (`arithmetics.Arithmetic`), `order` int64 [r, k], `weights` float64 [r, t, k]
    over the t canonical tensors; at most 8 recipes, k = n - 1 parents with the reference last. An order may end in -1,
    for parents that the recipe leaves out.
    """

    arithmetic: npt.NDArray[np.int64]
    order: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64]

    @staticmethod
    def none(parents: int, tensors: int) -> RecipePlan:
        """No recipes."""
        return RecipePlan(np.zeros(0, np.int64), np.zeros((0, parents), np.int64), np.zeros((0, tensors, parents)))


@dataclass(frozen=True, slots=True)
class Segments:
    """Parts of tensors that lie in n byte buffers.

    For segment s: `tensor[s]` is its canonical tensor, `count[s]` its elements, and its bytes in checkpoint i start
    at `start[i, s]` of buffer i, stored in the format with code `dtype[i, s]` (`DType.code`).
    `precision[s]` is the code of the format whose numbers the suspect holds there, which may be coarser than the one it
    is stored in (`forensics/estimators/precision.py`); None where it is that one everywhere.
    Every segment starts at a multiple of 4,096 elements of its tensor, so that any split gives the same sums.
    """

    tensor: npt.NDArray[np.int64]
    count: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    dtype: npt.NDArray[np.int64]
    precision: npt.NDArray[np.int64] | None = None

    @property
    def rounded_to(self) -> npt.NDArray[np.int64]:
        """Codes of the formats that the suspect's values were rounded to, int64 [s]."""
        return self.dtype[0] if self.precision is None else self.precision

    def select(self, which: npt.NDArray[np.int64]) -> Segments:
        """Some of the segments, by number."""
        precision = None if self.precision is None else self.precision[which]
        return Segments(self.tensor[which], self.count[which], self.start[:, which], self.dtype[:, which], precision)


class Kernel(Protocol):
    """Turns segments in memory into one row of moments a segment."""

    def __call__(self, buffers: Sequence[npt.NDArray[np.uint8]], segments: Segments, recipes: RecipePlan) -> Moments:
        """Moments with leading axis [segments]. Equality and betweenness are taken in `rounded_to`."""
        ...


class PieceKernel(Protocol):
    """A kernel that reads stored bytes itself."""

    def __call__(
        self, buffers: Sequence[npt.NDArray[np.uint8] | Stored], segments: Segments, recipes: RecipePlan
    ) -> Moments:
        """As `Kernel`."""
        ...


@dataclass(frozen=True, slots=True)
class Device:
    """Where a pass computes: its kernel, words about it for reports, and how it wants weights brought to it.

    `threads` at most read at a time, blocks of at most `block` bytes of each checkpoint. What reads `by_pieces`, where
    there is such, takes the kernel's place and holds little of a block at a time.
    """

    kernel: Kernel
    description: str
    threads: int | None = None
    block: int = 8 << 20
    by_pieces: PieceKernel | None = None
