"""SLERP and NuSLERP: two tensors, or two task vectors, weighed as an arc weighs them. Proposes merges; judges none.

Mark: the two weights add up to sin((1-t) a)/sin(a) + sin(t a)/sin(a), not to 1, a the angle between the vectors. t
comes from the rounding cells of each tensor alone, since it may differ by layer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import combinations

import numpy as np

from modelprov.checkpoints.formats.dtypes import DType, Float64
from modelprov.forensics.search.methods.gradients import Allowed, setting
from modelprov.forensics.search.methods.mixtures import FLOAT32_ERROR, combination, of_tensors, place
from modelprov.forensics.search.methods.remake import ALL, VARIANTS, Made
from modelprov.forensics.search.methods.snapping import near
from modelprov.forensics.search.methods.whole import THIN, Whole
from modelprov.recipes.methods.slerp import PARALLEL

SLERP = (("mergekit-0.1.5", None), ("mergekit-0.1.4", None), ("float32", DType.F32), ("float64", DType.F32))
BEND = 0.1  # what arcs of rows leave of a combination of whole tensors, as a share of the suspect's difference
ANGLE_ERROR = 2e-6  # of t, that a program's float32 angle may cost; the bits decide in the end
LEAST = 50  # elements of a tensor that tell its place
PLACED = 0.999  # of a tensor's cells that allow its place: a program's last bits leave some; the bits decide in the end


def slerp(wholes: Callable[[], Iterable[Whole]], looks: Sequence[Whole]) -> Iterator[Made]:
    """Slerp of two of the parents, with one t or with t by layer, from all `wholes`."""
    for first, second in combinations(range(len(looks[0].parents)), 2):
        if not all(of_tensors(look, (first, second)).fits for look in looks[:2]):
            continue
        allowed = [found for whole in wholes() if (found := _allowed(whole, first, second)) is not None]
        if not allowed:
            continue
        given = setting(allowed)
        if given is None:
            continue
        for arithmetic, dtype in SLERP:
            yield Made("slerp", (second,), first, options={"t": given}, arithmetic=arithmetic, dtype=dtype)
            yield Made("slerp", (first,), second, options={"t": _turned(given)}, arithmetic=arithmetic, dtype=dtype)


def _turned(given: object) -> object:
    """1 - t, of whatever form."""
    if isinstance(given, list):
        return [
            {**item, "value": _turned(item["value"])} if isinstance(item, dict) else _turned(item) for item in given
        ]
    return round(1 - float(given), 12)  # type: ignore[arg-type]


def _allowed(whole: Whole, first: int, second: int) -> Allowed | None:
    """The places t on the arc from `first` to `second` that every rounding cell of the tensor allows."""
    some = whole.thinned(THIN)
    arc = _Arc(some.parents[first].astype(np.float64), some.parents[second].astype(np.float64), PARALLEL)
    if some is not whole:  # the angle is that of the whole tensors
        x, y = (whole.parents[parent].astype(np.float64) for parent in (first, second))
        arc.turn(np.array([(x @ y) / np.sqrt((x @ x) * (y @ y))]), PARALLEL)
    start = arc.start(of_tensors(some, (first, second)).weights)
    fitted = place(some, arc.at, start, FLOAT32_ERROR * (np.abs(arc.x) + np.abs(arc.y)).ravel())
    if fitted.low is None or fitted.high is None or fitted.elements < LEAST or (fitted.coverage or 0) < PLACED:
        return None
    return Allowed(whole.name, whole.position, fitted.low - ANGLE_ERROR, fitted.high + ANGLE_ERROR)


class _Arc:
    """The arc between the rows of `x` and `y` [rows, n]: the merge at t, and how it moves with t."""

    def __init__(self, x: Float64, y: Float64, parallel: float = 1.0, origin: Float64 | float = 0.0) -> None:
        self.x, self.y, self.origin = np.atleast_2d(x), np.atleast_2d(y), origin
        lengths = np.sqrt(np.square(self.x).sum(1) * np.square(self.y).sum(1))
        with np.errstate(invalid="ignore", divide="ignore"):
            cosine = np.clip(np.nan_to_num((self.x * self.y).sum(1) / lengths, nan=1.0), -1, 1)
        self.turn(cosine, parallel)

    def turn(self, cosine: Float64, parallel: float) -> None:
        """Take the angles from these cosines [rows]."""
        self.angle = np.arccos(np.clip(cosine, -1, 1))[:, None]
        self.straight = (np.abs(cosine) > parallel)[:, None] | (np.sin(self.angle) < 1e-8)

    def start(self, weights: Float64) -> float:
        """T from the two weights that least squares found; the middle where they add up to nothing, and no t fits."""
        angle, (one, two) = float(self.angle.mean()), weights
        if self.straight.all() or not angle:
            return float(two / (one + two)) if one + two else 0.5
        return float(np.arctan2(two * np.sin(angle), one + two * np.cos(angle)) / angle)

    def at(self, t: float) -> tuple[Float64, Float64]:
        """The merge at t and its derivative, float64 [n]."""
        angle = np.where(self.straight, 1.0, self.angle)
        sine = np.sin(angle)
        one = np.where(self.straight, 1 - t, np.sin((1 - t) * angle) / sine)
        two = np.where(self.straight, t, np.sin(t * angle) / sine)
        less = np.where(self.straight, -1.0, -angle * np.cos((1 - t) * angle) / sine)
        more = np.where(self.straight, 1.0, angle * np.cos(t * angle) / sine)
        return (one * self.x + two * self.y).ravel() + self.origin, (less * self.x + more * self.y).ravel()


def nuslerp(looks: Sequence[Whole]) -> Iterator[Made]:
    """NuSLERP of two of the parents, or of two task vectors; of whole tensors, rows or columns."""
    parents = range(len(looks[0].parents))
    look = looks[0]
    for base in (None, *reversed(parents)):
        for first, second in combinations([parent for parent in parents if parent != base], 2):
            for options in ({}, {"nuslerp_flatten": False}, {"nuslerp_flatten": False, "nuslerp_row_wise": True}):
                t = _place_of(look, base, first, second, options)
                if t is None:
                    continue
                for value in near(t):
                    each = ({"weight": round(1 - value, 12)}, {"weight": value})
                    for arithmetic, dtype in VARIANTS if options else ALL:
                        yield Made("nuslerp", (first, second), base, each, options, arithmetic, dtype)


def _place_of(whole: Whole, base: int | None, first: int, second: int, options: dict[str, bool]) -> float | None:
    """T by the rounding cells, or None where the suspect is no combination of the two."""
    if base is None:
        x, y = (whole.parents[parent].astype(np.float64) for parent in (first, second))
        origin: Float64 | float = 0.0
        flat = of_tensors(whole, (first, second))
    else:
        value, (x, y) = whole.vectors(base, (first, second))
        origin = whole.parents[base].astype(np.float64)
        flat = combination(value, np.stack([x, y]), whole.half)
    if not flat.fits and (not options or flat.bend > BEND):
        return None
    if options:
        if len(whole.shape) < 2:
            return None
        x, y = x.reshape(whole.shape[0], -1), y.reshape(whole.shape[0], -1)
        if options.get("nuslerp_row_wise"):
            return None if flat.weights.sum() == 0 else float(flat.weights[1] / flat.weights.sum())
    arc = _Arc(x, y, 1.0, origin)
    error = FLOAT32_ERROR * (np.abs(arc.x) + np.abs(arc.y)).ravel()
    if whole.stored is not DType.F32:  # every step may be rounded to 16 bits
        error = error + whole.half
    fitted = place(whole, arc.at, arc.start(flat.weights), error)
    return fitted.alpha
