"""The contract of a merge method: what goes in, what comes out, which parameters it knows. No algorithm lives here.

A method is a pure function from `Inputs` (one tensor, or a block of it, from every model) to the merged values as they
are stored. It reads no files and knows neither recipes nor checkpoints; whoever calls it resolves both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.dtypes import DType

Float32 = npt.NDArray[np.float32]
Value = float | bool | int | str | None

PRESETS = ("mergekit-0.1.4", "mergekit-0.1.5")
EXPLICIT = ("float32", "float32-fused", "float64", "bf16-stepwise")
ARITHMETICS = PRESETS + EXPLICIT


@dataclass(frozen=True)
class Parameter:
    """One setting of a method: `default` None means that a recipe has to give it; `per_model` that models differ."""

    name: str
    default: Value
    per_model: bool
    meaning: str


@dataclass(frozen=True)
class Inputs:
    """One tensor of every model, flattened in row-major order, and how to combine them.

    `tensors` holds the recipe's models in the recipe's order *without* the base model, when the method uses one
    (also if the recipe lists it among the models); `base` is the base model's tensor or None. All are float32 and
    finite, exact images of what is stored. `shape` is the whole tensor's shape; an elementwise method may get any
    block of its elements. `models` has one dictionary of per-model parameters for each of `tensors`, `options` the
    global ones; both complete (defaults filled in). `arithmetic` is one of `ARITHMETICS`; `dtype` the format that the
    recipe computes in (`dtype:`, else the stored one), `out_dtype` the one to store. `rng` is for random methods only.
    """

    tensors: list[Float32]
    base: Float32 | None
    shape: tuple[int, ...]
    models: list[dict[str, Any]]
    options: dict[str, Any] = field(default_factory=dict)
    arithmetic: str = "float32"
    dtype: DType = DType.F32
    out_dtype: DType = DType.BF16
    rng: np.random.Generator | None = None


@dataclass(frozen=True)
class Method:
    """A merge method: its name, what it needs, and the function that does it.

    `elementwise`: any block of elements can be merged alone with the same bits (it streams); otherwise the whole tensor
    is needed (norms, quantiles, random masks). `optional_base`: works with and without. `fewest`, `most`: number of
    models besides the base. `stores_float32`: the program whose presets we follow stores F32 whatever `out_dtype` says.
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
