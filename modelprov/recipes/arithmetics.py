"""The exact arithmetics of known merging programs: their names, and one function that computes each to the same bits.

An arithmetic turns the parents' values and their weights into the merged value, rounding where the program rounds; they
are shared by whatever makes merges and whatever recognises them. They are computed in C (`modelprov/native/`) or in
numba (`arithmetics_compiled.py`). Reads no files, judges nothing. Formulas: `docs/method.md`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from modelprov.native import native

Float32 = npt.NDArray[np.float32]


class Arithmetic(IntEnum):
    """How a weighted sum was computed; the numbers are those of the compiled kernels."""

    FLOAT32 = 0
    FLOAT32_FUSED = 1
    FLOAT32_DELTA = 2
    FLOAT32_DELTA_FUSED = 3
    FLOAT64 = 4
    STEPWISE = 5
    STEPWISE_UNNORMALISED = 6
    STEPWISE_DELTA = 7
    FLOAT32_LERP = 8
    TORCH_SUM = 9
    TORCH_DELTA = 10
    TORCH_ALPHA = 11
    TORCH_LERP = 12
    TORCH_ALPHA_FROM_ZERO = 13
    TORCH_DELTA_ALPHA = 14
    TORCH_DELTA_SUM = 15
    FLOAT32_MEAN = 16
    TORCH_MEAN = 17


@dataclass(frozen=True)
class Description:
    """The public name of an arithmetic, one line of explanation, and whether the order of the parents matters.

    `programs` names the known ones that compute so (measured, docs/method.md); others may do the same.
    """

    name: str
    formula: str
    ordered: bool
    programs: str = ""


DESCRIPTIONS = {
    Arithmetic.FLOAT32: Description(
        "float32",
        "each product and each sum rounded to float32, one final rounding",
        False,
        "mergekit up to 0.1.4 with dtype float32",
    ),
    Arithmetic.FLOAT32_FUSED: Description(
        "float32-fused", "acc = fma(tensor, weight, acc) in float32", True, "mergekit 0.1.5"
    ),
    Arithmetic.FLOAT32_DELTA: Description(
        "float32-delta",
        "reference + sum of weight * (parent - reference)",
        False,
        "the task arithmetic of mergekit with dtype float32",
    ),
    Arithmetic.FLOAT32_DELTA_FUSED: Description("float32-delta-fused", "the same with fused multiply-add", False),
    Arithmetic.FLOAT64: Description("float64", "weighted sum in float64, one final rounding", False),
    Arithmetic.STEPWISE: Description(
        "bf16-stepwise",
        "weights, products and sum each rounded, divided by the sum",
        False,
        "mergekit up to 0.1.4 with dtype bfloat16",
    ),
    Arithmetic.STEPWISE_UNNORMALISED: Description(
        "bf16-stepwise-unnormalised", "the same without the division", False, "mergekit up to 0.1.4 with dtype bfloat16"
    ),
    Arithmetic.STEPWISE_DELTA: Description(
        "bf16-delta",
        "difference, product and sum each rounded",
        False,
        "the task arithmetic of mergekit with dtype bfloat16",
    ),
    Arithmetic.FLOAT32_LERP: Description("float32-lerp", "interpolation from the nearer end, in float32", False),
    Arithmetic.TORCH_SUM: Description(
        "torch-sum",
        "each product and each sum rounded to the format, weights to float32 only",
        False,
        "w * a + v * b of torch tensors",
    ),
    Arithmetic.TORCH_DELTA: Description(
        "torch-delta",
        "each difference, product and sum rounded to the format, weights to float32 only",
        False,
        "b + w * (a - b) of torch tensors",
    ),
    Arithmetic.TORCH_ALPHA: Description(
        "torch-alpha",
        "the first product rounded, then acc = fma(tensor, weight, acc), each rounded to the format, those weights too",
        True,
        "a.mul(w).add(b, alpha=v) of torch tensors",
    ),
    Arithmetic.TORCH_LERP: Description(
        "torch-lerp", "interpolation from the nearer end by one fma in float32", True, "torch.lerp"
    ),
    Arithmetic.TORCH_ALPHA_FROM_ZERO: Description(
        "torch-alpha-from-zero",
        "acc = fma(tensor, weight, acc) from 0, each rounded to the format, all weights too",
        True,
        "zeros.add_(a, alpha=w).add_(b, alpha=v) of torch tensors",
    ),
    Arithmetic.TORCH_DELTA_ALPHA: Description(
        "torch-delta-alpha",
        "acc = fma(difference, weight, acc) from the reference, each rounded to the format, weights too",
        False,
        "b.add(a - b, alpha=w) of torch tensors",
    ),
    Arithmetic.TORCH_DELTA_SUM: Description(
        "torch-delta-sum",
        "differences, products and their sum rounded to the format, then the reference added",
        False,
        "b + (w * (a - b) + v * (c - b)) of torch tensors",
    ),
    Arithmetic.FLOAT32_MEAN: Description(
        "float32-mean",
        "float32 with weights in multiples of the largest: tensors of equal weight are added, then divided",
        False,
        "torch.stack([a, b, c]).mean(0), mergekit's linear merge of equal weights with dtype float32",
    ),
    Arithmetic.TORCH_MEAN: Description(
        "torch-mean", "the same, each sum rounded to the format", False, "(a + b + c) / 3 of torch tensors"
    ),
}
STEPWISE = (Arithmetic.STEPWISE, Arithmetic.STEPWISE_UNNORMALISED, Arithmetic.STEPWISE_DELTA)
"""Those that round their weights, as every step, to the format."""
EVERY_STEP = (
    *STEPWISE, Arithmetic.TORCH_SUM, Arithmetic.TORCH_DELTA, Arithmetic.TORCH_ALPHA, Arithmetic.TORCH_ALPHA_FROM_ZERO,
    Arithmetic.TORCH_DELTA_ALPHA, Arithmetic.TORCH_DELTA_SUM, Arithmetic.TORCH_MEAN,
)  # fmt: skip
"""Those that round every step to the format."""
UNDIVIDED = (
    Arithmetic.STEPWISE_UNNORMALISED, Arithmetic.TORCH_SUM, Arithmetic.TORCH_ALPHA, Arithmetic.TORCH_ALPHA_FROM_ZERO,
)  # fmt: skip
"""Sums that are not divided by that of the weights."""
OF_DIFFERENCES = (
    Arithmetic.FLOAT32_DELTA, Arithmetic.FLOAT32_DELTA_FUSED, Arithmetic.STEPWISE_DELTA, Arithmetic.TORCH_DELTA,
    Arithmetic.TORCH_DELTA_ALPHA, Arithmetic.TORCH_DELTA_SUM,
)  # fmt: skip
"""A reference and what others differ from it by: it comes last in the order."""
OF_TWO = (Arithmetic.FLOAT32_LERP, Arithmetic.TORCH_LERP)
"""Those that two parents have and more do not."""
MEANS = (Arithmetic.FLOAT32_MEAN, Arithmetic.TORCH_MEAN)
"""Those that add before they multiply, where weights are equal; of other weights nobody writes them."""


def in_units(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Weights [..., k] in multiples of the largest, as the `MEANS` take them."""
    largest = np.abs(weights).max(axis=-1, keepdims=True)
    return np.asarray(weights / np.where(largest == 0, 1.0, largest), np.float64)


def programs_of(name: str) -> str:
    """Known programs that compute in the arithmetic with this public name (the order of parents aside); "" if none."""
    plain = name.split(" (", maxsplit=1)[0]
    return next((one.programs for one in DESCRIPTIONS.values() if one.name == plain), "")


def evaluate(
    arithmetic: int, parents: Float32, weights: npt.NDArray[np.float64], order: npt.NDArray[np.int64], dtype: int,
    out: Float32,
) -> None:  # fmt: skip
    """Fill `out` float32 [m] with the merge of `parents` float32 [k, m] as `arithmetic` computes and stores it.

    `weights` float64 [k] belong to the parents, `order` int64 [k] is the order in which the program adds, and its last
    the reference, of which differences are taken; `dtype` is the code of a format within float32. Of a recipe that
    leaves parents out `order` has those that it takes, then -1. Non-finite parents give undefined values.
    """
    library = native()
    if library is None or not (out.flags.c_contiguous and out.dtype == np.float32):
        from modelprov.recipes.arithmetics_compiled import evaluate as evaluate_in_numba

        evaluate_in_numba(arithmetic, parents, weights, order, dtype, out)
        return
    if parents.dtype != np.float32 or parents.strides[1] != parents.itemsize:
        parents = np.ascontiguousarray(parents, np.float32)
    if parents.shape != (len(order), len(out)) or len(weights) != len(order):
        raise ValueError(f"{parents.shape} parents, {len(weights)} weights, {len(order)} in order, {len(out)} merged")
    weights, order = np.ascontiguousarray(weights, np.float64), np.ascontiguousarray(order, np.int64)
    library.evaluate(arithmetic, parents, weights, order, dtype, out)
