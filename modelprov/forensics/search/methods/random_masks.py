"""DARE and DELLA: task vectors of which chance kept a share of the elements, enlarged. Finds parameters; judges none.

The mask is the only unknown: where model i alone was kept, v = w_i r_i u_i, with r_i the enlargement, which the mask
itself fixes in every tensor (the L1 norm of all over that of the kept). So w_i is the same in all tensors though the
factor w_i r_i is not; that, and a kept share that does not hang on the size of a change (DARE) or grows with its rank
in its row (DELLA), is what tells these methods from picked elements, which have the factor 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.forensics.search.methods.subsets import SINGLE, Factor, Mask, Taken, Vectors, taken
from modelprov.forensics.search.methods.voted import roles, typed
from modelprov.forensics.search.methods.whole import Whole
from modelprov.forensics.thresholds import ENLARGED, IMPROBABLE, MASKED, RANKED, STEADY, STEPPED, TAKEN, VOTED

LEAST = 200  # changed elements that tell, below which a tensor says nothing
TENSORS = 3  # that have to say the same
ENOUGH = 20_000  # elements of a tensor that must say something, for the others to be looked at
DEVIATIONS = 6  # standard errors that a weight or a kept share of one tensor may be off


@dataclass(frozen=True, eq=False)
class Masked:
    """What one tensor says, by model, float64 [m]: factors, weights, kept shares, slopes; and counts of elements.

    Elements that tell are larger than others, and of DELLA are kept more often for that: `by_rank` are kept shares and
    weights (two rows) with that taken out, by the slope. `ratios` are w_0 / (w_0 + w_j) where sums were divided by the
    weights that took part. Of so many elements of opposite signs `both` took part, `expected` by chance. `counted`
    elements stand behind shares and slopes. Of the `told` elements `explained` are what a program that rounds every
    step may have made of some mask, and `plainly` so many what one rounding at the end makes of it.
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
    plainly: int
    counted: int


@dataclass(frozen=True)
class Thinned:
    """A method of random masks, with its parameters: weights, densities, epsilons by model.

    `explained` of the `told` elements, those that changed and tell who took part, are what some mask makes of them, in
    `tensors` tensors; `shuffled` is the share that chance explains.
    """

    method: str
    models: tuple[int, ...]
    base: int
    weights: tuple[float, ...]
    densities: tuple[float, ...]
    epsilons: tuple[float, ...] | None
    explained: int
    told: int
    tensors: int
    shuffled: float


def thinned(wholes: Callable[[], Iterable[Whole]], first: Whole) -> Thinned | None:
    """The random method that explains the tensors, or None."""
    for base, models in roles(first):
        if _masked(first, base, models) is None and first.elements > ENOUGH:
            continue
        found = [one for whole in wholes() if (one := _masked(whole, base, models)) is not None]
        if len(found) >= TENSORS and _claimed(found):
            return _named(found, models, base, _shuffled(first, base, models, found))
    return None


def _claimed(found: Sequence[Masked]) -> bool:
    seen = consistency(found)
    if (
        seen.plainly < MASKED and seen.explained < STEPPED
    ):  # what rounded steps allow, training with little of its own has
        return False
    if seen.enlarged < ENLARGED:  # the parents' own numbers: whoever picks elements leaves them too
        return False
    if seen.taken < TAKEN:  # nothing was taken of a model: what is left of the claim is another one, only scaled
        return False
    return min(seen.alike, seen.steady) >= STEADY and seen.dropped and seen.beyond <= IMPROBABLE


@dataclass(frozen=True)
class Consistency:
    """What thresholds are held against: shares of elements that a mask explains, and of tensors that are like all.

    `plainly` is `explained` with no step rounded but the last; `enlarged` the largest distance of a factor from 1;
    `alike` in the kept share, `steady` in the weight, to six standard errors; `dropped` whether anything was; `beyond`
    how far the chance of the smallest or largest change would be below 0 or above 1, as where elements were dropped by
    size; `voted` what of chance took part at opposite signs; `slope` and `taken` (kept share or factor) the smallest.
    """

    explained: float
    plainly: float
    enlarged: float
    alike: float
    steady: float
    dropped: bool
    voted: float
    slope: float
    beyond: float
    taken: float


def consistency(found: Sequence[Masked]) -> Consistency:
    """These measures over some tensors, one at least."""
    names = ("told", "explained", "plainly", "both")
    told, explained, plainly, both = (sum(getattr(one, name) for one in found) for name in names)
    expected = sum(one.expected for one in found)
    factors = np.stack([one.factors for one in found])
    counted = np.array([one.counted for one in found])[:, None]
    kept, weights = np.stack([one.kept for one in found]), np.stack([one.weights for one in found])
    density = np.average(kept, axis=0, weights=counted[:, 0])
    errors = np.sqrt(density * (1 - density) / counted)
    alike = np.abs(kept - density) <= DEVIATIONS * errors + 0.01
    steady = np.abs(weights / np.median(weights, axis=0) - 1) <= DEVIATIONS * errors / np.maximum(density, 1e-3) + 0.01
    slopes, middle = (
        np.average(values, axis=0, weights=counted[:, 0])
        for values in ([one.slopes for one in found], [one.by_rank[0] for one in found])
    )
    return Consistency(
        explained / told if told else 0.0, plainly / told if told else 0.0, float(np.abs(factors - 1).max()),
        float(alike.mean()), float(steady.mean()),
        bool((density < 1 - 1e-3).any()), both / expected if expected else 1.0,
        float(slopes.min()), float(np.maximum(slopes - middle, middle + slopes - 1).max()),
        float(min(density.min(), np.abs(np.median(factors, axis=0)).min())),
    )  # fmt: skip


def _named(found: Sequence[Masked], models: tuple[int, ...], base: int, shuffled: float) -> Thinned:
    counted = np.array([one.counted for one in found], float)

    def mean(name: str) -> Float64:
        return np.asarray(np.average([getattr(one, name) for one in found], axis=0, weights=counted), np.float64)

    slopes, seen = mean("slopes"), consistency(found)
    vote, ranked = len(models) > 1 and seen.voted < VOTED, seen.slope > RANKED
    densities, weights = mean("by_rank") if ranked else (mean("kept"), mean("weights"))
    divided = all(one.ratios is not None for one in found)
    method = ("della" if vote else "della_linear") if ranked else ("dare_ties" if vote else "dare_linear")
    error = 2 / np.sqrt(counted.sum())
    if divided:
        shares = [Factor(float(value), float(value) - 1e-3, float(value) + 1e-3) for value in mean("ratios")]
        own = typed(shares)[0]
    else:
        close = np.stack([one.spread for one in found]) ** 2 + 2.0**-16
        told = np.stack([one.by_rank[1] if ranked else one.weights for one in found])
        weights = np.average(told, axis=0, weights=1 / close) if ranked else weights
        reach = np.maximum(3 / np.sqrt((1 / close).sum(axis=0)), 2.0**-8)
        own = tuple(
            Factor(float(w), float(w * (1 - r)), float(w * (1 + r))).typed for w, r in zip(weights, reach, strict=True)
        )
    return Thinned(
        method, models, base, own,
        tuple(Factor(float(d), float(d - 1.5 * error), float(d + 1.5 * error)).typed for d in densities),
        tuple(float(value) for value in np.round(slopes, 2)) if ranked else None,
        sum(one.explained for one in found), sum(one.told for one in found), len(found), shuffled,
    )  # fmt: skip


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
    explained = _explained(whole, base, models)
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


def _explained(
    whole: Whole, base: int, models: tuple[int, ...]
) -> tuple[Vectors, Float64, Float64 | None, Taken] | None:
    """Differences, factors, shares where sums were divided, and who took part; None where no mask explains it."""
    vectors = Vectors.of([whole], base, models)
    found = [one for place in range(len(models)) if (one := vectors.factor(place)) is not None]
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


def _masked(whole: Whole, base: int, models: tuple[int, ...]) -> Masked | None:
    """What a tensor says, or None where too few of its elements tell, or no mask explains them."""
    explained = _explained(whole, base, models)
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
        int((seen.fits.any(axis=0) & changed).sum()), _plainly(vectors, factors, ratios, changed), int(counted.sum()),
    )  # fmt: skip


def _plainly(vectors: Vectors, factors: Float64, ratios: Float64 | None, changed: Mask) -> int:
    """How many of the `changed` elements some mask explains where nothing but the result was rounded."""
    plain = replace(vectors, rough=SINGLE)
    own = [plain.factor(model) for model in range(len(factors))]
    known = np.array([value if one is None else one.value for one, value in zip(own, factors, strict=True)])
    return int((taken(plain, known, None if ratios is None else _divided(ratios)).fits.any(axis=0) & changed).sum())


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


def _shuffled(whole: Whole, base: int, models: tuple[int, ...], found: Sequence[Masked]) -> float:
    """The share of the changed elements that is explained after they were shuffled: what chance gives."""
    vectors = Vectors.of([whole], base, models)
    value = vectors.value.copy()
    places = np.flatnonzero(~vectors.zero)
    value[places] = np.random.default_rng(0).permutation(value[places])
    mixed = Vectors(value, vectors.models, vectors.half, vectors.rough)
    seen = taken(mixed, found[0].factors)
    changed = seen.told & ~mixed.zero
    return float(seen.fits[:, changed].any(axis=0).mean()) if changed.any() else 0.0
