"""Really trained relatives: learning rates, adapters, averages, stages, siblings, strangers. Trained by `trained_pool`.

Not part of the calibration's own list: the pool differs from machine to machine. Run
`python -m benchmarks.trained_pool` once, then `python -m benchmarks.calibration --kinds trained`. A case draws models
of the pool, and a format.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.cases import coordinates
from benchmarks.cases.coordinates import disguised
from benchmarks.cases.disguises import CAREFUL
from benchmarks.cases.headlines import ORDER
from benchmarks.cases.kinds import ACCUSATIONS, Case, kind
from benchmarks.cases.making import FORMATS, ratio
from benchmarks.cases.planting import beyond, in_f32, mixture
from benchmarks.trained_pool import MERGED, RATES, SCALES, SEEDS, SHAPE, STAGES, TRAINED, load
from modelprov.checkpoints.formats.dtypes import DType, store
from modelprov.demo.writing import Weights
from tests.generated import Rng, merge

BASE = "base 0"
FINETUNES = ("rate 1.0", "run", *(f"sibling {number}" for number in range(6)))
OPEN = ("on-line", "same-origin", "inconclusive")
FALSE = frozenset({"copy"})


def pooled(name: str, dtype: DType) -> Weights:
    """A model of the pool as a format stores it."""
    return {key: (store(values, dtype), dtype) for key, values in load()[name].items()}


def any_format(rng: Rng) -> DType:
    """bf16 mostly."""
    return FORMATS[int(rng.choice(3, p=[0.6, 0.15, 0.25]))]


def two(rng: Rng, among: Sequence[object]) -> list[str]:
    """Two different ones."""
    return [str(among[place]) for place in rng.choice(len(among), 2, replace=False)]


def _case(rng: Rng, *names: str) -> Case:
    dtype = any_format(rng)
    return Case(tuple(pooled(name, dtype) for name in names), f"{' | '.join(names)} {dtype}")


@kind(60, "limit", *OPEN)
def trained_at_other_rates(rng: Rng) -> Case:
    """Two runs on the same data in the same order from the same base, with other learning rates: nothing was merged."""
    first, second = two(rng, RATES)
    base = [BASE] if rng.random() < 0.8 else []
    return _case(rng, f"rate {first}", f"rate {second}", *base)


@kind(60, "limit", *OPEN)
def trained_stages(rng: Rng) -> Case:
    """A stage of a run, its end, and the base; or the end between a stage and the base."""
    names = [*(f"run at {stage}" for stage in STAGES), "run"]
    return _case(rng, *two(rng, names), BASE)


@kind(60, "negative", "same-origin", "inconclusive", unsaid=ORDER)
def trained_siblings(rng: Rng) -> Case:
    """Finetunes of one base with other seeds, on the same data, on half of it or on other data; in any role."""
    first, second = two(rng, FINETUNES)
    return _case(rng, first, second, *([BASE] if rng.random() < 0.8 else []))


@kind(40, "negative", "same-origin", "inconclusive")
def trained_third_siblings(rng: Rng) -> Case:
    """A finetune beside two siblings and the base."""
    first, second, third = (FINETUNES[place] for place in rng.choice(len(FINETUNES), 3, replace=False))
    return _case(rng, first, second, third, BASE)


@kind(40, "negative", "same-origin", "inconclusive", "on-line")
def trained_further(rng: Rng) -> Case:
    """The parent trained on, on other data, at a third of the rate."""
    return _case(rng, "further", "rate 1.0", BASE)


@kind(40, "limit", *OPEN, "merge", never=FALSE)
def adapter_at_two_scales(rng: Rng) -> Case:
    """One adapter at two scales: a point of the line to the base by another act than a merge."""
    first, second = two(rng, SCALES)
    return _case(rng, f"adapter {first}", f"adapter {second}", BASE)


def _average(names: Sequence[str], dtype: DType) -> Weights:
    models = [(1 / len(names), {key: (values, DType.F32) for key, values in load()[name].items()}) for name in names]
    return mixture(models, dtype)


@kind(40, "limit", *OPEN)
def average_of_a_run(rng: Rng) -> Case:
    """The average of a run's last checkpoints, of which the end alone is given, and the base."""
    dtype, last = any_format(rng), int(rng.integers(3, 7))
    names = [f"run at {stage}" for stage in STAGES[-last + 1 :]] + ["run"]
    return Case((_average(names, dtype), pooled("run", dtype), pooled(BASE, dtype)), f"{last} {dtype}")


@kind(40, "positive", "merge")
def average_of_stages_given(rng: Rng) -> Case:
    """The average of two or three stored stages of a run, all of which are given: that is a merge."""
    dtype, count = any_format(rng), int(rng.integers(2, 4))
    names = [f"run at {stage}" for stage in sorted(rng.choice(STAGES, count, replace=False))]
    stages = [pooled(name, dtype) for name in names]
    return Case((merge(stages, [1 / count] * count), *stages), f"{' | '.join(names)} {dtype}")


@kind(60, "positive", "merge")
def merge_of_trained(rng: Rng) -> Case:
    """An exact merge of two finetunes, or of one and the base."""
    first, second = two(rng, FINETUNES)
    if rng.random() < 0.5:
        second = BASE
    dtype, alpha = any_format(rng), ratio(rng, 0.2, 0.8)
    parents = [pooled(first, dtype), pooled(second, dtype)]
    return Case((merge(parents, [alpha, 1 - alpha]), *parents), f"{first} | {second} {alpha} {dtype}", alpha=alpha)


@kind(40, "positive", "on-line", "inconclusive", never=frozenset({"unrelated", "copy", "same-origin"}))
def merge_of_trained_then_trained(rng: Rng) -> Case:
    """0.6 and 0.4 of two finetunes of the base, rounded to bf16, then 3, 10 or 40 steps of real training."""
    steps = int(rng.choice(TRAINED))
    case = _case(rng, f"merge trained {steps}", "rate 1.0", "sibling 4")
    return Case(case.models, f"{MERGED} {case.about}")


@kind(60, "negative", "unrelated")
def trained_strangers(rng: Rng) -> Case:
    """Independent trainings on the same data: other seeds and order; with a finetune of the parent or without."""
    first, second = two(rng, SEEDS)
    if "0" in (first, second) and rng.random() < 0.5:
        own = str(rng.choice(FINETUNES))
        return _case(rng, f"base {first if second == '0' else second}", own, BASE)
    if "1" in (first, second) and rng.random() < 0.5:
        return _case(rng, "finetune of base 1", f"base {first if second == '1' else second}")
    return _case(rng, f"base {first}", f"base {second}")


@kind(60, "positive", *CAREFUL)
def trained_in_other_coordinates(rng: Rng) -> Case:
    """A finetune, or a copy of one, disguised in all orders or rotated; against its origin."""
    name, dtype = str(rng.choice(FINETUNES)), any_format(rng)
    orders = (coordinates.permute_heads, coordinates.permute_units, coordinates.permute_residual_with_signs)
    turned = (coordinates.rotate_residual, coordinates.permute_units)
    steps = (orders, turned, (coordinates.permute_residual,))[int(rng.integers(3))]
    suspect = disguised(pooled(name, dtype), SHAPE, rng, steps)
    parents = (pooled(BASE, dtype),) if rng.random() < 0.5 else (pooled(name, dtype), pooled(BASE, dtype))
    about = f"{name} against {len(parents)}, {steps[-1].__name__} {dtype}"
    return Case((suspect, *parents), about, never=ACCUSATIONS - {"copy"})


@kind(60, "negative", *OPEN)
def planted_beyond_trained(rng: Rng) -> Case:
    """P = w S + (1 - w) B in F32 of a really trained S with bf16 values, in F32 files or in its own."""
    suspect, base = pooled(str(rng.choice(FINETUNES)), DType.BF16), pooled(BASE, DType.BF16)
    w = beyond(rng)
    if rng.random() < 0.5:
        suspect, base = in_f32([suspect, base])
    return Case((suspect, mixture([(w, suspect), (1 - w, base)], DType.F32), base), f"w {w:.3f}")


@kind(40, "negative", *OPEN)
def base_of_trained_and_negated_vector(rng: Rng) -> Case:
    """The base accused with a really trained finetune F and B - t (F - B)."""
    dtype, t = any_format(rng), float(np.round(rng.uniform(0.2, 2), 2))
    finetune, base = pooled(str(rng.choice(FINETUNES)), dtype), pooled(BASE, dtype)
    stored = DType.F32 if rng.random() < 0.5 else dtype
    return Case((base, finetune, mixture([(1 + t, base), (-t, finetune)], stored)), f"t {t} {dtype} {stored}")
