"""Which of the arguments lies between the others: only one can be the child. Geometry of the same sums."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from modelprov.forensics.sums.moments import Moments
from modelprov.forensics.thresholds import INSIDE, MIDDLE


@dataclass(frozen=True, slots=True)
class Between:
    """Checkpoint `child` lies between `first` and `second`: the cosine at the child, and how far towards `first`."""

    child: int
    first: int
    second: int
    cosine: float
    position: float


def between(moments: Moments) -> tuple[Between, ...]:
    """All checkpoints that lie nearly straight between two others, the straightest first."""
    n = moments.n
    squared = np.array([[moments.squared_distance(i, j) for j in range(n)] for i in range(n)])
    found = []
    for child in range(n):
        for first, second in combinations([other for other in range(n) if other != child], 2):
            a, b, c = squared[child, first], squared[child, second], squared[first, second]
            if not (a > 0 and b > 0 and c > 0):
                continue
            cosine = float((a + b - c) / (2 * np.sqrt(a * b)))
            position = float((b + c - a) / (2 * c))
            if cosine <= MIDDLE and INSIDE < position < 1 - INSIDE:
                found.append(Between(child, first, second, cosine, position))
    return tuple(sorted(found, key=lambda one: one.cosine))
