"""TIES, breadcrumbs and SCE: task vectors thinned by the size of their elements, with a vote or without.

Proposes merges; judges none. Weights come from elements in which it is plain who took part; the shares that were kept
are then found by the bits, which rise towards the true ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.forensics.search.methods.mixtures import combination
from modelprov.forensics.search.methods.remake import VARIANTS, Made, bits, total
from modelprov.forensics.search.methods.subsets import MOST_MODELS, Factor, Vectors, taken
from modelprov.forensics.search.methods.whole import Whole

EXPLAINED = 0.9  # of the elements that tell, by some subset of the models
PROMISING = 0.5  # share of the bits without which no better parameters are looked for
GAMMAS = (0.01, 0.02, 0.05, 0.1, 0.005, 0.03)
RANKS = ((0.55, 0.97), (0.75, 0.9))  # sizes, by rank, among which breadcrumbs keeps every element
NEAR, TYPED = 4e-3, 16  # how far shares may be off, and how many weightings are tried
SECOND_TRY = 1.0  # share of the bits below which float32 is tried in place of the stored format
PLAIN = "float32"  # the formula itself, rounded once
WEIGHTS = tuple(number / 20 for number in (*range(18, 0, -2), *range(19, 0, -2)))
"""That people type, of one model, divided by itself; twice and half of one give the same bits, so tenths come first."""
STEPS = (0.1, 0.05, 0.02, 0.01)


def roles(look: Whole) -> Iterator[tuple[int, tuple[int, ...]]]:
    """(base, models): the reference as base, the parent in the middle of the others, or whom the suspect is most like.

    A base may be named first, and of its finetunes one may have more of its numbers in the suspect than the base has.
    """
    parents = range(len(look.parents))
    same = [int((look.parents[parent] == look.suspect).sum()) for parent in parents]
    for base in dict.fromkeys([parents[-1], look.middle, int(np.argmax(same))]):
        others = tuple(parent for parent in parents if parent != base)
        if len(others) <= MOST_MODELS:
            for size in range(1, len(others) + 1):
                for models in combinations(others, size):
                    yield base, models


def ties(
    looks: Sequence[Whole], first: Whole, among: Iterable[tuple[int, tuple[int, ...]]] | None = None
) -> Iterator[Made]:
    """TIES: the largest elements of each task vector, by vote, divided by the weights that took part or not.

    Of all `roles`, or `among` those given.
    """
    for base, models in roles(first) if among is None else among:
        vectors = Vectors.of(looks, base, models)
        found = [vectors.factor(place) for place in range(len(models))]
        if any(one is None for one in found):
            continue
        factors = [one for one in found if one is not None]
        best: Made | None = None
        for normalize, weights in _weightings(vectors, factors):
            scale = _common(factors).typed if normalize else 1.0
            own = np.array(weights)
            seen = taken(vectors, np.full(len(models), scale) if normalize else own, own if normalize else None)
            if seen.explained < EXPLAINED:
                continue
            options = ({} if normalize else {"normalize": False}) | ({"lambda": scale} if scale != 1 else {})
            made = Made("ties", models, base, _each(weights, 1.0), options)
            if best is None or bool(best.options.get("normalize", True)) is not normalize:
                best = climbed(made, first, "density")
            else:  # what was kept does not hang on the weights
                kept = [{**old, "weight": weight} for old, weight in zip(best.each, weights, strict=True)]
                tried = [replace(best, each=tuple(kept), dtype=dtype) for dtype in (None, DType.F32)]
                best = max([best, *tried], key=lambda one: bits(one, first).share)
            if len(models) == 1 and normalize and bits(best, first).share < 1:  # w u / w is u but for its last bit
                alone = [replace(best, each=({**best.each[0], "weight": weight},)) for weight in WEIGHTS]
                best = max([best, *alone], key=lambda one: bits(one, first).share)
            yield from _variants(best, first)
            if len(models) == 1 or total(best, looks).share == 1:
                return


def _weightings(vectors: Vectors, factors: Sequence[Factor]) -> Iterator[tuple[bool, tuple[float, ...]]]:
    """(normalize, weights) that the elements allow, the likeliest first."""
    common, alone = _common(factors), tuple(one.typed for one in factors)
    if len(alone) == 1:
        yield True, (1.0,)
        return
    if common.low <= common.high:
        shares = [vectors.shares(0, other, common.typed) for other in range(1, len(alone))]
        if all(one is not None for one in shares):
            for weights in typed([one for one in shares if one is not None]):
                yield True, weights
    yield False, alone


def _common(factors: Sequence[Factor]) -> Factor:
    """The factor that all may have; its ends are crossed where there is none."""
    low, high = max(one.low for one in factors), min(one.high for one in factors)
    return Factor((low + high) / 2, low, high)


def typed(shares: Sequence[Factor]) -> list[tuple[float, ...]]:
    """Weights as people type them, whose shares w_0 / (w_0 + w_j) are near these; the simplest and nearest first."""
    middles = np.array([one.value for one in shares])
    ratios = (1 - middles) / middles
    whole = 1 / (1 + ratios.sum())
    found: dict[tuple[float, ...], float] = {}
    summed = [round(whole, 2) + step / 100 for step in (-1, 0, 1)] + [round(whole, 3)]
    for leading in np.round([*(np.arange(1, 21) / 20), *summed, 1.2, 1.5, 2.0], 3).tolist():
        for digits in (1, 2, 3):
            rounded = np.round(leading * ratios, digits)
            if leading <= 0 or (rounded <= 0).any():
                continue
            weights = (leading, *rounded.tolist())
            off = float(np.abs(leading / (leading + rounded) - middles).max())
            length = sum(len(f"{weight:g}") for weight in weights) / len(weights)
            odd = (abs(sum(weights) - 1) > 1e-9) + 3 * (max(weights) > 1) + (max(weights) < 0.3)
            if off < NEAR:
                cost = off / NEAR + 0.3 * length + 0.2 * odd
                found[weights] = min(found.get(weights, cost), cost)
    return sorted(found, key=lambda weights: found[weights])[:TYPED] or [(1.0, *np.round(ratios, 4).tolist())]


def breadcrumbs(looks: Sequence[Whole], first: Whole) -> Iterator[Made]:
    """Breadcrumbs: the largest and the smallest elements dropped, with a vote or without."""
    for base, models in roles(first):
        for weights in dict.fromkeys(_of_breadcrumbs(looks, base, models)):
            for method in ("breadcrumbs", "breadcrumbs_ties"):
                starts = [
                    Made(method, models, base, _each(weights, density, gamma))
                    for gamma in GAMMAS[:4] for density in (0.9, 0.7, 0.5)
                ]  # fmt: skip
                start = max(starts, key=lambda made: bits(made, first).share)
                if bits(start, first).share >= PROMISING / 2:
                    yield from _variants(climbed(climbed(start, first, "density"), first, "gamma"), first)


def _of_breadcrumbs(looks: Sequence[Whole], base: int, models: tuple[int, ...]) -> Iterator[tuple[float, ...]]:
    """Weights: by the elements that only one of the models changed, and by those that all did."""
    vectors = Vectors.of(looks, base, models)
    found = [vectors.factor(place) for place in range(len(models))]
    known = [one for one in found if one is not None]
    alone = tuple(one.typed for one in known)
    if len(alone) == len(models) and taken(vectors, np.array(alone)).explained >= EXPLAINED:
        yield alone
        yield tuple(round(one.value, 2) for one in known)  # where rounding at every step moves what is allowed
    for ranks in RANKS:
        weights = _middling(looks, base, models, ranks)
        if weights is not None and taken(vectors, np.array(weights)).explained >= EXPLAINED:
            yield weights


def _middling(
    looks: Sequence[Whole], base: int, models: tuple[int, ...], ranks: tuple[float, float]
) -> tuple[float, ...] | None:
    """Weights by least squares where all changes are neither small nor large for their tensor."""
    values, rows, halves = [], [], []
    for look in looks:
        value, vectors = look.vectors(base, models)
        sizes = np.abs(vectors)
        low, high = (np.quantile(sizes, rank, axis=1, keepdims=True) for rank in ranks)
        chosen = ((sizes >= low) & (sizes <= high)).all(axis=0)
        values.append(value[chosen])
        rows.append(vectors[:, chosen])
        halves.append(look.half[chosen])
    value, vectors, half = np.concatenate(values), np.concatenate(rows, axis=1), np.concatenate(halves)
    if len(value) < 20 * len(models):
        return None
    found = combination(value, vectors, half)
    agreeing = np.abs(value - found.weights @ vectors) < 3 * np.median(np.abs(value - found.weights @ vectors)) + half
    found = combination(value[agreeing], vectors[:, agreeing], half[agreeing])
    weights = np.round(found.weights, 2)
    return None if (weights == 0).any() else tuple(weights.tolist())


def sce(first: Whole) -> Iterator[Made]:
    """SCE: the elements of largest variance, by vote, weighted by energy."""
    for base, models in roles(first):
        if len(models) > 1:
            made = Made("sce", models, base, options={"select_topk": 1.0})
            yield from _variants(climbed(made, first, "select_topk"), first)


def _each(weights: Sequence[float], density: float, gamma: float | None = None) -> tuple[dict[str, float], ...]:
    more = {} if gamma is None else {"gamma": gamma}
    return tuple({"weight": weight, "density": density, **more} for weight in weights)


def climbed(made: Made, look: Whole, name: str) -> Made:
    """The merge with the value of `name`, of all models and then of each, that gives most bits of a tensor."""
    found = _Climb(made, look, name).top()
    if bits(found, look).share < SECOND_TRY and look.stored is not DType.F32:
        other = _Climb(replace(made, dtype=DType.F32), look, name).top()
        found = max(found, other, key=lambda one: bits(one, look).share)
    plain = replace(found, arithmetic=PLAIN, dtype=DType.F32)  # another arithmetic's last bits mislead a climb
    if bits(found, look).share < SECOND_TRY and bits(plain, look).share >= bits(found, look).share:
        return _Climb(plain, look, name).top()
    return found


class _Climb:
    """Step by step to the value of one setting that gives most bits; of equally good ones the shortest."""

    def __init__(self, made: Made, look: Whole, name: str) -> None:
        self.made, self.look, self.name = made, look, name
        self.share = bits(made, look).share
        self.per_model = bool(made.each) and name in made.each[0]
        self.most = 0.2 if name == "gamma" else 1.0

    def top(self) -> Made:
        """The best that was found."""
        for value in (np.arange(1, 10) / 10 * self.most).tolist():
            self._try([self._with(None, value)])
        several = self.per_model and len(self.made.each) > 1
        places = [None, *range(len(self.made.each))] if several else [None]
        for step in (*STEPS, 0.005, 0.001):
            if self.share == 1 or (step < 0.01 and self.share < PROMISING):
                break
            for where in places:
                for _ in range(12):
                    value = self._value(where)
                    if not self._try([self._with(where, value + sign * step * self.most) for sign in (-1, 1)]):
                        break
        for where in places[-len(self.made.each) :] if several else places:
            for digits in (1, 2, 3):
                self._try([self._with(where, round(self._value(where), digits))], equal=True)
        return self.made

    def _try(self, moves: Sequence[Made], equal: bool = False) -> bool:
        shares = [bits(move, self.look).share for move in moves]
        at = int(np.argmax(shares))
        better = shares[at] > self.share or (equal and shares[at] == self.share)
        if better:
            self.made, self.share = moves[at], shares[at]
        return better

    def _value(self, where: int | None) -> float:
        return float(self.made.each[where or 0][self.name] if self.per_model else self.made.options[self.name])

    def _with(self, where: int | None, value: float) -> Made:
        value = float(np.clip(np.round(value, 4), 0.0, self.most))
        if not self.per_model:
            return replace(self.made, options={**self.made.options, self.name: value})
        each = [{**own, self.name: value} if where in (None, at) else own for at, own in enumerate(self.made.each)]
        return replace(self.made, each=tuple(each))


def _variants(made: Made, look: Whole) -> Iterator[Made]:
    """The same in every arithmetic, if it promises anything; not where a model has no part in it."""
    if any(0 in (own.get("density"), own.get("weight")) for own in made.each):
        return
    near = {one.key: one for one in (made, *(_rounded(made, digits) for digits in (2, 1)))}
    found = [
        replace(one, arithmetic=arithmetic, dtype=dtype) for one in near.values() for arithmetic, dtype in VARIANTS
    ]
    if max(bits(one, look).share for one in found) >= PROMISING:
        yield from found


def _rounded(made: Made, digits: int) -> Made:
    """The same with shares of so many digits: of some rows the best one may be a little off."""
    kept = ("density", "select_topk")

    def short(given: Mapping[str, Any]) -> dict[str, Any]:
        return {name: round(value, digits) if name in kept else value for name, value in given.items()}

    return replace(made, each=tuple(short(own) for own in made.each), options=short(made.options))
