"""The contract of a merge method: what goes in, what comes out, which parameters it knows. No algorithm lives here.

A method is a pure function from `Inputs` (one tensor, or a block of it, from every model) to the merged values as they
are stored. It reads no files and knows neither recipes nor checkpoints; whoever calls it resolves both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.recipes.numbers_given import number, truth

Float32 = npt.NDArray[np.float32]
Ready = TypeVar("Ready")
Value = float | bool | int | str | None

PRESETS = ("mergekit-0.1.4", "mergekit-0.1.5")
EXPLICIT = ("float32", "float32-fused", "float64", "bf16-stepwise")
ARITHMETICS = PRESETS + EXPLICIT
THREADS = 2
"""Threads of the presets' program, where a recipe does not say how many added up a long sum."""


@dataclass(frozen=True)
class Parameter:
    """One setting of a method: `default` None means that a recipe has to give it; `per_model` that models differ.

    A truth value where its default is one, a whole number where its default is one, else a number; from `low` to
    `high`, the ends included.
    """

    name: str
    default: Value
    per_model: bool
    meaning: str
    low: float = -math.inf
    high: float = math.inf

    @property
    def is_truth(self) -> bool:
        """Whether it is true or false, and no number."""
        return isinstance(self.default, bool)

    def read(self, given: object) -> float | bool | int:
        """The value that a recipe gives; raises `ValueError` whose words follow the parameter's name."""
        if self.is_truth:
            return truth(given)
        value = number(given)
        if not self.low <= value <= self.high:
            ends = f"between {self.low:g} and {self.high:g}" if self.high < math.inf else f"{self.low:g} or more"
            raise ValueError(f"is {value:g}, not {ends}")
        if not isinstance(self.default, int):
            return value
        if value != int(value):
            raise ValueError(f"is {value:g}, not a whole number")
        return int(value)


@dataclass(frozen=True)
class Inputs:
    """One tensor of every model, flattened in row-major order, and how to combine them.

    `tensors` holds the recipe's models in the recipe's order *without* the base model, when the method uses one
    (also if the recipe lists it among the models); `base` is the base model's tensor or None. All are float32 and
    finite, exact images of what is stored. `shape` is the whole tensor's shape; an elementwise method may get any
    block of its elements. `models` has one dictionary of per-model parameters for each of `tensors`, `options` the
    global ones; both complete (defaults filled in). `arithmetic` is one of `ARITHMETICS`; `dtype` the format that the
    recipe computes in (`dtype:`, else the stored one), `out_dtype` the one to store (None, but not of linear: none, the
    values come as float64 before that rounding). `held` is a format that holds all values exactly, None where none is
    known. `rng` is for random methods only. `threads` are those of the presets' program: each one's part of a long
    sum is rounded.
    """

    tensors: list[Float32]
    base: Float32 | None
    shape: tuple[int, ...]
    models: list[dict[str, Any]]
    options: dict[str, Any] = field(default_factory=dict)
    arithmetic: str = "float32"
    dtype: DType = DType.F32
    out_dtype: DType | None = DType.BF16
    rng: np.random.Generator | None = None
    held: DType | None = None
    threads: int = THREADS


def _nothing(_models: Sequence[Mapping[str, Any]], _options: Mapping[str, Any]) -> str:
    return ""


def weights_doubt(
    divides_by: str, smallest: float = 0.0
) -> Callable[[Sequence[Mapping[str, Any]], Mapping[str, Any]], str]:
    """What is wrong with weights that are divided by their sum unless the option `divides_by` is false."""

    def doubt(models: Sequence[Mapping[str, Any]], options: Mapping[str, Any]) -> str:
        weights = np.array([model["weight"] for model in models], np.float64)
        with np.errstate(over="ignore"):
            if not np.isfinite(np.abs(weights).sum().astype(np.float32)):
                return "the weights add up to more than float32 holds"
            sums = weights.sum(), weights.astype(np.float32).sum()
        if options.get(divides_by, True) and any(abs(one) <= smallest for one in sums):
            return "the weights sum to zero, and are to be divided by their sum"
        return ""

    return doubt


MergeBlock = Callable[[int, Inputs], Float32]
"""Merges the elements of a tensor from one on: their place, and `Inputs` that hold nothing else.

What it returns may be overwritten when the same thread merges the next block.
"""


@dataclass(frozen=True)
class Whole:
    """One tensor of every model that need not fit into memory: seen block by block, in order, as often as asked.

    `about` are its `Inputs` without values (`base` is empty, not None, where there is one); `count` its elements.
    `blocks` begins at an element, the first of a block. `spread`, where it is given, is what `each` does side by side,
    in as many `threads`.
    """

    about: Inputs
    count: int
    blocks: Callable[[int], Iterator[tuple[int, Inputs]]]
    spread: Callable[[Callable[[int, Inputs], Any], Callable[[Any], None]], None] | None = None
    threads: int = 1

    def each(self, prepare: Callable[[int, Inputs], Ready], add: Callable[[Ready], None]) -> None:
        """`prepare` every block, in several threads where that is possible, and `add` what it gives in their order."""
        if self.spread is not None:
            self.spread(prepare, add)
            return
        for first, block in self.blocks(0):
            add(prepare(first, block))


@dataclass(frozen=True)
class Passes:
    """How a method that looks at whole tensors does so in passes over blocks, to the same bits.

    `block` says of how many elements a block is, from `Whole.about`; 0 where only the whole tensor at once gives the
    bits. `look` passes over the tensor and returns what merges any of its blocks. `held` are bytes that looking at a
    tensor of so many elements takes beside its blocks, `kept` those that what it returns holds on to.
    """

    block: Callable[[Inputs], int]
    look: Callable[[Whole], MergeBlock]
    held: Callable[[Inputs, int], int] = lambda _about, _count: 0
    kept: Callable[[Inputs, int], int] = lambda _about, _count: 0


def in_one_block(look: Callable[[Whole], MergeBlock], inputs: Inputs) -> Float32:
    """What `look` merges of a tensor that is there as a whole."""
    return look(Whole(inputs, len(inputs.tensors[0]), lambda _start: iter([(0, inputs)])))(0, inputs)


@dataclass(frozen=True)
class Method:
    """A merge method: its name, what it needs, and the function that does it.

    `elementwise`: any block of elements can be merged alone with the same bits (it streams); otherwise the whole tensor
    is needed (norms, quantiles, random masks), at once or in `passes`. `optional_base`: works with and without.
    `fewest`, `most`: number of models besides the base. `stores_float32`: the program whose presets we follow stores
    F32 whatever `out_dtype` says. `doubt` says what is wrong with the complete parameters of the models and the global
    ones together, "" for nothing.
    """

    name: str
    needs_base: bool
    elementwise: bool
    random: bool
    parameters: tuple[Parameter, ...]
    merge: Callable[[Inputs], Float32]
    optional_base: bool = False
    fewest: int = 1
    most: int | None = None
    stores_float32: bool = False
    doubt: Callable[[Sequence[Mapping[str, Any]], Mapping[str, Any]], str] = _nothing
    passes: Passes | None = None
