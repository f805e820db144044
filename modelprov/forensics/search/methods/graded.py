"""Weighted sums in steps of 16 bits whose weight differs by layer: proposed from the bits of each layer. Judges none.

Such steps round by more than close parents differ, so that no rounding cell tells the weight; the bits of a layer do,
to the few thousandths that one number of 16 bits is wide. A gradient is the shortest list that lies in all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations, permutations

import numpy as np

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.forensics.search.methods.gradients import Allowed, setting
from modelprov.forensics.search.methods.remake import Made, bits
from modelprov.forensics.search.methods.whole import Whole

ELEMENTS = 4096  # of a tensor, in which the parents differ, that are computed at every weight
COARSE, FINE, REACH = 0.01, 0.0005, 0.03  # steps of the weight, and how far around the best one
LIKELY, ALL = 0.9, 0.9999  # share of the bits at the best coarse and at the best fine weight
LEAST = 50  # elements
At = Callable[[float], Made]


def graded(wholes: Callable[[], Iterable[Whole]], looks: Sequence[Whole]) -> Iterator[Made]:
    """Linear merges of two parents, and task vectors of one, with a weight that differs by layer."""
    if looks[0].stored is DType.F32:  # the cells tell the weight there
        return
    few = looks[0].differing(ELEMENTS, LEAST)
    if few is None:
        return
    for at in _kinds(len(looks[0].parents)):
        if _best(few, at, np.arange(0, 1 + COARSE / 2, COARSE))[1] < LIKELY:
            continue
        allowed = [found for whole in _by_place(wholes()) if (found := _allowed(whole, at)) is not None]
        given = setting(allowed) if allowed else None
        if isinstance(given, list):
            yield _with(at, given)


def _kinds(parents: int) -> Iterator[At]:
    for first, second in combinations(range(parents), 2):
        yield lambda weight, pair=(first, second): Made(  # type: ignore[misc]
            "linear", pair, None, ({"weight": weight}, {"weight": 1 - weight}), arithmetic="mergekit-0.1.4"
        )
    for model, base in permutations(range(parents), 2):
        yield lambda weight, own=model, base=base: Made(  # type: ignore[misc]
            "task_arithmetic", (own,), base, ({"weight": weight},), arithmetic="mergekit-0.1.4"
        )


def _with(at: At, given: list[object]) -> Made:
    """The merge with that gradient; of two models the other has the rest."""
    made = at(0.5)
    rest = [{**item, "value": _rest(item["value"])} if isinstance(item, dict) else _rest(item) for item in given]
    return replace(made, each=tuple({"weight": own} for own in (given, rest)[: len(made.models)]))


def _rest(value: object) -> object:
    if isinstance(value, list):
        return [_rest(item) for item in value]
    return round(1 - float(value), 12)  # type: ignore[arg-type]


def _by_place(wholes: Iterable[Whole]) -> list[Whole]:
    """One tensor for each place among the layers and kind of filter: that with most elements where parents differ."""
    best: dict[tuple[float, bool, bool], Whole] = {}
    for whole in wholes:
        key = whole.position, "self_attn" in whole.name, "mlp" in whole.name
        few = whole.differing(ELEMENTS, LEAST)
        if few is not None and (key not in best or few.elements > best[key].elements):
            best[key] = few
    return list(best.values())


def _best(few: Whole, at: At, weights: Iterable[float]) -> tuple[float, float]:
    """The weight that gives most bits, and their share."""
    return max(((float(weight), bits(at(float(weight)), few).equal / few.elements) for weight in weights),
               key=lambda found: found[1])  # fmt: skip


def _allowed(few: Whole, at: At) -> Allowed | None:
    """The weights around the best one that give (nearly) every bit."""
    near, share = _best(few, at, np.arange(0, 1 + COARSE / 2, COARSE))
    if share < LIKELY / 2:
        return None
    grid = np.round(np.arange(near - REACH, near + REACH + FINE / 2, FINE), 6)
    equal = np.array([bits(at(weight), few).equal / few.elements for weight in grid.tolist()])
    most = equal.max()
    if most < ALL:
        return None
    good = np.flatnonzero(equal == most)
    return Allowed(few.name, few.position, float(grid[good[0]]) - FINE, float(grid[good[-1]]) + FINE)
