"""Frame-ups by a method that picks: every number of the suspect is a parent's, and a parent was set around that.

S is an honest finetune of B that moved some weights and not others. P holds S's numbers where S moved, and where it did
not, changes that the method drops. All files may be of 16 bits: a number that is taken over has no place in a rounding
cell, so nothing in it tells who came first. That P was trained on from S, a little and elsewhere, looks the same.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from benchmarks.cases.frame_ups import ALLOWED
from benchmarks.cases.kinds import Case, kind
from benchmarks.cases.methods import merged
from modelprov.checkpoints.formats.dtypes import DType, store
from modelprov.demo.writing import Float32, Weights
from tests.generated import Rng, Size, apply, change, model

SIZE = Size(3, 48, 96, 200)
Float64 = npt.NDArray[np.float64]
Made = Callable[[Float64, Float64], Float64]


def _base(rng: Rng) -> Weights:
    return model(rng, SIZE, (DType.BF16, DType.F16, DType.F32)[int(rng.choice(3, p=[0.6, 0.2, 0.2]))])


def _moved(base: Weights, rng: Rng, low: float, high: float) -> tuple[Weights, Weights]:
    """The base trained in those elements of each matrix whose change is of a size between two ranks.

    And a model that has all changes, smaller ones still smaller, larger ones larger.
    """
    whole = apply(base, {n: c if c.ndim == 2 else 0 * c for n, c in change(base, rng, 1.5e-3, 0.0, 0.2).items()})
    part: Weights = {}
    wider: Weights = {}
    for name, (values, dtype) in base.items():
        sizes = np.abs(whole[name][0] - values).ravel()
        rank = np.argsort(np.argsort(sizes, kind="stable")).reshape(values.shape) / sizes.size
        part[name] = np.where((rank >= low) & (rank < high), whole[name][0], values), dtype
        times = np.where(rank < low, 0.5, np.where(rank < high, 1.0, 1.5)).astype(np.float32)
        wider[name] = store(values + times * (whole[name][0] - values), dtype), dtype
    return part, wider


def _set(suspect: Weights, base: Weights, moved: Made, still: Made) -> Weights:
    """What the first makes of base and change, float64 [n, m], where the suspect moved, and the second where not."""
    made: Weights = {}
    for name, (values, dtype) in base.items():
        origin, by = values.astype(np.float64), suspect[name][0].astype(np.float64) - values
        if not by.any():
            made[name] = values, dtype
            continue
        made[name] = store(np.where(by != 0, moved(origin, by), still(origin, by)).astype(np.float32), dtype), dtype
    return made


def _little(rng: Rng, share: float) -> Made:
    """Changes smaller than a share of the suspect's smallest."""
    return lambda origin, by: origin + rng.uniform(-share, share, by.shape) * np.abs(by[by != 0]).min()


def where_it_moved(rng: Rng) -> tuple[Weights, ...]:
    """TIES of P alone, at the density of what moved: the largest changes are S's."""
    base = _base(rng)
    suspect, _ = _moved(base, rng, 0.7, 1.0)
    return suspect, _set(suspect, base, lambda origin, by: origin + by, _little(rng, 0.4)), base


def beside_an_opposite(rng: Rng) -> tuple[Weights, ...]:
    """TIES of P and Q: Q's change points against S's wherever S moved, and is voted out."""
    base = _base(rng)
    suspect, _ = _moved(base, rng, 0.7, 1.0)
    planted = _set(suspect, base, lambda origin, by: origin + by, _little(rng, 0.4))
    against = _set(suspect, base, lambda origin, by: origin - by * rng.uniform(0.3, 0.6, by.shape), _little(rng, 0.4))
    return suspect, planted, against, base


def between_two_ranks(rng: Rng) -> tuple[Weights, ...]:
    """Breadcrumbs of P: its largest and its smallest changes, which S has not, are dropped."""
    base = _base(rng)
    suspect, wider = _moved(base, rng, 0.29, 0.99)
    return suspect, wider, base


def above_a_threshold(rng: Rng) -> tuple[Weights, ...]:
    """Arcee Fusion of P on B: S moved three elements in each row, far; P the others too, a little."""
    base = _base(rng)
    suspect: Weights = {}
    for name, (values, dtype) in base.items():
        far: Float32 = np.zeros_like(values)
        if values.ndim == 2:
            places = np.argsort(rng.random(values.shape), axis=1)[:, :3]
            sizes = rng.uniform(6e-3, 7e-3, places.shape) * rng.choice([-1, 1], places.shape)
            np.put_along_axis(far, places, sizes.astype(np.float32), 1)
        suspect[name] = store(values + far, dtype), dtype

    def near(origin: Float64, by: Float64) -> Float64:
        return np.asarray(origin + 8e-4 * rng.beta(0.5, 0.5, by.shape) * rng.choice([-1, 1], by.shape), np.float64)

    return suspect, _set(suspect, base, lambda origin, by: origin + by, near), base


def beyond_a_step(rng: Rng) -> tuple[Weights, ...]:
    """NearSwap of P on B: S is one step of an optimiser that moves all weights as far; P goes on the same way."""
    base, t = _base(rng), float(rng.choice([1e-4, 2e-4, 5e-4]))
    moves = {n: np.sign(rng.standard_normal(v.shape)) if v.ndim == 2 else 0 * v for n, (v, _) in base.items()}
    suspect = apply(base, {name: (t * by).astype(np.float32) for name, by in moves.items()})
    planted = suspect
    for _ in range(6):  # where it does not give S's number by another one, S's own
        longer = {name: t * by * (1 + rng.exponential(1, by.shape)) for name, by in moves.items()}
        further = apply(base, {name: by.astype(np.float32) for name, by in longer.items()})
        given = merged("nearswap", [further], base, rng, options={"t": t})
        planted = {
            name: (np.where(given[name][0] == values, further[name][0], planted[name][0]), dtype)
            for name, (values, dtype) in suspect.items()
        }
    return suspect, planted, base


@kind(20, "negative", *ALLOWED)
def planted_where_it_moved(rng: Rng) -> Case:
    """TIES of P alone gives S."""
    return Case(where_it_moved(rng))


@kind(20, "negative", *ALLOWED)
def planted_beside_an_opposite(rng: Rng) -> Case:
    """TIES of P and Q gives S; both were made from it."""
    return Case(beside_an_opposite(rng))


@kind(20, "negative", *ALLOWED)
def planted_between_two_ranks(rng: Rng) -> Case:
    """Breadcrumbs of P gives S."""
    return Case(between_two_ranks(rng))


@kind(20, "negative", *ALLOWED)
def planted_above_a_threshold(rng: Rng) -> Case:
    """Arcee Fusion of P on B gives S."""
    return Case(above_a_threshold(rng))


@kind(20, "negative", *ALLOWED)
def planted_beyond_a_step(rng: Rng) -> Case:
    """NearSwap of P on B gives S."""
    return Case(beyond_a_step(rng))
