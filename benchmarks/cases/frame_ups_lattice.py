"""Frame-ups that use the lattice of 16-bit values: picked steps, parents set around the suspect, finer twins.

The suspect is honest or, where it picks steps of P, no linear mixture: "merge" is false in each case.
"""

from __future__ import annotations

import numpy as np

from benchmarks.cases.frame_ups import ALLOWED
from benchmarks.cases.kinds import Case, kind
from benchmarks.cases.making import family, log_uniform
from benchmarks.cases.planting import dressed, honest, in_f32, moved, narrow
from modelprov.checkpoints.formats.dtypes import DType
from modelprov.demo.writing import Weights
from tests.generated import Rng


def _steps(rng: Rng, of: Weights, most: int, changed: float) -> dict[str, np.ndarray]:
    """Whole steps between -most and most in a share of the elements."""
    made = {}
    for name, (values, _) in of.items():
        size = rng.integers(1, most + 1, values.shape) * np.where(rng.random(values.shape) < 0.5, 1, -1)
        made[name] = np.where(rng.random(values.shape) < changed, size, 0)
    return made


def _stepped(of: Weights, steps: dict[str, np.ndarray], dtype: DType) -> Weights:
    return {name: (moved(values, steps[name], dtype), kept) for name, (values, kept) in of.items()}


@kind(100, "negative", *ALLOWED)
def picked_single_steps(rng: Rng) -> Case:
    """P differs from B by one step of the format; S took 10 to 90 % of P's changes, at random.

    At a half every change is a tie and both closed cells hold it. A merge rounds ties to even; S picked at random.
    """
    dtype = narrow(rng)
    base = family(rng, dtype=dtype)[-1]
    steps = _steps(rng, base, 1, float(rng.uniform(0.1, 0.9)))
    share = 0.5 if rng.random() < 0.5 else float(rng.uniform(0.1, 0.9))
    taken = {name: np.where(rng.random(step.shape) < share, step, 0) for name, step in steps.items()}
    models = [_stepped(base, taken, dtype), _stepped(base, steps, dtype), base]
    return Case(tuple(in_f32(models) if rng.random() < 0.25 else models), f"{dtype} {share:.2f}")


@kind(80, "negative", *ALLOWED)
def picked_few_steps(rng: Rng) -> Case:
    """P differs from B by up to 2 to 6 steps; S took part of each change: half of them or all anyhow, else a half.

    Half of each change with odd ones broken at random is no pick: see `halved_with_ties_at_random`.
    """
    return _part_of_steps(rng, float(rng.choice([0.5, 1.0])))


@kind(40, "limit", "inconclusive", "merge", "on-line", never=frozenset({"copy", "unrelated"}))
def halved_with_ties_at_random(rng: Rng) -> Case:
    """S took half of each change of P, and of odd ones the step below or above at random.

    That is the mean of P and B, rounded as no program rounds: a merge with a little noise leaves the same bits.
    """
    return _part_of_steps(rng, 0.0)


def _part_of_steps(rng: Rng, astray: float) -> Case:
    """S took half of each change, and of a share `astray` of them between none and all of their steps."""
    dtype = narrow(rng)
    base = family(rng, dtype=dtype)[-1]
    steps = _steps(rng, base, int(rng.integers(2, 7)), float(rng.uniform(0.3, 1.0)))
    taken = {}
    for name, step in steps.items():
        half = np.floor(step / 2 + np.where(rng.random(step.shape) < 0.5, 0.0, 0.5)).astype(np.int64)
        anyhow = np.sign(step) * np.floor(rng.random(step.shape) * (np.abs(step) + 1)).astype(np.int64)
        taken[name] = np.where(rng.random(step.shape) < astray, anyhow, half)
    return Case((_stepped(base, taken, dtype), _stepped(base, steps, dtype), base), f"{dtype} astray {astray}")


@kind(80, "negative", *ALLOWED)
def parents_set_around_the_suspect(rng: Rng) -> Case:
    """Both parents were made from S: S + a d and S - b d with d in whole steps of the lattice, in 16 bits.

    The mixture falls on S without any rounding in each element, which no honest parents would do.
    """
    dtype = narrow(rng)
    suspect, base = family(rng, dtype=dtype)
    a, b = ((1, 1), (2, 1), (3, 1), (3, 2))[int(rng.integers(4))]
    steps = _steps(rng, suspect, int(rng.integers(1, 9)), 0.9)
    over = _stepped(suspect, {name: a * step for name, step in steps.items()}, dtype)
    under = _stepped(suspect, {name: -b * step for name, step in steps.items()}, dtype)
    models = [suspect, over, under, base] if rng.random() < 0.3 else [suspect, over, under]
    return Case(tuple(in_f32(models) if rng.random() < 0.25 else models), f"{dtype} {b}:{a}")


@kind(60, "negative", *ALLOWED)
def parents_set_around_in_f32(rng: Rng) -> Case:
    """Both parents were made from S in F32: S + a d and S - b d, where d is any direction."""
    _, (suspect, other) = honest(rng)
    a, b = float(rng.choice([1.0, 0.5, 2.0, 1.5])), float(rng.choice([1.0, 0.5, 0.3]))
    over, under = ({}, {})
    for name, (values, _) in suspect.items():
        toward = values - other[name][0] if rng.random() < 0.5 else 1e-4 * rng.standard_normal(values.shape)
        over[name] = (values + a * toward).astype(np.float32), DType.F32
        under[name] = (values - b * toward).astype(np.float32), DType.F32
    suspect = in_f32([suspect])[0] if rng.random() < 0.5 else suspect
    return Case((suspect, over, under), f"{b}:{a}")


@kind(60, "limit", "inconclusive", "copy", "same-origin", never=frozenset({"merge"}))
def finer_twin_of_the_suspect(rng: Rng) -> Case:
    """P is S with other low digits in F32: rounded, P is S. Which came first is open; a merge is false."""
    dtype, (suspect, base) = honest(rng)
    share = log_uniform(rng, 1e-3, 0.2) if rng.random() < 0.5 else 1.0
    return Case((suspect, dressed(suspect, dtype, rng, share, uniform=share == 1.0), base), f"{share:.2g} of the cell")
