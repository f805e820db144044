"""The point that satisfies the most slabs, where none satisfies all: a heuristic, always reported with its coverage.

Least total violation, sum_i max(low_i - a_i.x, a_i.x - high_i, 0) over x, in the units of the weights: as robust as a
median, so slabs that come from another recipe hardly move the point as long as they are few. Convex; solved by Newton
steps on a Huber-smoothed cost whose smoothing goes to zero. Then the worst half of the violated slabs is dropped and
the rest solved again, until none is violated; of the points met the one in the most slabs wins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float64


@dataclass(frozen=True, eq=False)
class Slabs:
    """low <= normal . alpha <= high: float64[m, d], [m], [m]."""

    normal: Float64
    low: Float64
    high: Float64

    def outside(self, point: Float64) -> Float64:
        """Measure how far outside each slab the point lies, signed (positive above), 0 within."""
        value = self.normal @ point
        distance: Float64 = np.maximum(value - self.high, 0.0) - np.maximum(self.low - value, 0.0)
        return distance

    def coverage(self, point: Float64, tolerance: float = 0.0) -> float:
        """Give the share of the slabs that hold the point."""
        return float((np.abs(self.outside(point)) <= tolerance).mean())


def most_satisfying_point(slabs: Slabs, trims: int = 8) -> tuple[Float64, float]:
    """Search for the point in the most slabs; returns it with the share of slabs that hold it."""
    weights = 1 / np.maximum(slabs.high - slabs.low, 1e-300) ** 2
    start = _solve(slabs.normal, slabs.low + (slabs.high - slabs.low) / 2, weights / weights.max())
    best = _least_violating_point(slabs, start)
    share, point, kept = slabs.coverage(best), best, slabs
    for _ in range(trims):
        violation = np.abs(kept.outside(point))
        if not violation.any():
            break
        near = violation <= np.median(violation[violation > 0])
        if near.all():
            near = violation == 0
        if not near.any():
            break
        kept = Slabs(kept.normal[near], kept.low[near], kept.high[near])
        point = _least_violating_point(kept, point)
        covered = slabs.coverage(point)
        if covered > share:
            best, share = point, covered
    return best, share


def _least_violating_point(slabs: Slabs, start: Float64, rounds: int = 12, steps: int = 4) -> Float64:
    """Minimise the total violation."""
    point, everything = start, slabs.normal.T @ slabs.normal
    smoothing = max(float(np.abs(slabs.outside(point)).max()), 1e-300)
    for _ in range(rounds):
        for _ in range(steps):
            distance = slabs.outside(point)
            pull = np.clip(distance / smoothing, -1.0, 1.0)
            inner = (np.abs(pull) < 1) & (pull != 0)
            curved = slabs.normal[inner].T @ slabs.normal[inner] / smoothing
            gradient = slabs.normal.T @ pull
            # Damped by what all slabs would give: keeps the step finite where few are curved.
            step = np.linalg.lstsq(curved + 1e-6 * everything / smoothing, gradient)[0]
            length, cost, slope = 1.0, _cost(distance, smoothing), float(gradient @ step)
            while _cost(slabs.outside(point - length * step), smoothing) > cost - 1e-4 * length * slope:
                length /= 4
                if length < 1e-9:
                    break
            else:
                point = point - length * step
                continue
            break
        smoothing /= 4
    return point


def _cost(distance: Float64, smoothing: float) -> float:
    size = np.abs(distance)
    return float(np.where(size < smoothing, size**2 / (2 * smoothing), size - smoothing / 2).sum())


def _solve(normal: Float64, target: Float64, weights: Float64) -> Float64:
    """Solve weighted least squares, the shortest solution where it is not unique."""
    solution: Float64 = np.asarray(
        np.linalg.lstsq((normal.T * weights) @ normal, normal.T @ (weights * target))[0], np.float64
    )
    return solution
