"""The numbers that people type, near an estimate: those are tried, nearest first. Counts nothing."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float64


def near(value: float, reach: float = 0.015) -> list[float]:
    """Numbers with two digits within `reach`, then the nearest with three, nearest first."""
    two = np.round(value, 2) + np.arange(-3, 4) / 100
    three = np.round(value, 3) + np.arange(-3, 4) / 1000
    found = [float(number) for number in np.round([*two, *three], 6) if abs(number - value) <= reach]
    kept = dict.fromkeys(sorted(found, key=lambda number: (abs(number - value) > 6e-3, abs(number - value))))
    return list(kept)


def weightings(weights: Float64, reach: int = 1) -> Iterator[tuple[float, ...]]:
    """Weights that add up to 1, two digits each and then three, near `weights` [m] that do; the last takes the rest."""
    free = weights[:-1]
    for digits in (2, 3):
        step = 10.0**-digits
        moves = sorted(product(range(-reach, reach + 1), repeat=len(free)), key=lambda move: sum(map(abs, move)))
        for move in moves:
            chosen = [
                round(float(value) + step * shift, digits)
                for value, shift in zip(np.round(free, digits), move, strict=True)
            ]
            yield (*chosen, round(1 - sum(chosen), digits))
