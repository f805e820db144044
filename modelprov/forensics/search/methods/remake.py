"""A merge as it would be computed again: method, roles, parameters, arithmetic; and the bits that this gives.

Every formula is that of `recipes/methods`, which `merge` uses as well. Looks for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from modelprov.checkpoints.formats.dtypes import DType, Float64
from modelprov.errors import ModelprovError
from modelprov.forensics.search.methods.whole import Float32, Whole
from modelprov.recipes.gradients import resolve
from modelprov.recipes.methods import METHODS, Inputs
from modelprov.recipes.methods.interface import PRESETS, THREADS
from modelprov.recipes.methods.steps import Real
from modelprov.recipes.methods.torch_steps import shares

Variant = tuple[str, DType | None]
VARIANTS: tuple[Variant, ...] = (
    ("mergekit-0.1.5", None), ("mergekit-0.1.4", None), ("mergekit-0.1.5", DType.F32), ("float32", DType.F32),
)  # fmt: skip
"""Arithmetic, and the format that is computed in (None: the stored one): what programs in use do, and at last the
formula itself in float32, rounded once, as a few lines of anyone's code compute it."""
THREAD_COUNTS = (1, 4, 8, 16, 32, 6, 12, 24, 64, 3, 10, 14, 20, 28, 48, 96, 128)
"""Threads of programs that are tried where the two of `THREADS` do not give the bits, likelier ones first."""
NEAR, NEAREST = 0.05, 4  # share of a tensor's bits, if a factor is a step off; and how many merges are tried
ALL: tuple[Variant, ...] = (*VARIANTS, ("float64", DType.F32))


@dataclass(frozen=True)
class Made:
    """A merge of parents 0 ... k - 1 by `method`: `models` in the recipe's order, without the `base`.

    `each` holds one dictionary of settings a model, `options` the global ones, as a recipe writes them: values,
    gradients, filters. What is not set has the method's default. `threads` are those of the program (`Inputs`).
    """

    method: str
    models: tuple[int, ...]
    base: int | None = None
    each: tuple[Mapping[str, Any], ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    arithmetic: str = "mergekit-0.1.5"
    dtype: DType | None = None
    threads: int = THREADS

    @property
    def key(self) -> str:
        """What it is, whatever the arithmetic."""
        return repr((self.method, self.models, self.base, self.each, self.options))

    def of(self, whole: Whole) -> Float32 | None:
        """The merged tensor as it is stored, float32 [n]; None where the method refuses these parameters."""
        found = self._merged(whole, self.arithmetic, whole.stored)
        return None if found is None else np.asarray(found, np.float32)

    def unrounded(self, whole: Whole) -> Float64 | None:
        """The merged tensor computed without any rounding (of linear: in float32), float64 [n]; None likewise."""
        arithmetic, out = ("float32", DType.F32) if self.method == "linear" else ("float64", None)
        found = self._merged(whole, arithmetic, out)
        return None if found is None else np.asarray(found, np.float64)

    def _merged(self, whole: Whole, arithmetic: str, out: DType | None) -> Real | None:
        method = METHODS[self.method]
        own = [parameter for parameter in method.parameters if parameter.per_model]
        each = self.each or ({},) * len(self.models)
        stored = whole.formats[self.models[0] if self.base is None else self.base]
        inputs = Inputs(
            tensors=[whole.parents[model] for model in self.models],
            base=None if self.base is None else whole.parents[self.base],
            shape=whole.shape,
            models=[{one.name: _value(one, given, whole) for one in own} for given in each],
            options={one.name: _value(one, self.options, whole) for one in method.parameters if not one.per_model},
            arithmetic=arithmetic,
            dtype=self.dtype or stored,
            out_dtype=out,
            threads=self.threads,
        )
        try:
            with np.errstate(all="ignore"):
                return np.asarray(method.merge(inputs)).ravel()
        except (ModelprovError, ValueError, ZeroDivisionError):
            return None


def _value(parameter: Any, given: Mapping[str, Any], whole: Whole) -> Any:
    """A parameter for this tensor, as `merge` resolves it."""
    if parameter.name not in given:
        return parameter.default
    found = resolve(whole.name, given[parameter.name], whole.position)
    return parameter.default if found is None else found


@dataclass(frozen=True)
class Bits:
    """Of `elements`, `equal` hold the bits; `differ` are those where the parents differ."""

    elements: int = 0
    equal: int = 0
    differ: int = 0

    def __add__(self, other: Bits) -> Bits:
        return Bits(self.elements + other.elements, self.equal + other.equal, self.differ + other.differ)

    @property
    def missed(self) -> int:
        """Elements that do not hold the bits."""
        return self.elements - self.equal

    @property
    def share(self) -> float:
        """Share of the elements where parents differ that hold the bits, at worst: all misses are charged to them."""
        return max(0.0, 1 - self.missed / self.differ) if self.differ else 0.0


def bits(made: Made, whole: Whole) -> Bits:
    """How many of the tensor's bits this merge gives."""
    found = made.of(whole)
    equal = 0 if found is None else int((found.view(np.uint32) == whole.suspect.view(np.uint32)).sum())
    return Bits(whole.elements, equal, int(whole.differ.sum()))


def by_threads(proposed: Iterable[Made], look: Whole, longest: int) -> Iterator[Made]:
    """All, and those that come nearest to a tensor's bits by programs with more threads than `THREADS`, or fewer.

    Each rounds its part of a long sum to the format that is computed in; where no tensor is long all sums are the same.
    """
    near: list[tuple[float, Made]] = []
    parts = {len(shares(longest, threads)): threads for threads in (*reversed(THREAD_COUNTS), THREADS)}
    for made in proposed:
        yield made
        if len(parts) > 1 and made.dtype is None and made.arithmetic == PRESETS[-1]:
            near.append((bits(made, look).share, made))
    for share, made in sorted(near, key=lambda item: -item[0])[:NEAREST]:
        if share >= NEAR:
            yield from (replace(made, threads=threads) for threads in reversed(parts.values()) if threads != THREADS)


def total(made: Made, wholes: Iterable[Whole]) -> Bits:
    """The same over several tensors."""
    return sum((bits(made, whole) for whole in wholes), Bits())
