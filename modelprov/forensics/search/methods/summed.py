"""Weighted sums whose scale is another: not divided by the weights, or divided and enlarged. Proposes; judges none.

A linear merge with `normalize: false` whose weights do not add up to 1 lies on no line through the parents. Task
arithmetic with `lambda` or `normalize`, or with weights by layer, rounds in 16-bit steps that no single weight gives.
Mark: least squares leaves no more than such steps do. The weights are the numbers that people type near it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations, product
from typing import Any

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.forensics.search.methods.gradients import Allowed, setting
from modelprov.forensics.search.methods.mixtures import combination
from modelprov.forensics.search.methods.remake import VARIANTS, Made, bits
from modelprov.forensics.search.methods.snapping import near
from modelprov.forensics.search.methods.subsets import Factor
from modelprov.forensics.search.methods.voted import typed
from modelprov.forensics.search.methods.whole import THIN, Whole

OFF = 0.006  # how far least squares over several tensors may be off
SUMMED = 1e-3  # a sum of weights nearer to 1 is a mixture of the parents, which others look for
TRIED = 64  # weightings of one group, the nearest first
SCALES = 6
LAMBDAS = tuple(number / 20 for number in (*range(2, 41, 2), *range(1, 40, 2)) if number != 20)
"""That people type, tenths first."""
ERRORS, STEP = 4, 0.012  # what a tensor allows: standard errors, and how far the rounding of close parents bends them
LEAST = 50  # elements of a tensor in which the parents differ
MODELS = 4  # at most, of one sum
ELEMENTS = 4096  # in which the parents differ, that are computed for each proposal first
LIKELY = 0.9  # share of their bits that it has to give


def summed(wholes: Callable[[], Iterable[Whole]], looks: Sequence[Whole]) -> Iterator[Made]:
    """Linear merges that are not divided by their weights, and task arithmetic scaled, divided or by layer."""
    few = looks[0].differing(ELEMENTS)
    if few is not None:
        yield from (made for made in _proposed(wholes, looks) if bits(made, few).equal >= LIKELY * few.elements)


def _proposed(wholes: Callable[[], Iterable[Whole]], looks: Sequence[Whole]) -> Iterator[Made]:
    looks = [look.thinned(THIN) for look in looks]
    parents = range(len(looks[0].parents))
    for group in _groups(parents):
        found = _fit(looks, group, None)
        if found is not None and abs(found.sum() - 1) > SUMMED:
            each = _nearest(product(*map(_near, found)), found)
            yield from _variants("linear", group, None, each, {"normalize": False})
    for base in reversed(parents):
        for group in _groups([parent for parent in parents if parent != base]):
            found = _fit(looks, group, base)
            if found is not None:
                yield from _scaled(found, group, base)
            yield from _by_layer(wholes, looks, group, base)


def _groups(parents: Iterable[int]) -> list[tuple[int, ...]]:
    """Sets of two to four of them: of one alone the sum is a scaled copy, or a change taken at a share."""
    return [group for size in range(MODELS, 1, -1) for group in combinations(parents, size)]


def _fit(looks: Sequence[Whole], group: tuple[int, ...], base: int | None) -> Float64 | None:
    """The factors, of tensors or of task vectors, that all looks allow together; None where there are none."""
    parts = [_equations(look, group, base) for look in looks]
    value, half = (np.concatenate([part[at] for part in parts]) for at in (0, 2))
    found = combination(value, np.concatenate([part[1] for part in parts], axis=1), half)
    return found.weights if found.fits and (np.abs(found.weights) > OFF).all() else None


def _equations(look: Whole, group: tuple[int, ...], base: int | None) -> tuple[Float64, Float64, Float64]:
    """The suspect [n], what it may be the sum of [m, n], and half its rounding cells [n]; from the base, if any."""
    if base is not None:
        return (*look.vectors(base, group), look.half)
    return look.suspect.astype(np.float64), look.parents[list(group)].astype(np.float64), look.half


def _scaled(found: Float64, group: tuple[int, ...], base: int) -> Iterator[Made]:
    """Task arithmetic with these factors: divided by the weights and enlarged, or enlarged alone."""
    shares = [float(found[0] / (found[0] + own)) for own in found[1:]]
    if all(0 < share < 1 for share in shares):
        weightings = typed([Factor(share, share - OFF, share + OFF) for share in shares])
        for scale in [1.0] if abs(found.sum() - 1) < OFF else _near(float(found.sum()))[:SCALES]:
            options = {"normalize": True} | ({} if scale == 1 else {"lambda": scale})
            yield from _variants("task_arithmetic", group, base, weightings, options)
    enlarged = [(tuple(np.round(found / scale, 2).tolist()), scale) for scale in LAMBDAS]
    enlarged.sort(key=lambda item: (max(map(abs, item[0])) > 1, any(round(own, 1) != own for own in item[0])))
    for each, scale in enlarged:
        if 0 not in each and np.abs(np.array(each) * scale - found).max() < OFF / 2:
            yield from _variants("task_arithmetic", group, base, [each], {"lambda": scale})


def _by_layer(
    wholes: Callable[[], Iterable[Whole]], looks: Sequence[Whole], group: tuple[int, ...], base: int
) -> Iterator[Made]:
    """Task arithmetic with weights by layer: each tensor has its own factors, and a gradient gives them all."""
    if not all(combination(*_equations(look, group, base)).fits for look in looks):
        return
    allowed: list[list[Allowed]] = [[] for _ in group]
    for whole in wholes():
        if not whole.decisive or whole.differ.sum() < LEAST:
            continue
        value, vectors, half = _equations(whole.thinned(THIN), group, base)
        found = combination(value, vectors, half)
        spread = found.rest * np.sqrt(np.mean(np.square(half)) / 3)
        errors = spread * np.sqrt(np.diag(np.linalg.pinv(vectors @ vectors.T)))
        for own, weight, error in zip(allowed, found.weights, ERRORS * errors + STEP, strict=True):
            own.append(Allowed(whole.name, whole.position, weight - error, weight + error))
    given = [setting(own) for own in allowed]
    if all(weight is not None for weight in given):
        yield from _variants("task_arithmetic", group, base, [given], {})


def _variants(
    method: str, group: tuple[int, ...], base: int | None, weightings: Iterable[Sequence[Any]], options: dict[str, Any]
) -> Iterator[Made]:
    for weights in weightings:
        each = tuple({"weight": weight} for weight in weights)
        made = Made(method, group, base, each, options)
        yield from (replace(made, arithmetic=arithmetic, dtype=dtype) for arithmetic, dtype in VARIANTS)


def _near(value: float) -> list[float]:
    """Numbers of two digits first, then of three, nearest first in either."""
    found = [number for number in near(float(value), OFF) if number != 0]
    return sorted(found, key=lambda number: round(number, 2) != number) or [round(float(value), 4)]


def _nearest(weightings: Iterable[tuple[float, ...]], found: Float64) -> list[tuple[float, ...]]:
    """Those of numbers of two digits first, then by distance from what was found."""

    def cost(own: tuple[float, ...]) -> tuple[bool, float]:
        return any(round(number, 2) != number for number in own), float(np.abs(np.array(own) - found).max())

    return sorted(weightings, key=cost)[:TRIED]
