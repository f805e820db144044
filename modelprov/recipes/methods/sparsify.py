"""Which elements of a task vector are kept: the sparsifiers of the task-vector methods. They mask, nothing else.

Every function takes a flat task vector [n] and gives a boolean mask [n]. Equal sizes at the cut: the earlier element
is kept, except in the presets where torch is installed, whose unstable sort decides there (`torch_steps`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from modelprov.errors import UsageError
from modelprov.recipes.methods.steps import Mask, Real, Steps


def magnitude(delta: Real, density: float, step: Steps) -> Mask:
    """The share `density` (rounded down) of the largest changes: TIES (Yadav et al. 2023, arXiv 2306.01708)."""
    return step.largest(np.abs(delta), int(_share(density, "density") * len(delta)))


def without_outliers(delta: Real, density: float, gamma: float, step: Steps) -> Mask:
    """The share `density` after the largest share `gamma` is dropped: breadcrumbs (Davari & Belilovsky 2024).

    With density 1 nothing is dropped, outliers neither, as measured in mergekit.
    """
    if density >= 1:
        return np.ones(len(delta), np.bool_)
    sizes = np.abs(delta)
    dropped = int(_share(gamma, "gamma") * len(delta))
    kept = int(_share(density, "density") * len(delta))
    return step.between(sizes, dropped, kept)


def bernoulli(delta: Real, density: float, rng: np.random.Generator) -> Mask:
    """Each element kept with probability `density`: DARE (Yu et al. 2024, arXiv 2311.03099)."""
    if _share(density, "density") >= 1:
        return np.ones(len(delta), np.bool_)
    return rng.random(len(delta), np.float32) < np.float32(density)


def by_rank(delta: Real, shape: tuple[int, ...], density: float, epsilon: float, rng: np.random.Generator) -> Mask:
    """Each element kept with a probability that grows with its rank in its row: DELLA (Deep et al. 2024, 2406.11617).

    The smallest change of a row is kept with probability `density - epsilon`, the largest with `density + epsilon`.
    """
    if _share(density, "density") >= 1:
        return np.ones(len(delta), np.bool_)
    if doubt := rank_doubt(density, epsilon):
        raise UsageError(doubt, "Correct the recipe.")
    kept: Mask = rng.random(len(delta), np.float32) < rank_chances(delta, shape, density, epsilon)
    return kept


def rank_chances(delta: Real, shape: tuple[int, ...], density: float, epsilon: float) -> Real:
    """The probability [n] of each element of whole rows of a tensor of this shape to be kept by `by_rank`."""
    rows = np.abs(delta).reshape(-1, shape[-1]) if len(shape) > 1 else np.abs(delta).reshape(1, -1)
    order = np.argsort(rows, axis=-1, kind="stable")
    ranks = np.empty(rows.shape, np.float32)
    last = max(rows.shape[-1] - 1, 1)
    np.put_along_axis(ranks, order, np.arange(rows.shape[-1], dtype=np.float32)[None] / np.float32(last), -1)
    chance: Real = np.float32(density - epsilon) + np.float32(2 * epsilon) * ranks
    return chance.ravel()


def rank_doubt(density: float, epsilon: float) -> str:
    """What is wrong with the two parameters of `by_rank` together, "" for nothing."""
    if density - epsilon > 0 and density + epsilon < 1:
        return ""
    return (
        f"density {density:g} with epsilon {epsilon:g} gives probabilities outside 0 to 1: epsilon has to be smaller "
        "than density and than 1 - density"
    )


def rescaled(delta: Real, mask: Mask, step: Steps) -> Real:
    """The kept elements, enlarged so that their sizes add up to those of all (the L1 norm, not 1 / density)."""
    kept = step(np.where(mask, delta, 0))
    before, after = (float(np.abs(one).sum(dtype=np.float64)) for one in (delta, kept))
    return enlarged(kept, before, after, step)


def enlarged(kept: Real, before: float, after: float, step: Steps) -> Real:
    """What was kept of sizes that added up to `before`, enlarged from the `after` that is left of them."""
    return step(kept * step.exact(enlargement(before, after)))


def enlargement(before: float, after: float) -> float:
    """The factor that does it; 1 where nothing is left."""
    return before / after if after > 0 else 1.0


def _share(value: Any, name: str) -> float:
    share = float(value)
    if not 0 <= share <= 1:
        raise UsageError(f"{name} is {share:g}, not a share between 0 and 1", f"Give {name} as a number from 0 to 1.")
    return share
