"""Frame-ups by a method that is no weighted sum: the alleged parent was computed so that the method gives the suspect.

S is an honest bf16 finetune of B. Each planted file holds finer numbers than S, in F32; B alone is real, or neither is.
Before its last rounding the method's result lies on S itself, where a real merge falls anywhere in S's cells.
"""

from __future__ import annotations

import numpy as np

from benchmarks.cases.frame_ups import ALLOWED
from benchmarks.cases.kinds import Case, kind
from modelprov.checkpoints.formats.dtypes import DType
from modelprov.demo.writing import Float32, Weights
from tests.generated import Rng, Size, apply, change, model

SIZE = Size(3, 48, 96, 200)


def _honest(rng: Rng, distance: float) -> tuple[Weights, Weights]:
    base = model(rng, SIZE, DType.BF16)
    return apply(base, change(base, rng, distance)), base


def on_the_arc(suspect: Weights, base: Weights) -> Weights:
    """Per matrix the point as far beyond the suspect, seen from the base on the great circle, as the suspect is."""
    made: Weights = {}
    for name, (values, _) in base.items():
        origin, middle = values.astype(np.float64), suspect[name][0].astype(np.float64)
        angle, planted = 0.3, origin
        for _ in range(100 if values.ndim == 2 else 0):
            planted = 2 * np.cos(angle / 2) * middle - origin
            lengths = np.sqrt(np.square(origin).sum() * np.square(planted).sum())
            angle = float(np.arccos(np.clip((origin * planted).sum() / lengths, -1, 1)))
        made[name] = planted.astype(np.float32), DType.F32
    return made


def near_and_far(suspect: Weights, rng: Rng, t: float) -> tuple[Weights, Weights]:
    """An alleged base at the distance `t` from every element, to either side, and another model beyond the suspect."""
    near: Weights = {}
    far: Weights = {}
    for name, (values, _) in suspect.items():
        side = np.sign(rng.standard_normal(values.shape)).astype(np.float32)
        beside = (values - np.float32(t) * side).astype(np.float32)
        beyond = np.float32(t) + np.abs(t / 2 * rng.standard_normal(values.shape)).astype(np.float32)
        near[name] = (beside if values.ndim == 2 else values), DType.F32
        far[name] = (beside + side * beyond if values.ndim == 2 else values).astype(np.float32), DType.F32
    return near, far


def thinned_out(rng: Rng) -> tuple[Weights, Weights, Weights]:
    """An honest finetune that moved two fifths of the weights, a model whose thinned change it is, and the base."""
    base = model(rng, SIZE, DType.BF16)

    def sparse(values: Float32) -> Float32:
        return np.where(rng.random(values.shape) < 0.4, values, np.float32(0)) if values.ndim == 2 else 0 * values

    suspect = apply(base, {name: sparse(values) for name, values in change(base, rng, 1.2e-3, 0.0, 0.2).items()})
    planted: Weights = {}
    for name, (values, _) in base.items():
        moved = suspect[name][0] - values
        kept = moved != 0
        if kept.any():
            whole = np.where(kept, moved, rng.choice(moved[kept], moved.shape))
            moved = whole * (np.abs(moved).sum() / np.abs(whole).sum())
        planted[name] = (values + moved).astype(np.float32), DType.F32
    return suspect, planted, base


@kind(30, "negative", *ALLOWED)
def planted_on_the_arc(rng: Rng) -> Case:
    """SLERP of P on B at 0.5 gives S, a finetune that went far enough for the arc to be no line."""
    suspect, base = _honest(rng, float(rng.uniform(2e-3, 8e-3)))
    return Case((suspect, on_the_arc(suspect, base), base))


@kind(30, "negative", *ALLOWED)
def planted_near_and_far(rng: Rng) -> Case:
    """NearSwap of P on Q gives S; both were made from it."""
    suspect, _ = _honest(rng, 3e-3)
    t = float(rng.choice([1e-3, 5e-4, 2e-3]))
    near, far = near_and_far(suspect, rng, t)
    return Case((suspect, far, near), f"t {t}")


@kind(30, "negative", *ALLOWED)
def planted_thinned_out(rng: Rng) -> Case:
    """DARE of P on B gives S where it moved, by some mask; elsewhere P holds changes of the same sizes."""
    return Case(thinned_out(rng))
