"""The steps whose last bits are decided by torch, done by torch: lengths, sums, sines, sorting. For presets only.

mergekit computes with torch, whose reductions add in an order of their own and whose sort of equal numbers is unstable.
Where torch is installed, the presets take these steps from it; everything else stays in `steps`. torch is imported when
a step is first needed, works with one thread here, and where the programs' two threads would have split a sum in two
halves it is split likewise: the bits do not depend on how many threads run. No algorithm of a method lives here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.recipes.methods.interface import THREADS
from modelprov.recipes.methods.introsort import ProgramSteps, between, sorter
from modelprov.recipes.methods.steps import Mask, Real

SPLIT_SUM = 1 << 15  # elements of a whole tensor's sum for each of which torch 2.13 takes a thread more, as measured
SPLIT_DOT = (
    1 << 13
)  # elements from which they halve the dot product of two float32 vectors, which another library computes


WRONG = 2.0**-20
"""Relative error, eight units in the last place of float32, that no sine of torch and no arccosine has."""
SCALARS = 64
"""Elements up to which numpy is asked first."""


@dataclass(frozen=True)
class TorchSteps(ProgramSteps):
    """`Steps` in float32 or a 16-bit format, with the bits of torch on so many threads of an x86 processor.

    Dot products of float32 vectors are those of two threads: another library shares them out.
    """

    threads: int = THREADS

    def dot(self, a: Real, b: Real, across: bool = False, halved: bool = True) -> Real:
        """Sum over the last axis of the rounded products, in the order of the program's layout and threads."""
        with _one_thread():
            products = self._there(a, across) * self._there(b, across)
            return self._back(_sum(products, self.threads) if halved else products.sum(-1, keepdim=True))

    def vector_dot(self, a: Real, b: Real) -> Real:
        """The dot product of two flat vectors."""
        with _one_thread():
            return self._back(_dot(self._there(a), self._there(b)).reshape(1))

    def norm(self, values: Real, across: bool = False) -> Real:
        """Euclidean length along the last axis."""
        with _one_thread():
            return self._back(self._there(values, across).norm(dim=-1, keepdim=True))

    def sum(self, values: Real) -> Real:
        """Sum of a flat tensor [1]."""
        with _one_thread():
            return self._back(_sum(self._there(values), self.threads))

    def mean(self, values: Real) -> Real:
        """Mean of a flat tensor [1], as one row among several, which threads do not halve."""
        with _one_thread():
            return self._back(self._there(values).mean().reshape(1))

    def sine(self, values: Real) -> Real:
        """The rounded sine."""
        known = self._certain(np.sin, values)
        if known is not None:
            return known
        with _one_thread():
            return self._back(self._there(values).sin())

    def cosine(self, values: Real) -> Real:
        """The rounded cosine."""
        with _one_thread():
            return self._back(self._there(values).cos())

    def arccosine(self, values: Real) -> Real:
        """The rounded inverse cosine."""
        known = self._certain(np.arccos, values)
        if known is not None:
            return known
        with _one_thread():
            return self._back(self._there(values).acos())

    def _certain(self, function: Callable[[Real], Real], values: Real) -> Real | None:
        """What torch must find in a 16-bit format: it computes in float32, wrong by less than `WRONG`, and rounds that.

        None where both sides of a border are that near: then torch has to be asked, which takes seconds to import.
        """
        if self.dtype is DType.F32 or values.size > SCALARS:
            return None
        exact = function(np.asarray(values, np.float64))
        low, high = (self((exact * (1 + sign * WRONG)).astype(np.float32)) for sign in (-1, 1))
        return low if np.array_equal(low, high) else None

    def variance(self, rows: list[Real]) -> Real:
        """The population variance over the rows at each element."""
        import torch

        with _one_thread():
            return self._back(torch.stack([self._there(row) for row in rows]).var(dim=0, unbiased=False))

    def divergence(self, other: Real, base: Real) -> Real:
        """Kullback-Leibler divergence of the softmax of each row [rows, 1]."""
        with _one_thread():
            p, q = (self._there(one).softmax(-1) for one in (other, base))
            return self._back((p * ((p + 1e-8) / (q + 1e-8)).log()).sum(-1, keepdim=True))

    def largest(self, sizes: Real, count: int) -> Mask:
        """The `count` first of `sizes` [n] in descending order, as torch sorts equal ones."""
        if sorter(self) is not None:
            return super().largest(sizes, count)
        with _one_thread():
            return _mask(self._there(sizes).argsort(descending=True)[:count], len(sizes))

    def between(self, sizes: Real, dropped: int, kept: int) -> Mask:
        """`kept` of `sizes` [n] before the last `dropped` in ascending order, as torch sorts equal ones."""
        if sorter(self) is not None:
            return super().between(sizes, dropped, kept)
        with _one_thread():
            return _mask(self._there(sizes).argsort()[slice(*between(len(sizes), dropped, kept))], len(sizes))

    def top(self, sizes: Real, count: int) -> Mask:
        """The `count` largest of `sizes` [n], as torch selects them without sorting."""
        with _one_thread():
            return _mask(self._there(sizes).topk(count).indices, len(sizes))

    def _there(self, values: Real, across: bool = False) -> Any:
        """The values as a torch tensor of their format; `across` lays it out column after column."""
        import torch

        laid = np.asarray(values, np.float32, order="F" if across else "C")
        return torch.from_numpy(laid).to(getattr(torch, self.dtype.torch_name))

    def _back(self, tensor: Any) -> Real:
        found: Real = tensor.float().numpy()
        return found


def shares(count: int, threads: int) -> list[int]:
    """How many of a flat tensor's elements each of torch's threads adds up, in order; what each finds is rounded."""
    parts = min(threads, -(-count // SPLIT_SUM)) if count > SPLIT_SUM else 1
    longest = -(-count // max(parts, 1))
    return [min(longest, count - start) for start in range(0, count, longest)] if count else [0]


def _sum(tensor: Any, threads: int) -> Any:
    """Sums along the last axis [rows, 1] or [1]; one row alone is what threads share."""
    rows = tensor.reshape(1, -1) if tensor.ndim == 1 else tensor
    parts = shares(rows.shape[-1], threads) if len(rows) == 1 else []
    if len(parts) > 1:
        import torch

        found = torch.stack([part.sum() for part in rows[0].split(parts)])
        return found.sum().reshape((1,) * tensor.ndim)
    return tensor.sum(-1, keepdim=True)


def _dot(a: Any, b: Any) -> Any:
    if len(a) >= SPLIT_DOT and a.element_size() == 4:
        half = -(-len(a) // 2)
        return a[:half].dot(b[:half]) + a[half:].dot(b[half:])
    return a.dot(b)


def _mask(places: Any, size: int) -> Mask:
    mask = np.zeros(size, np.bool_)
    mask[places.numpy()] = True
    return mask


class _Alone:
    """One torch thread while anybody is inside; the last one to leave restores what the first one found."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before = 1

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Keep torch on one thread for the block."""
        import torch

        with self._lock:
            if not self._inside:
                self._before = torch.get_num_threads()
            self._inside += 1
            torch.set_num_threads(1)
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if not self._inside:
                    torch.set_num_threads(self._before)


_one_thread = _Alone()
