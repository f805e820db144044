"""True merges by the precision of their values, whatever the files' formats: all have to stay found.

The suspect is made from its parents by a merging program's arithmetic and nothing else; `alpha` is the ratio as typed.
Where a parent is finer than the suspect, it could have been made to fit
(`frame_ups.planted_beyond_filling_the_cells`): there on-line is right too.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.cases.kinds import Case, kind
from benchmarks.cases.making import FORMATS, family
from benchmarks.cases.planting import honest, in_f32
from modelprov.checkpoints.formats.dtypes import DType
from modelprov.demo.writing import Weights
from modelprov.recipes.arithmetics import STEPWISE, Arithmetic
from tests.generated import Rng, apply, cast, change, layer_of, merge

FLOAT32 = (
    Arithmetic.FLOAT32,
    Arithmetic.FLOAT32_FUSED,
    Arithmetic.FLOAT32_DELTA,
    Arithmetic.FLOAT32_DELTA_FUSED,
    Arithmetic.FLOAT64,
    Arithmetic.FLOAT32_LERP,
)
TORCH = (Arithmetic.TORCH_SUM, Arithmetic.TORCH_DELTA, Arithmetic.TORCH_ALPHA)


def tenth(rng: Rng) -> float:
    """0.1 to 0.9."""
    return int(rng.integers(1, 10)) / 10


def _pick(rng: Rng, among: Sequence[Arithmetic]) -> Arithmetic:
    return among[int(rng.integers(len(among)))]


def _merged(rng: Rng, parents: list[Weights], arithmetic: Arithmetic, dtype: DType) -> tuple[Weights, float]:
    alpha = tenth(rng)
    return merge(parents, [alpha, 1 - alpha], arithmetic, dtype), alpha


@kind(80, "positive", "merge")
def full_precision_merge(rng: Rng) -> Case:
    """Parents with full F32 values, merged in float32 or float64, stored in F32."""
    parents, arithmetic = family(rng, low=1e-4, dtype=DType.F32), _pick(rng, FLOAT32)
    suspect, alpha = _merged(rng, parents, arithmetic, DType.F32)
    return Case((suspect, *parents), f"{alpha} {arithmetic.name}", alpha=alpha)


@kind(80, "positive", "merge")
def narrow_parents_merged_in_f32(rng: Rng) -> Case:
    """Parents with 16-bit values in F32 files, the merge stored in F32: its values are finer than the parents'."""
    parents, arithmetic = in_f32(honest(rng)[1]), _pick(rng, FLOAT32)
    suspect, alpha = _merged(rng, parents, arithmetic, DType.F32)
    return Case((suspect, *parents), f"{alpha} {arithmetic.name}", alpha=alpha)


@kind(60, "positive", "merge")
def narrow_files_merged_in_f32(rng: Rng) -> Case:
    """Parents in 16-bit files, the merge stored in F32."""
    parents, arithmetic = honest(rng)[1], _pick(rng, FLOAT32)
    suspect, alpha = _merged(rng, parents, arithmetic, DType.F32)
    return Case((suspect, *parents), f"{alpha} {arithmetic.name}", alpha=alpha)


@kind(80, "positive", "merge")
def narrow_merge(rng: Rng) -> Case:
    """Parents in 16 bits, the merge rounded once to the same 16 bits."""
    (dtype, parents), arithmetic = honest(rng), _pick(rng, FLOAT32)
    suspect, alpha = _merged(rng, parents, arithmetic, dtype)
    return Case((suspect, *parents), f"{alpha} {arithmetic.name} {dtype}", alpha=alpha)


@kind(80, "positive", "merge")
def narrow_merge_saved_as_f32(rng: Rng) -> Case:
    """The same, re-saved as F32: 16-bit values in an F32 file, and so the parents', or theirs as they were."""
    (dtype, parents), arithmetic = honest(rng), _pick(rng, FLOAT32)
    suspect, alpha = _merged(rng, parents, arithmetic, dtype)
    parents = in_f32(parents) if rng.random() < 0.6 else parents
    return Case((cast(suspect, DType.F32), *parents), f"{alpha} {arithmetic.name} {dtype}", alpha=alpha)


@kind(60, "positive", "merge", "on-line")
def full_precision_parents_rounded(rng: Rng) -> Case:
    """Parents with full F32 values; the merge rounded to 16 bits, in a file of those or re-saved as F32."""
    parents, arithmetic = family(rng, low=1e-4, dtype=DType.F32), _pick(rng, FLOAT32)
    narrow = FORMATS[int(rng.integers(2))]
    suspect, alpha = _merged(rng, parents, arithmetic, narrow)
    if rng.random() < 0.5:
        suspect = cast(suspect, DType.F32)
    return Case((suspect, *parents), f"{alpha} {arithmetic.name} {narrow}", alpha=alpha)


@kind(60, "positive", "merge", "on-line")
def one_parent_of_full_precision(rng: Rng) -> Case:
    """One parent has full F32 values, the other 16-bit ones; the merge is stored in F32 or in the 16 bits."""
    finetune, base = family(rng, low=1e-4, dtype=DType.F32)
    narrow, arithmetic = FORMATS[int(rng.integers(2))], _pick(rng, FLOAT32)
    rounded = cast(cast(base, narrow), DType.F32)
    parents = [finetune, rounded] if rng.random() < 0.5 else [rounded, finetune]
    suspect, alpha = _merged(rng, parents, arithmetic, DType.F32 if rng.random() < 0.5 else narrow)
    return Case((suspect, *parents), f"{alpha} {arithmetic.name} {narrow}", alpha=alpha)


@kind(120, "positive", "merge")
def stepwise_merge(rng: Rng) -> Case:
    """Weights, products and sums each rounded to 16 bits, ratios 0.1 to 0.9; the interval should contain them."""
    dtype, parents = honest(rng)
    arithmetic, alpha = _pick(rng, STEPWISE), tenth(rng)
    suspect = merge(parents, [alpha, 1 - alpha], arithmetic)
    return Case((suspect, *parents), f"{alpha} {arithmetic.name} {dtype}", alpha=alpha)


@kind(60, "positive", "merge")
def stepwise_merge_saved_as_f32(rng: Rng) -> Case:
    """The same, re-saved as F32 with its parents."""
    dtype, parents = honest(rng)
    arithmetic, alpha = _pick(rng, STEPWISE), tenth(rng)
    suspect = merge(parents, [alpha, 1 - alpha], arithmetic)
    return Case(tuple(in_f32([suspect, *parents])), f"{alpha} {arithmetic.name} {dtype}", alpha=alpha)


@kind(60, "positive", "merge")
def merge_by_hand_in_torch(rng: Rng) -> Case:
    """A tensor times a Python number in torch, which rounds every step and not the weights; two or three parents."""
    dtype, parents = honest(rng, 1 + int(rng.integers(2)))
    arithmetic, alpha = _pick(rng, TORCH), tenth(rng)
    weights = [alpha, round(1 - alpha, 1)] if len(parents) == 2 else [0.5, 0.3, 0.2]
    return Case((merge(parents, weights, arithmetic), *parents), f"{weights} {arithmetic.name} {dtype}")


@kind(60, "positive", "merge")
def full_precision_three_parents(rng: Rng) -> Case:
    """Two finetunes and their base with full F32 or 16-bit values in F32 files, merged in F32."""
    models = family(rng, 2, 1e-4, DType.F32) if rng.random() < 0.5 else in_f32(honest(rng, 2)[1])
    first, second = (int(share) / 20 for share in rng.integers(2, 9, 2))
    weights = [first, second, round(1 - first - second, 2)]
    arithmetic = _pick(rng, FLOAT32[:5])
    return Case((merge(models, weights, arithmetic, DType.F32), *models), f"{weights} {arithmetic.name}")


@kind(40, "positive", "merge")
def full_precision_by_layer(rng: Rng) -> Case:
    """A ratio for every layer, merged in F32 from full F32 or 16-bit values."""
    parents = family(rng, 1, 2e-4, DType.F32) if rng.random() < 0.5 else in_f32(honest(rng, low=2e-4)[1])
    steps = [round(float(step), 2) for step in np.linspace(0.2, 0.8, 5)]

    def weights(name: str) -> Sequence[float]:
        layer = layer_of(name)
        alpha = 0.5 if layer is None else steps[layer]
        return (alpha, 1 - alpha)

    return Case((merge(parents, weights, dtype=DType.F32), *parents))


@kind(40, "positive", "merge")
def full_precision_close_parents(rng: Rng) -> Case:
    """Parents 2e-6 to 1e-4 apart in F32: far above its rounding, far below that of 16 bits."""
    base = family(rng, dtype=DType.F32)[-1]
    parents = [apply(base, change(base, rng, float(10 ** rng.uniform(-5.7, -4)))), base]
    arithmetic = _pick(rng, FLOAT32)
    suspect, alpha = _merged(rng, parents, arithmetic, DType.F32)
    return Case((suspect, *parents), f"{alpha} {arithmetic.name}", alpha=alpha)
