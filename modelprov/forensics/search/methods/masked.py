"""What one tensor says of a random mask: which models took part in which element, in what share, with what factor.

The mask is the only unknown: where model i alone was kept, v = w_i r_i u_i, with r_i the enlargement, which the mask
itself fixes in every tensor (the L1 norm of all over that of the kept). Judges nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.forensics.search.methods.subsets import Mask, Taken, Vectors, taken
from modelprov.forensics.search.methods.whole import Whole
from modelprov.forensics.thresholds import MASKED, VOTED

LEAST = 200  # changed elements that tell, below which a tensor says nothing


@dataclass(frozen=True, eq=False)
class Masked:
    """What one tensor says, by model, float64 [m]: factors, weights, kept shares, slopes; and counts of elements.

    Elements that tell are larger than others, and of DELLA are kept more often for that: `by_rank` are kept shares and
    weights (two rows) with that taken out, by the slope. `ratios` are w_0 / (w_0 + w_j) where sums were divided by the
    weights that took part. Of so many elements of opposite signs `both` took part, `expected` by chance. `counted`
    elements stand behind shares and slopes. Of the `told` elements `explained` are what a program that rounds every
    step may have made of some mask.
    """

    factors: Float64
    weights: Float64
    ratios: Float64 | None
    kept: Float64
    slopes: Float64
    by_rank: Float64
    spread: Float64
    both: int
    expected: float
    told: int
    explained: int
    counted: int


@dataclass(frozen=True, eq=False)
class Unmasked:
    """The k elements `which` (indices) of a tensor that tell who took part: `weights` [m, k] of the models' changes.

    `change` [k] is their sum, what was added to the base before any rounding.
    """

    which: npt.NDArray[np.int64]
    weights: Float64
    change: Float64


def unmasked(whole: Whole, base: int, models: tuple[int, ...]) -> Unmasked | None:
    """What each element took of each model, where that can be told; None where no mask explains the tensor."""
    explained = explained_by(whole, base, models)
    if explained is None:
        return None
    vectors, factors, ratios, seen = explained
    kept, which = seen.kept
    places = np.flatnonzero(which)[kept.any(axis=0)]
    took = kept[:, kept.any(axis=0)].astype(np.float64)
    if ratios is not None:
        took = took * _divided(ratios)[:, None]
        took = took / took.sum(axis=0)
    weights = took * factors[:, None]
    return Unmasked(places, weights, np.asarray((weights * vectors.models[:, places]).sum(axis=0), np.float64))


def _divided(ratios: Float64) -> Float64:
    """Weights, the first 1, of models whose sums are divided by those that took part."""
    return np.concatenate([[1.0], (1 - ratios) / np.maximum(ratios, 1e-9)])


def explained_by(
    whole: Whole, base: int, models: tuple[int, ...]
) -> tuple[Vectors, Float64, Float64 | None, Taken] | None:
    """Differences, factors, shares where sums were divided, and who took part; None where no mask explains it."""
    vectors = Vectors.of([whole], base, models)
    found = [one for place in range(len(models)) if (one := vectors.factor(place, closely=True)) is not None]
    if len(found) < len(models):
        return None
    factors = np.array([one.value for one in found])
    seen, ratios = taken(vectors, factors), None
    if seen.explained < MASKED and len(models) > 1:
        scaled = Vectors(vectors.value, factors[:, None] * vectors.models, vectors.half, vectors.rough)
        shares = [one for other in range(1, len(models)) if (one := scaled.shares(0, other, 1.0)) is not None]
        if len(shares) < len(models) - 1:
            return None
        ratios = np.array([one.value for one in shares])
        divided = taken(vectors, factors, _divided(ratios))
        seen, ratios = (divided, ratios) if divided.explained > seen.explained else (seen, None)
    changed = seen.told & ~vectors.zero
    if changed.sum() < LEAST or seen.explained < 1 - 4 * (1 - MASKED):
        return None
    return vectors, factors, ratios, seen


def masked(whole: Whole, base: int, models: tuple[int, ...]) -> Masked | None:
    """What a tensor says, or None where too few of its elements tell, or no mask explains them."""
    explained = explained_by(whole, base, models)
    if explained is None:
        return None
    vectors, factors, ratios, seen = explained
    changed = seen.told & ~vectors.zero
    kept, which = seen.kept
    signs = np.sign(vectors.models[:, which])
    opposite = (signs != signs[0]).any(axis=0)
    chance = float(np.prod(kept[:, ~opposite].mean(axis=1))) if (~opposite).any() else 0.0
    both = int(kept[:, opposite].all(axis=0).sum())
    expected = chance * int(opposite.sum())
    vote = len(models) > 1 and both < VOTED * max(expected, chance)
    # who lost a vote was kept all the same: then shares are counted where all point the same way
    counted = ~opposite if vote else np.ones(len(opposite), bool)
    if counted.sum() < LEAST // 4:
        return None
    sizes = np.abs(vectors.models[:, which])[:, counted]
    enlarged = sizes.sum(axis=1) / np.maximum((sizes * kept[:, counted]).sum(axis=1), 1e-300)
    places = np.flatnonzero(which)[counted]
    ranks = [_by_rank(whole, own, kept[model, counted], places) for model, own in enumerate(vectors.models)]
    slopes, densities, wholly, spread = (np.array(part) for part in zip(*ranks, strict=True))
    return Masked(
        factors, factors / enlarged, ratios, kept[:, counted].mean(axis=1), slopes,
        np.stack([densities, factors / wholly]), spread, both, expected, int(changed.sum()),
        int((seen.fits.any(axis=0) & changed).sum()), int(counted.sum()),
    )  # fmt: skip


def _by_rank(whole: Whole, model: Float64, kept: Mask, places: npt.NDArray[np.int64]) -> tuple[float, ...]:
    """Slope, density, enlargement and its relative error; `kept` says what became of the elements at `places`.

    The slope is half of how much more often the largest change of a row is kept than its smallest. What became of the
    other elements is what their ranks make of it.
    """
    sizes = np.abs(model).reshape((-1, whole.shape[-1]) if len(whole.shape) > 1 else (1, -1))
    ranks = np.argsort(np.argsort(sizes, axis=1), axis=1).ravel() / max(sizes.shape[1] - 1, 1)
    there = ranks[places]
    spread = float(np.var(there))
    slope = float(np.mean((there - there.mean()) * kept)) / spread / 2 if spread else 0.0
    density = float(kept.mean()) - slope * float(2 * there.mean() - 1)
    expected = np.clip(density + slope * (2 * ranks - 1), 0, 1)
    expected[places] = kept
    left = float(sizes.ravel() @ expected)
    chance = np.square(sizes.ravel()) * expected * (1 - expected)  # of what was told nothing is left to chance
    return slope, density, float(sizes.sum()) / max(left, 1e-300), float(np.sqrt(chance.sum())) / max(left, 1e-300)


def shuffled(whole: Whole, base: int, models: tuple[int, ...], found: Sequence[Masked]) -> float:
    """The share of the changed elements that is explained after they were shuffled: what chance gives."""
    vectors = Vectors.of([whole], base, models)
    value = vectors.value.copy()
    places = np.flatnonzero(~vectors.zero)
    value[places] = np.random.default_rng(0).permutation(value[places])
    mixed = Vectors(value, vectors.models, vectors.half, vectors.rough)
    seen = taken(mixed, found[0].factors)
    changed = seen.told & ~mixed.zero
    return float(seen.fits[:, changed].any(axis=0).mean()) if changed.any() else 0.0
