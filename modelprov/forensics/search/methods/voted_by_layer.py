"""TIES whose densities or weights differ by layer or by part, as in the examples of mergekit's documentation.

Each tensor tells its own: where those of one give its bits and not those of all, one tensor of each layer and part is
asked, and the settings are the shortest that these allow. Proposes merges; judges none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.forensics.search.methods import voted
from modelprov.forensics.search.methods.gradients import FILTERS, Allowed, setting
from modelprov.forensics.search.methods.remake import VARIANTS, Made, bits, total
from modelprov.forensics.search.methods.subsets import Factor
from modelprov.forensics.search.methods.whole import THIN, Whole

LIKELY, SAME = 0.95, 0.999  # share of a tensor's bits by its own settings; of all, by which nothing differs
LEAST = 2000  # elements in which the parents differ, of a tensor that is asked
LOOK_ELEMENTS = 1 << 16  # its best size
OFF = 0.004  # how far a density, or a weight's share of the sum, may be off
CONSTANT = (*(number / 10 for number in range(10, 0, -1)), 0.25, 0.75, 0.35, 0.65)
"""Weights that people give the model whose own does not differ."""
KEPT = 6  # weightings that are tried


def ties(wholes: Callable[[], Iterable[Whole]], looks: Sequence[Whole]) -> Iterator[Made]:
    """TIES with settings by layer, from one tensor of each layer and part of all `wholes`."""
    start = _own(max(looks, key=lambda look: look.elements))
    if start is None:
        return
    asked = _by_place(wholes())
    if total(start, asked).share >= SAME:
        return
    found = [(whole, own) for whole in asked if (own := _own(whole, start)) is not None]
    if 2 * len(found) <= len(asked):
        return
    densities = [_densities(found, model) for model in range(len(start.models))]
    if any(density is None for density in densities):
        return
    for weights in _weightings(found, start):
        each = tuple({"weight": w, "density": d} for w, d in zip(weights, densities, strict=True))
        for arithmetic, dtype in ((start.arithmetic, start.dtype), *VARIANTS):
            yield replace(start, each=each, arithmetic=arithmetic, dtype=dtype)


def _own(whole: Whole, like: Made | None = None) -> Made | None:
    """The TIES that gives (nearly) all bits of a tensor, of the same models as another one; None where none does."""
    roles = None if like is None else [(like.base, like.models)]
    proposed = [
        made
        for made in voted.ties([whole], whole, roles)  # type: ignore[arg-type]
        if like is None or made.options == like.options
    ]
    shares = [bits(made, whole).share for made in proposed]
    return proposed[int(np.argmax(shares))] if shares and max(shares) >= LIKELY else None


def _by_place(wholes: Iterable[Whole]) -> list[Whole]:
    """One tensor of each layer and kind of filter: the one whose size is nearest to what tells enough."""
    best: dict[tuple[float, ...], Whole] = {}
    for whole in wholes:
        key = (whole.position, *(word in whole.name for word in FILTERS))
        if whole.differ.sum() >= LEAST and (key not in best or _off(whole) < _off(best[key])):
            best[key] = whole
    return [whole.thinned(THIN) for whole in best.values()]


def _off(whole: Whole) -> float:
    return abs(float(np.log(whole.elements / LOOK_ELEMENTS)))


def _densities(found: Sequence[tuple[Whole, Made]], model: int) -> Any:
    """The setting of one model's density."""
    return _setting(found, [(made.each[model]["density"], OFF) for _, made in found])


def _setting(found: Sequence[tuple[Whole, Made]], values: Sequence[tuple[float, float]]) -> Any:
    """The simplest setting within so much of the value of each tensor."""
    return setting(
        [
            Allowed(whole.name, whole.position, value - off, value + off)
            for (whole, _), (value, off) in zip(found, values, strict=True)
        ]
    )


def _weightings(found: Sequence[tuple[Whole, Made]], start: Made) -> Iterator[tuple[Any, ...]]:
    """Weights of the models, each a setting; where sums are divided by them, up to a factor in each tensor."""
    weights: Float64 = np.array([[own["weight"] for own in made.each] for _, made in found])
    models = range(len(start.models))
    if not start.options.get("normalize", True):
        given = [_setting(found, [(float(value), OFF) for value in weights[:, model]]) for model in models]
        if all(each is not None for each in given):
            yield tuple(given)
        return
    shares = weights / weights.sum(axis=1, keepdims=True)
    if np.ptp(shares, axis=0).max() <= 3 * OFF:
        usual = np.median(shares, axis=0)
        ratios = [Factor(own, own - OFF, own + OFF) for own in (usual[0] / (usual[0] + usual[1:])).tolist()]
        typed = voted.typed(ratios) if ratios else []
        yield from [tuple(own["weight"] for own in start.each), *typed][:KEPT]
        return
    tried: list[tuple[tuple[int, bool], tuple[Any, ...]]] = []
    for fixed in models:
        for constant in CONSTANT:
            scale = constant / shares[:, fixed]
            others = [
                constant if model == fixed else _setting(found, list(zip(
                    (shares[:, model] * scale).tolist(),
                    (OFF * scale * (1 + shares[:, model] / shares[:, fixed])).tolist(), strict=True,
                )))
                for model in models
            ]  # fmt: skip
            if all(each is not None for each in others):
                tried.append(((len(str(others)), bool((shares * scale[:, None]).max() > 1)), tuple(others)))
    yield from (given for _, given in sorted(tried, key=lambda item: item[0])[:KEPT])
