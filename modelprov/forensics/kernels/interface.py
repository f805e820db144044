"""The contract of every kernel: what it is given and what it returns. Data only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from modelprov.forensics.moments import Moments


@dataclass(frozen=True, slots=True)
class RecipePlan:
    """Candidate recipes to count: arithmetic and order a recipe, weights a recipe and tensor.

    `arithmetic` int64 [r] (`modelprov.arithmetics.Arithmetic`), `order` int64 [r, k], `weights` float64 [r, t, k]
    over the t canonical tensors; at most 8 recipes, k = n - 1 parents with the reference last.
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
    at `start[i, s]` of buffer i, stored in the format with code `dtype[i, s]` (0 BF16, 1 F16, 2 F32, 3 F64).
    Every segment starts at a multiple of 4,096 elements of its tensor, so that any split gives the same sums.
    """

    tensor: npt.NDArray[np.int64]
    count: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]
    dtype: npt.NDArray[np.int64]


class Kernel(Protocol):
    """Turns segments in memory into one row of moments a segment."""

    def __call__(self, buffers: Sequence[npt.NDArray[np.uint8]], segments: Segments, recipes: RecipePlan) -> Moments:
        """Moments with leading axis [segments]. Equality and betweenness are taken in the suspect's format."""
        ...
