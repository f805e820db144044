"""The mixing coefficients of several parents that respect every rounding cell: a polytope, by linear programming.

Each element is a slab, lower - P0 <= sum alpha_i u_i <= upper - P0 (cells widened by the merging program's own error).
If S is an exact merge the slabs have a common point; the bounding box of their intersection is exact because slabs are
added to the programs until no slab is violated. Programs are solved in coordinates centred on, and scaled to, the
polytope, since solvers stop at 1e-10 and boxes are 1e-6 wide. Empty: `empty_polytope.py` looks for the point that
satisfies the most. Source: set membership
(F. C. Schweppe 1968, IEEE Trans. Autom. Control 13:22); `docs/method.md`, "Several parents". One parent: `interval.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.forensics.estimators.empty_polytope import Slabs, most_satisfying_point
from modelprov.forensics.sampling.sample import FLOAT32_ERROR, Sample, widened_cell

_START, _ADDED = 2000, 200
_REACH = 1e3
"""Coefficients are sought within this distance of the origin; a side of the box that reaches it is unbounded."""


@dataclass(frozen=True)
class PolytopeFit:
    """The box [low_i, high_i] of each delta's coefficient (None where unbounded), and a point inside the polytope.

    `centre`: the centre of the largest ball inside (feasible), else the point found to satisfy the most slabs.
    `coverage`: the share of all `elements` (some u != 0) whose slab holds the centre. Infeasible: `low` and `high` are
    None, no exact merge exists.
    """

    feasible: bool
    low: tuple[float | None, ...] | None = None
    high: tuple[float | None, ...] | None = None
    centre: tuple[float, ...] | None = None
    coverage: float | None = None
    elements: int = 0
    reason: str | None = None


@dataclass(eq=False)
class _Programs:
    """Linear programs over a growing set of slabs, in coordinates x with alpha = origin + scale * x."""

    slabs: Slabs
    origin: Float64
    scale: float
    working: npt.NDArray[np.bool_] = field(repr=False)

    def solve(self, cost: Float64, ball: bool) -> Float64 | None:
        """Minimise `cost` over all slabs; with `ball` the last variable is a radius that each slab must leave room for.

        Returns the point x (float64[d], or [d + 1]), None if the slabs contradict each other.
        """
        from scipy.optimize import linprog

        below = (self.slabs.low - self.slabs.normal @ self.origin) / self.scale
        above = (self.slabs.high - self.slabs.normal @ self.origin) / self.scale
        reach = _REACH / self.scale
        while True:
            chosen = np.flatnonzero(self.working)
            normal = self.slabs.normal[chosen]
            room = np.ones((chosen.size, 1 if ball else 0))
            matrix = np.vstack([np.hstack([normal, room]), np.hstack([-normal, room])])
            limits = np.concatenate([above[chosen], -below[chosen]])
            answer = linprog(
                cost,
                matrix,
                limits,
                bounds=(-reach, reach),
                method="highs",
                options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
            )
            if answer.status != 0:
                return None
            d = normal.shape[1]
            point: Float64 = np.asarray(answer.x, np.float64)
            value = self.slabs.normal @ point[:d]
            radius = float(point[d]) if ball else 0.0
            violation = np.maximum(below - value, value - above) + radius
            violation[chosen] = 0.0
            worst = np.argsort(violation)[-_ADDED:]
            worst = worst[violation[worst] > 1e-9]
            if worst.size == 0:
                return point
            self.working[worst] = True


def fit(sample: Sample, margin: float = FLOAT32_ERROR) -> PolytopeFit:
    """Bound the coefficients of all deltas at once; exact up to 1e-9 of the box's own size."""
    differs = (sample.deltas != 0).any(axis=0)
    kept = sample if differs.all() else sample.take(differs)
    u, n = kept.deltas, kept.elements
    if n == 0 or u.shape[0] == 0:
        return PolytopeFit(False, reason="no element tells a parent from the reference")
    lower, upper = widened_cell(kept, margin)
    length = np.sqrt((u**2).sum(axis=0)) if np.abs(u).min() > 1e-150 else np.abs(u).max(axis=0)
    reference = kept.parents[-1]
    with np.errstate(over="ignore"):
        slabs = Slabs((u / length).T.copy(), (lower - reference) / length, (upper - reference) / length)
    usable = slabs.high - slabs.low < _REACH
    if not usable.any():
        return PolytopeFit(False, elements=n, reason="rounding hides the coefficients: every cell allows any of them")
    slabs = Slabs(slabs.normal[usable], slabs.low[usable], slabs.high[usable])
    centre, radius, programs = _largest_ball(slabs)
    if radius < 0:
        raw = (length / length.max())[usable]
        point, satisfied = most_satisfying_point(Slabs(slabs.normal * raw[:, None], slabs.low * raw, slabs.high * raw))
        coverage = (satisfied * slabs.low.size + n - slabs.low.size) / n
        return PolytopeFit(False, centre=tuple(map(float, point)), coverage=coverage, elements=n)
    low, high = _box(programs, u.shape[0])
    coverage = (slabs.coverage(centre, 1e-9 * programs.scale) * slabs.low.size + n - slabs.low.size) / n
    return PolytopeFit(True, low, high, tuple(map(float, centre)), coverage, n)


def _largest_ball(slabs: Slabs) -> tuple[Float64, float, _Programs]:
    """Find the largest ball inside all slabs (a negative radius: none has a point in common), ever closer up."""
    working = np.zeros(slabs.low.size, np.bool_)
    working[np.argsort(slabs.high - slabs.low)[:_START]] = True
    d = slabs.normal.shape[1]
    programs = _Programs(slabs, np.zeros(d), 1.0, working)
    cost = np.append(np.zeros(d), -1.0)
    radius = 0.0
    for _ in range(4):
        point = programs.solve(cost, ball=True)
        if point is None:  # the solver gave up at this scale; the previous answer stands
            break
        programs.origin = programs.origin + programs.scale * point[:-1]
        radius = float(point[-1]) * programs.scale
        finer = max(abs(radius), 1e-8 * programs.scale, 1e-14)
        if finer > 0.1 * programs.scale:
            break
        programs.scale = finer
    return programs.origin, radius if abs(radius) > 1e-9 * programs.scale else 0.0, programs


def _box(programs: _Programs, d: int) -> tuple[tuple[float | None, ...], tuple[float | None, ...]]:
    """Minimise and maximise each coefficient."""
    sides: list[list[float | None]] = [[], []]
    for i in range(d):
        for side, sign in zip(sides, (1.0, -1.0), strict=True):
            point = programs.solve(sign * np.eye(d)[i], ball=False)
            value = None if point is None else float(programs.origin[i] + programs.scale * point[i])
            side.append(None if value is None or abs(value) > 0.99 * _REACH else value)
    return tuple(sides[0]), tuple(sides[1])
