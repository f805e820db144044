"""Recipes in pieces: the fewest groups of tensors such that one mixing coefficient serves each group.

Input are the intervals of alpha that single tensors allow (`interval.fit_groups`). Stabbing sorted right ends finds the
fewest points that meet all intervals. Among the solutions with that number, those are preferred where a group takes
the value that most tensors allow, then 0 (the reference itself), then 1 (the parent itself).
"""

from __future__ import annotations

import math
from bisect import bisect
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.forensics.estimators.simplest_number import SimplestNumber, simplest_number


@dataclass(frozen=True)
class TensorInterval:
    """What one tensor allows: alpha in [low, high] (None: nothing is known), its coverage, its informative elements."""

    name: str
    low: float | None
    high: float | None
    coverage: float | None = 1.0
    informative: int = 1


@dataclass(frozen=True)
class TensorGroup:
    """Tensors that one alpha serves: the joint interval [low, high] and the simplest number in it.

    `uninformative` are those of `tensors` (all names, in the order given) that could have any alpha and were put here
    because of their neighbours.
    """

    low: float
    high: float
    value: SimplestNumber
    tensors: tuple[str, ...]
    uninformative: tuple[str, ...]


@dataclass(frozen=True)
class Pieces:
    """The groups, largest first; `unexplained`: tensors no alpha explains (their coverage is below the minimum)."""

    groups: tuple[TensorGroup, ...]
    unexplained: tuple[str, ...]
    reason: str | None = None


def partition(tensors: Sequence[TensorInterval], minimum_coverage: float = 0.9999) -> Pieces:
    """Group tensors, given in the model's order, by the mixing coefficients they allow."""
    unexplained = tuple(one.name for one in tensors if one.coverage is not None and one.coverage < minimum_coverage)
    left = [one for one in tensors if one.name not in set(unexplained)]
    known = [i for i, one in enumerate(left) if _limits(one) is not None]
    if not known:
        return Pieces((), unexplained, "no tensor confines the mixing coefficient")
    limits = np.array([_limits(left[i]) for i in known], np.float64)
    points = _preferred_points(limits)
    label = dict(zip(known, _assign(limits, points), strict=True))
    labels = [label[i] if i in label else _neighbours(known, label, i) for i in range(len(left))]
    groups = []
    for group in set(labels):
        own = limits[[j for j, i in enumerate(known) if label[i] == group]]
        low, high = float(own[:, 0].max()), float(own[:, 1].min())
        members = [i for i, one in enumerate(labels) if one == group]
        groups.append(
            TensorGroup(
                low,
                high,
                _value(low, high),
                tuple(left[i].name for i in members),
                tuple(left[i].name for i in members if i not in label),
            )
        )
    groups.sort(key=lambda one: (-len(one.tensors), one.low))
    return Pieces(tuple(groups), unexplained)


def _limits(one: TensorInterval) -> tuple[float, float] | None:
    """Give the ends, or None where the tensor says nothing."""
    if one.low is None or one.high is None or one.informative == 0 or math.isnan(one.low) or math.isnan(one.high):
        return None
    return None if math.isinf(one.low) and math.isinf(one.high) else (one.low, one.high)


def _value(low: float, high: float) -> SimplestNumber:
    for special in (0.0, 1.0):
        if low <= special <= high:
            return SimplestNumber(special, str(int(special)))
    found = simplest_number(low, high)
    return found if found is not None else SimplestNumber(low, repr(low))


def _preferred_points(limits: Float64) -> list[float]:
    """Find the fewest points that meet all intervals, with as many of the preferred among them as possible."""
    points, common = _fewest_points(limits), _most_common_points(limits)
    for size in (3, 2, 1):
        for most in common:
            for chosen in combinations([most, 0.0, 1.0], size):
                forced = _with_forced(limits, chosen)
                if forced is not None and len(forced) == len(points):
                    return forced
    return points


def _most_common_points(limits: Float64, at_most: int = 16) -> list[float]:
    """Find the points (low ends) that lie in the most intervals."""
    lows, highs = np.sort(limits[:, 0]), np.sort(limits[:, 1])
    held = np.searchsorted(lows, lows, side="right") - np.searchsorted(highs, lows, side="left")
    return [float(point) for point in np.unique(lows[held == held.max()])[:at_most]]


def _fewest_points(limits: Float64) -> list[float]:
    """Stab greedily: the right end of the first interval that no point has met yet, again and again (optimal)."""
    points: list[float] = []
    for low, high in limits[np.argsort(limits[:, 1], kind="stable")]:
        if not points or low > points[-1]:
            points.append(float(high))
    return points


def _with_forced(limits: Float64, forced: Sequence[float]) -> list[float] | None:
    """Give the fewest points that include `forced`, those first; None where a forced point would serve no interval."""
    left = limits
    for point in forced:
        holds = (left[:, 0] <= point) & (point <= left[:, 1])
        if not holds.any():
            return None
        left = left[~holds]
    return [*forced, *_fewest_points(left)]


def _assign(limits: Float64, points: Sequence[float]) -> list[int]:
    """Give each interval the first of `points` that it holds."""
    stabs = np.asarray(points)
    holds = (limits[:, :1] <= stabs) & (stabs <= limits[:, 1:])
    return [int(i) for i in np.argmax(holds, axis=1)]


def _neighbours(known: list[int], label: dict[int, int], position: int) -> int:
    """Give the group of the nearest known tensors before and after; where these disagree, the largest group."""
    at = bisect(known, position)
    near = {label[i] for i in known[max(at - 1, 0) : at + 1]}
    return near.pop() if len(near) == 1 else Counter(label.values()).most_common(1)[0][0]
