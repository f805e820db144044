"""DARE and DELLA: task vectors of which chance kept a share of the elements, enlarged. Finds parameters; judges none.

Where model i alone was kept, v = w_i r_i u_i (`masked.py`). So w_i is the same in all tensors though the factor w_i r_i
is not; that, and a kept share that does not hang on the size of a change (DARE) or grows with its rank in its row
(DELLA), is what tells these methods from picked elements, which have the factor 1. Whether a program computed the
survivors, or training left numbers nearby, their bits say (`survivors.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from modelprov.checkpoints.formats.dtypes import DType, Float64
from modelprov.forensics.search.methods.masked import Masked, masked, shuffled
from modelprov.forensics.search.methods.subsets import Factor
from modelprov.forensics.search.methods.survivors import Remade, remade
from modelprov.forensics.search.methods.voted import roles, typed
from modelprov.forensics.search.methods.whole import Whole
from modelprov.forensics.thresholds import ENLARGED, IMPROBABLE, MASKED, RANKED, STEADY, TAKEN, VOTED

TENSORS = 3  # that have to say the same
ENOUGH = 20_000  # elements of a tensor that must say something, for the others to be looked at
DEVIATIONS = 6  # standard errors that a weight or a kept share of one tensor may be off


@dataclass(frozen=True)
class Thinned:
    """A method of random masks, with its parameters: weights, densities, epsilons by model.

    `explained` of the `told` elements, those that changed and tell who took part, are what some mask makes of them, in
    `tensors` tensors; `shuffled` is the share that chance explains. `remade` are the survivors computed again.
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
    remade: Remade


def thinned(wholes: Callable[[], Iterable[Whole]], first: Whole) -> Thinned | None:
    """The random method that explains the tensors, with its bits if any has them; or None."""
    likely = None
    for base, models in roles(first):
        if masked(first, base, models) is None and first.elements > ENOUGH:
            continue
        found = [seen for whole in wholes() if (seen := masked(whole, base, models)) is not None]
        if len(found) < TENSORS or not _likely(consistency(found)):
            continue
        bits = _remade(wholes, first.stored, base, models, found)
        named = _named(found, models, base, shuffled(first, base, models, found), bits)
        if named.remade.computed:
            return named
        likely = likely or named
    return likely


def _likely(seen: Consistency) -> bool:
    if seen.explained < MASKED:
        return False
    if seen.enlarged < ENLARGED:  # the parents' own numbers: whoever picks elements leaves them too
        return False
    if seen.taken < TAKEN:  # nothing was taken of a model: what is left of the claim is another one, only scaled
        return False
    return min(seen.alike, seen.steady) >= STEADY and seen.dropped and seen.beyond <= IMPROBABLE


def _remade(
    wholes: Callable[[], Iterable[Whole]], stored: DType, base: int, models: tuple[int, ...], found: Sequence[Masked]
) -> Remade:
    """The survivors' bits; in float32 every changed element has told already, as its cell leaves no room."""
    if stored is DType.F32:
        return Remade(sum(seen.told for seen in found), sum(seen.explained for seen in found))
    return remade(wholes(), base, models, _weights(found)[0])


@dataclass(frozen=True)
class Consistency:
    """What thresholds are held against: shares of elements that a mask explains, and of tensors that are like all.

    `enlarged`: the largest distance of a factor from 1. `alike` in the kept share, `steady` in the weight, to six
    standard errors. `dropped`: whether anything was; `beyond`: how far the chance of the smallest or largest change
    would be below 0 or above 1, as where elements were dropped by their size. `voted`: what of chance took part at
    opposite signs; `slope` the smallest over the models; `taken` the smallest kept share or factor of any.
    """

    explained: float
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
    names = ("told", "explained", "both")
    told, explained, both = (sum(getattr(one, name) for one in found) for name in names)
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
        explained / told if told else 0.0, float(np.abs(factors - 1).max()), float(alike.mean()), float(steady.mean()),
        bool((density < 1 - 1e-3).any()), both / expected if expected else 1.0,
        float(slopes.min()), float(np.maximum(slopes - middle, middle + slopes - 1).max()),
        float(min(density.min(), np.abs(np.median(factors, axis=0)).min())),
    )  # fmt: skip


def _named(found: Sequence[Masked], models: tuple[int, ...], base: int, by_chance: float, bits: Remade) -> Thinned:
    seen, ranked = consistency(found), _ranked(found)
    vote = len(models) > 1 and seen.voted < VOTED
    densities = _mean(found, "by_rank")[0] if ranked else _mean(found, "kept")
    method = ("della" if vote else "della_linear") if ranked else ("dare_ties" if vote else "dare_linear")
    error = 2 / np.sqrt(sum(one.counted for one in found))
    if all(one.ratios is not None for one in found):
        shares = [Factor(share, share - 1e-3, share + 1e-3) for share in _mean(found, "ratios").tolist()]
        own = typed(shares)[0]
    else:
        weights, reach = _weights(found)
        own = tuple(
            Factor(float(w), float(w * (1 - r)), float(w * (1 + r))).typed for w, r in zip(weights, reach, strict=True)
        )
    return Thinned(
        method, models, base, own,
        tuple(Factor(float(d), float(d - 1.5 * error), float(d + 1.5 * error)).typed for d in densities),
        tuple(np.round(_mean(found, "slopes"), 2).tolist()) if ranked else None,
        sum(one.explained for one in found), sum(one.told for one in found), len(found), by_chance, bits,
    )  # fmt: skip


def _ranked(found: Sequence[Masked]) -> bool:
    """Whether large changes were kept more often, as DELLA does."""
    return consistency(found).slope > RANKED


def _weights(found: Sequence[Masked]) -> tuple[Float64, Float64]:
    """The models' weights over all tensors [m], and how far each may be off, as a share of it."""
    close = np.stack([one.spread for one in found]) ** 2 + 2.0**-16
    by_rank = np.average([one.by_rank[1] for one in found], axis=0, weights=1 / close)
    reach = np.maximum(3 / np.sqrt((1 / close).sum(axis=0)), 2.0**-8)
    return (by_rank if _ranked(found) else _mean(found, "weights")), reach


def _mean(found: Sequence[Masked], name: str) -> Float64:
    """A measure over all tensors, by the elements that stand behind it."""
    counted = [float(one.counted) for one in found]
    return np.asarray(np.average([getattr(one, name) for one in found], axis=0, weights=counted), np.float64)
