"""Arithmetic as named steps: every operation of a method is rounded where the chosen arithmetic rounds it.

A method writes `step(a - b)`; whether that keeps float32, rounds to bf16 after each operation (as tensor libraries do
with 16-bit tensors) or works in float64 is what its steps say (`choosing` picks them). No algorithm lives here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import DType, round_to
from modelprov.errors import UsageError
from modelprov.native import native
from modelprov.recipes.methods.interface import Float32, Inputs

Real = npt.NDArray[np.floating[Any]]
Mask = npt.NDArray[np.bool_]
BLOCK = 1 << 20
SMALL_BLOCK = 1 << 18
"""Elements of a block where loops in C take it: what they share stays in the processor's cache."""
COMPILED_FROM = 1 << 17
"""Elements from which on a loop in numba is worth the second that it takes to load; it gives the same bits."""


@dataclass(frozen=True)
class Steps:
    """`working` is the precision of one operation, `dtype` the format its result is rounded to."""

    working: type[np.float32] | type[np.float64]
    dtype: DType
    lanes: bool = False

    def __call__(self, values: npt.ArrayLike) -> Real:
        """The result of one operation, rounded to nearest (ties to even) in `dtype`, kept in `working`."""
        result: Real = np.asarray(values, self.working)
        if self.dtype is DType.BF16:
            flat = np.ravel(result).astype(np.float32, copy=False)
            rounded = np.empty(flat.shape, np.float32)
            _round_bf16(np.ascontiguousarray(flat), rounded)
            return rounded.reshape(result.shape)
        if self.dtype is DType.F16:
            return result.astype(np.float16).astype(self.working)
        return result

    def exact(self, value: npt.ArrayLike) -> Real:
        """A number that the program keeps in the precision of an operation, not in the format of the tensors."""
        return np.asarray(value, self.working)

    def add(self, terms: Iterable[Real]) -> Real:
        """The sum of the terms in their order, in `working` precision, rounded once at the end."""
        total: Any = None
        for term in terms:
            total = term if total is None else total + term
        return self(total)

    def dot(self, a: Real, b: Real, across: bool = False, halved: bool = True) -> Real:  # noqa: ARG002  (see the docstring)
        """Sum over the last axis of the rounded products, which are added in float64: independent of blocks.

        `across` says that a program would hold the rows as columns, `halved` that it adds a long single row on two
        threads: both matter where a program decides the order.
        """
        total = np.zeros((*a.shape[:-1], 1), np.float64)
        for at in range(0, a.shape[-1], BLOCK):
            total += self(a[..., at : at + BLOCK] * b[..., at : at + BLOCK]).sum(-1, dtype=np.float64, keepdims=True)
        return self(total)

    def vector_dot(self, a: Real, b: Real) -> Real:
        """The dot product of two flat vectors."""
        return self.dot(a, b)

    def norm(self, values: Real, across: bool = False) -> Real:  # noqa: ARG002  (as in dot)
        """Euclidean length along the last axis: squares and sum in float64, rounded once.

        With `lanes` as torch adds them on x86 processors with AVX2: eight float32 sums, and those one after the other,
        which is wrong by some 1e-5 for a million elements (measured, the same for any number of threads).
        """
        if self.lanes:
            squares = np.empty(int(np.prod(values.shape[:-1])), np.float32)
            from modelprov.recipes.methods.loops import lane_squares

            lane_squares(np.ascontiguousarray(values, np.float32).reshape(len(squares), -1), squares)
            return self(np.sqrt(squares).reshape(*values.shape[:-1], 1))
        total = np.zeros((*values.shape[:-1], 1), np.float64)
        for at in range(0, values.shape[-1], BLOCK):
            part = values[..., at : at + BLOCK].astype(np.float64)
            total += (part * part).sum(-1, keepdims=True)
        return self(np.sqrt(total))

    def sum(self, values: Real) -> Real:
        """Sum of a flat tensor [1], in float64 and then rounded."""
        return self(values.sum(dtype=np.float64, keepdims=True))

    def mean(self, values: Real) -> Real:
        """Mean of a flat tensor [1], in float64 and then rounded."""
        return self(values.sum(dtype=np.float64, keepdims=True) / len(values))

    def sine(self, values: Real) -> Real:
        """The rounded sine."""
        return self(np.sin(values))

    def cosine(self, values: Real) -> Real:
        """The rounded cosine."""
        return self(np.cos(values))

    def arccosine(self, values: Real) -> Real:
        """The rounded inverse cosine."""
        return self(np.arccos(values))

    def variance(self, rows: list[Real]) -> Real:
        """The population variance over the rows at each element, in float64 and then rounded."""
        mean = np.zeros(len(rows[0]), np.float64)
        for row in rows:
            mean += row / len(rows)
        total = np.zeros_like(mean)
        for row in rows:
            total += np.square(row - mean)
        return self(total / len(rows))

    def divergence(self, other: Real, base: Real) -> Real:
        """Kullback-Leibler divergence of the softmax of each row [rows, 1]: softmax rounded, the rest in float64."""
        p, q = (self._softmax(one) for one in (other, base))
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.where((p > 0) & (q > 0), p * np.log(p / q), 0.0)
        return self(terms.sum(-1, keepdims=True))

    def _softmax(self, rows: Real) -> Real:
        powers = np.exp(rows.astype(np.float64) - rows.max(-1, keepdims=True))
        return self(powers / powers.sum(-1, keepdims=True)).astype(np.float64)

    def largest(self, sizes: Real, count: int) -> Mask:
        """The `count` largest of `sizes` [n], earlier ones first among equals; in linear time."""
        n = len(sizes)
        if count >= n:
            return np.ones(n, np.bool_)
        if count <= 0:
            return np.zeros(n, np.bool_)
        cut = np.partition(sizes, n - count)[n - count]
        mask: Mask = sizes > cut
        equal = np.flatnonzero(sizes == cut)
        mask[equal[: count - int(mask.sum())]] = True
        return mask

    def between(self, sizes: Real, dropped: int, kept: int) -> Mask:
        """`kept` of `sizes` [n] after the `dropped` largest."""
        return self.largest(sizes, dropped + kept) & ~self.largest(sizes, dropped)

    def top(self, sizes: Real, count: int) -> Mask:
        """The same as `largest`, where a program selects without sorting."""
        return self.largest(sizes, count)

    def divide(self, a: Real, b: Real) -> Real:
        """`a / b` rounded; 0 where `b` is 0."""
        return self(np.divide(a, b, out=np.zeros(np.broadcast_shapes(a.shape, b.shape), self.working), where=b != 0))


def _round_bf16(values: Float32, out: Float32) -> None:
    library = native()
    if library is not None:
        library.round_bf16(values, out)
        return
    from modelprov.recipes.methods.loops import fill_bf16

    fill_bf16(values, out)


FLOAT32 = Steps(np.float32, DType.F32)
FLOAT64 = Steps(np.float64, DType.F64)


def compiled(step: Steps, count: int) -> bool:
    """Whether so many elements go through a loop in numba, which computes in float32."""
    return step.working is np.float32 and count >= COMPILED_FROM


def loaded(inputs: Inputs, step: Steps) -> tuple[list[Real], Real | None]:
    """The models' tensors and the base's, in the format that is computed in."""
    base = None if inputs.base is None else read(inputs.base, inputs, step)
    return [read(tensor, inputs, step) for tensor in inputs.tensors], base


def read(values: Real, inputs: Inputs, step: Steps) -> Real:
    """Values of `inputs` in the format of a step."""
    return values if inputs.held is step.dtype and step.working is np.float32 else step(values)


def directions(inputs: Inputs, step: Steps) -> tuple[list[Real], Real | None]:
    """What a spherical method turns: the tensors, or with a base model their task vectors, and that base."""
    tensors, base = loaded(inputs, step)
    return tensors if base is None else [step(tensor - base) for tensor in tensors], base


def placed(merged: Real, base: Real | None, inputs: Inputs, step: Steps) -> Float32:
    """What was made of `directions`, back on the base where there is one, as it is stored."""
    return stored(merged if base is None else step(merged + base), inputs.out_dtype)


def based(inputs: Inputs, step: Steps) -> tuple[list[Real], Real]:
    """`loaded` for a method that cannot do without a base model; raises `UsageError` when there is none."""
    base_of(inputs)
    tensors, base = loaded(inputs, step)
    return tensors, cast("Real", base)


def base_of(inputs: Inputs) -> Float32:
    """The base model's tensor as it is stored; raises `UsageError` when there is none."""
    if inputs.base is None:
        raise UsageError("this merge method needs a base model", "Name one as base_model in the recipe.")
    return inputs.base


def rows_block(shape: tuple[int, ...]) -> int:
    """Elements of a block of whole rows; a vector is one row."""
    width = shape[-1] if len(shape) > 1 else math.prod(shape)
    return max(1, BLOCK // width) * width


def stored(values: Real, dtype: DType | None) -> Float32:
    """The merged values rounded once to the stored format, as float32 [n]; as they are, float64, without a format."""
    flat = np.ravel(values)
    if dtype is None:
        unrounded: Any = flat.astype(np.float64)  # for who asks for it, not for what is stored
        return unrounded  # type: ignore[no-any-return]
    if flat.dtype == np.float64:
        single = DType.F32 if dtype is DType.F64 else dtype
        return round_to(flat.astype(np.float64, copy=False), single).astype(np.float32)
    return Steps(np.float32, dtype)(flat).astype(np.float32, copy=False)
