"""Sums over a tensor that comes block by block, to the bits of the same sums over the whole of it (`steps`).

Whatever the blocks are (those of `Steps.dot` and `Steps.norm`: `steps.BLOCK` elements), a total has the bits that the
steps it is made for give at once: float64 block by block, or torch's orders of adding float32 numbers.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from typing import Protocol

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.native import for_merging, native
from modelprov.recipes.methods.interface import Float32
from modelprov.recipes.methods.steps import Real, Steps
from modelprov.recipes.methods.torch_steps import TorchSteps, shares

TRIED = ("2.13.",)
"""Versions of torch, of the wheels of its makers, that add as is written here; a test tries the one that is here."""
AVX2_AND_UP = ("AVX2", "AVX-512")
BUFFER = 8192  # elements that numpy converts at a time where it adds float32 numbers in float64
LANES = 8  # float32 numbers that torch's sums hold at a time, in AVX2
UNROLLED = 4  # of those at a time


class Total(Protocol):
    """A sum that grows by blocks of a flat tensor; `result` [1] is asked for once, at the end."""

    def add(self, values: Real) -> None:
        """Add the next elements."""
        ...

    def result(self) -> Real:
        """The total, rounded as its steps round."""
        ...


def length(step: Steps) -> Total:
    """The bits of `step.norm` of a flat tensor."""
    return _Squares(step) if step.lanes or isinstance(step, TorchSteps) else _Double(step, root=True)


def total(step: Steps, count: int, *, halved: bool = True) -> Total:
    """The bits of `step.dot` of a flat tensor of `count` elements, of rounded products that are added one by one."""
    if not isinstance(step, TorchSteps):
        return _Double(step, root=False)
    parts = shares(count, step.threads) if halved else [count]
    return _Shares(step, parts) if len(parts) > 1 else _Cascade(step, count)


def reproducible(step: Steps) -> bool:
    """Whether the totals have the bits of the steps here: torch adds in other orders on some processors.

    How it adds squares of float16 is not known.
    """
    if not isinstance(step, TorchSteps):
        return True
    return step.dtype is not DType.F16 and (without_trial() or as_torch(step.dtype))


@cache
def without_trial() -> bool:
    """Whether this torch need not be imported to know in which order it adds."""
    library = native()
    if library is None or library.variant not in AVX2_AND_UP or "ATEN_CPU_CAPABILITY" in os.environ:
        return False
    try:
        torch = distribution("torch")
    except PackageNotFoundError:
        return False
    return torch.version.startswith(TRIED) and (torch.read_text("INSTALLER") or "").strip() != "conda"


@cache
def as_torch(dtype: DType) -> bool:
    """Whether torch adds as is known of it, tried on numbers whose sums depend on the order."""
    step = TorchSteps(np.float32, dtype)
    rng = np.random.default_rng(0)
    for count in (100_003, 5_001):
        values = step(rng.standard_normal(count).astype(np.float32))
        ones = np.ones_like(values)
        for own, theirs in (
            (length(step), step.norm(values)),
            (total(step, count), step.dot(values, ones)),
            (total(step, count, halved=False), step.dot(values, ones, halved=False)),
        ):
            own.add(values)
            if not np.array_equal(own.result(), theirs):
                return False
    return True


class Sizes:
    """The sum of absolute float32 values, added in float64 as numpy adds those of the whole tensor.

    numpy converts `BUFFER` elements at a time, adds those pairwise, and the sums one after the other.
    """

    def __init__(self) -> None:
        self._total, self._left = 0.0, np.empty(0, np.float32)

    def add(self, values: Real) -> None:
        """Add the sizes of the next elements."""
        sizes = np.abs(values)
        if len(self._left):
            sizes = np.concatenate([self._left, sizes])
        whole = len(sizes) - len(sizes) % BUFFER
        self._left = sizes[whole:].astype(np.float32)
        self._total = float(sizes[:whole].sum(dtype=np.float64, initial=self._total))

    def add_sums(self, sums: npt.NDArray[np.float64]) -> None:
        """Add the next elements by the sums of the sizes of every `BUFFER` of them; only the last may be of fewer."""
        for each in sums.tolist():
            self._total += each

    def result(self) -> float:
        """The sum of all sizes."""
        return float(self._left.sum(dtype=np.float64, initial=self._total))


def unit_products(x: Real, y: Real, norms: Sequence[Real], step: Steps, out: Float32) -> Real:
    """The products [n] of two flat tensors divided by their lengths [1], each step rounded; in `out` where C does it.

    What has no length is 0.
    """
    library = for_merging() if step.working is np.float32 else None
    if library is None or not all(float(norm[0]) > 0 for norm in norms):
        u, v = (step.divide(one, norm) for one, norm in zip((x, y), norms, strict=True))
        return step(u * v)
    a, b = (np.ascontiguousarray(one, np.float32) for one in (x, y))
    library.unit_products(a, b, (float(norms[0][0]), float(norms[1][0])), step.dtype.code, out)
    return out


class _Double:
    """Block by block in float64; with `root` the length, from squares."""

    def __init__(self, step: Steps, *, root: bool) -> None:
        self._step, self._root, self._total = step, root, np.zeros(1, np.float64)

    def add(self, values: Real) -> None:
        if self._root:
            part = values.astype(np.float64)
            self._total += (part * part).sum(-1, keepdims=True)
        else:
            self._total += values.sum(-1, dtype=np.float64, keepdims=True)

    def result(self) -> Real:
        return self._step(np.sqrt(self._total) if self._root else self._total)


class _InGroups:
    """Hands on whole groups of `size` elements, and keeps what is left until more comes."""

    def __init__(self, size: int) -> None:
        self._size, self._left = size, np.empty(0, np.float32)

    def whole(self, values: Real) -> Real:
        flat = np.concatenate([self._left, values]) if len(self._left) else np.asarray(values, np.float32)
        stop = len(flat) - len(flat) % self._size
        self._left = flat[stop:].copy()
        return np.ascontiguousarray(flat[:stop])

    @property
    def rest(self) -> Real:
        return self._left


class _Squares:
    """The length as torch adds squares: eight float32 sums, those one after the other, then what is left."""

    def __init__(self, step: Steps) -> None:
        self._step, self._groups, self._lanes = step, _InGroups(LANES), np.zeros(LANES, np.float32)

    def add(self, values: Real) -> None:
        whole, library = self._groups.whole(values), for_merging()
        if library is not None:
            library.add_squares(whole, self._lanes)
            return
        from modelprov.recipes.methods.loops import add_squares

        add_squares(whole, self._lanes)

    def result(self) -> Real:
        found = np.float32(0)
        for lane in self._lanes:
            found = np.float32(found + lane)
        for value in self._groups.rest:
            found = np.float32(found + np.float32(value * value))
        return self._step(np.sqrt(np.array([found], np.float32)))


class _Cascade:
    """The sum of `count` numbers as torch adds a contiguous row (SumKernel): four vectors side by side, in levels."""

    def __init__(self, step: Steps, count: int) -> None:
        self._step, self._wide = step, step.dtype is not DType.F32
        self._vector = LANES * 2 if self._wide else LANES  # 16-bit numbers come in pairs of vectors, added first
        self._groups = _InGroups(self._vector * UNROLLED)
        steps = count // self._vector // UNROLLED
        self._power = max(4, (steps - 1).bit_length() // 4 if steps > 1 else 0)
        self._levels, self._at = np.zeros((4, UNROLLED, LANES), np.float32), 0

    def add(self, values: Real) -> None:
        whole, library = self._groups.whole(values), for_merging()
        if library is not None:
            self._at = library.add_in_levels(whole, self._levels, self._at, self._power, self._wide)
            return
        from modelprov.recipes.methods.loops import add_in_levels

        self._at = add_in_levels(whole, self._levels, self._at, self._power, self._wide)

    def unrounded(self) -> np.float32:
        """The sum in float32."""
        sums = self._levels[0].copy()
        for level in self._levels[1:]:
            sums += level
        rest = self._groups.rest
        vectors = len(rest) // self._vector
        for row in rest[: vectors * self._vector].reshape(vectors, self._vector):
            sums[0] += row[:LANES] + row[LANES:] if self._wide else row
        for other in sums[1:]:
            sums[0] += other
        found = np.float32(0)
        for value in (*rest[vectors * self._vector :], *sums[0]):
            found = np.float32(found + value)
        return found

    def result(self) -> Real:
        return self._step(np.array([self.unrounded()], np.float32))


class _Shares:
    """A cascade for each of the parts, of so many elements, and one of their rounded sums: how threads share a sum."""

    def __init__(self, step: Steps, parts: Sequence[int]) -> None:
        self._step, self._left = step, list(parts)
        self._parts = [_Cascade(step, count) for count in parts]
        self._at = 0

    def add(self, values: Real) -> None:
        while len(values):
            cut = min(self._left[self._at], len(values))
            self._parts[self._at].add(values[:cut])
            self._left[self._at] -= cut
            self._at += self._left[self._at] == 0
            values = values[cut:]

    def result(self) -> Real:
        last = _Cascade(self._step, len(self._parts))
        last.add(np.concatenate([part.result() for part in self._parts]))
        return last.result()
