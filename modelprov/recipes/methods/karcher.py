"""Karcher: the equally weighted mean on the sphere (Riemannian centre of mass, Karcher 1977), times the mean length.

    repeat: v = 1/N sum_i a_i / sin(a_i) (u_i - cos(a_i) m),   m <- cos|v| m + sin|v| v / |v|
    merged = m 1/N sum_i |t_i|

u_i are the directions of the tensors, a_i their angles to m, which starts at their normalised mean; at most `max_iter`
steps, until |v| < `tol`. In 16-bit formats vectors, cosines and angles are rounded after each operation, lengths not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.recipes.methods import steps
from modelprov.recipes.methods.choosing import program_steps, steps_of
from modelprov.recipes.methods.interface import PRESETS, Float32, Inputs, MergeBlock, Method, Parameter, Passes, Whole
from modelprov.recipes.methods.steps import FLOAT32, FLOAT64, Real, Steps, loaded, stored
from modelprov.recipes.methods.totals import Total, length, total

SMALLEST = 1e-12


def merge(inputs: Inputs) -> Float32:
    """Every tensor is one vector. Zero tensors do not count; opposite ones start at the first."""
    step, scalar = _steps(inputs)
    tensors, _ = loaded(inputs, step)
    norms = [scalar.norm(tensor) for tensor in tensors]
    path = _Path(step, scalar, norms)
    if not path.counted:
        return stored(np.zeros_like(tensors[0]), inputs.out_dtype)
    units = path.units(tensors)
    path.length = scalar.norm(path.sum(units))
    mean = path.start(units)
    for _ in range(_most(inputs)):
        turns = path.turns([step.vector_dot(mean, unit) for unit in units], _tolerance(inputs))
        way = path.way(units, mean, turns)
        length_of_way = scalar.norm(way)
        if float(length_of_way[0]) < _tolerance(inputs):
            break
        moved = path.moved(mean, way, length_of_way)
        mean = step(moved / scalar.norm(moved))
    return _sized(mean, norms, inputs)


def look(whole: Whole) -> MergeBlock:
    """The lengths in one pass, and three passes a step: the angles, the way to go, and the length of where it ends.

    The mean is not kept: any elements of it follow from the lengths and angles of all steps so far.
    """
    about, (step, scalar) = whole.about, _steps(whole.about)

    def summed(totals: list[Total], values: Callable[[list[Real]], list[Real]]) -> list[Real]:
        for _, block in whole.blocks(0):
            for each, part in zip(totals, values(loaded(block, step)[0]), strict=True):
                each.add(part)
        return [each.result() for each in totals]

    def summed_length(values: Callable[[list[Real]], Real]) -> Real:
        return summed([length(scalar)], lambda tensors: [values(path.units(tensors))])[0]

    norms = summed([length(scalar) for _ in about.models], lambda tensors: tensors)
    path = _Path(step, scalar, norms)
    if not path.counted:
        return lambda _first, inputs: stored(np.zeros_like(loaded(inputs, step)[0][0]), inputs.out_dtype)
    path.length = summed_length(path.sum)
    for _ in range(_most(about)):

        def products(tensors: list[Real]) -> list[Real]:
            units = path.units(tensors)
            mean = path.mean(units)
            return [step(mean * unit) for unit in units]

        turns = path.turns(summed([total(step, whole.count) for _ in path.counted], products), _tolerance(about))
        along = summed_length(lambda units: path.way(units, path.mean(units), turns))  # noqa: B023  (called at once)
        if float(along[0]) < _tolerance(about):
            break
        path.moves.append(_Move(turns, along))
        path.moves[-1] = replace(path.moves[-1], norm=summed_length(path.mean))
    return lambda _first, inputs: _sized(path.mean(path.units(loaded(inputs, step)[0])), norms, inputs)


def _block(about: Inputs) -> int:
    """Torch's dot product of two vectors is that of another library, whose order nobody promises."""
    return 0 if about.arithmetic in PRESETS and steps_of(about) is not FLOAT64 else steps.BLOCK


def _steps(inputs: Inputs) -> tuple[Steps, Steps]:
    """What rounds vectors and angles, and what rounds lengths (float32 where vectors are bf16)."""
    step = steps_of(inputs)
    if step is FLOAT64:
        return step, step
    return step, program_steps(DType.F32) if inputs.arithmetic in PRESETS else FLOAT32


def _most(inputs: Inputs) -> int:
    return int(inputs.options.get("max_iter", 10))


def _tolerance(inputs: Inputs) -> float:
    return float(inputs.options.get("tol", 1e-5))


def _sized(mean: Real, norms: list[Real], inputs: Inputs) -> Float32:
    step, scalar = _steps(inputs)
    counted = [norm for norm in norms if float(norm[0]) > SMALLEST]
    return stored(step(_mean_size(counted, inputs.arithmetic, step, scalar) * mean), inputs.out_dtype)


def _mean_size(norms: list[Real], arithmetic: str, step: Steps, scalar: Steps) -> Real:
    """The mean length: mergekit 0.1.4 adds in float64, everything else as it computes, rounded like a vector."""
    if arithmetic == "mergekit-0.1.4":
        return scalar.exact([sum(float(norm[0]) for norm in norms) / len(norms)])
    return step(scalar(scalar.add(norms) / scalar.exact(len(norms))))


@dataclass(frozen=True)
class _Move:
    """One step on the sphere: a cosine and a factor for every direction that it turns to, its length.

    `norm` is the length of where it ends, None before that is known.
    """

    turns: list[tuple[int, Real, Real]]
    length: Real
    norm: Real | None = None


class _Path:
    """The way from the normalised mean of the directions to their mean on the sphere."""

    def __init__(self, step: Steps, scalar: Steps, norms: list[Real]) -> None:
        self._step, self._scalar, self._norms = step, scalar, norms
        self.counted = [number for number, norm in enumerate(norms) if float(norm[0]) > SMALLEST]
        self._share = scalar.exact(1 / max(1, len(self.counted)))
        self.length: Real = np.zeros(1)  # of the mean of the directions
        self.moves: list[_Move] = []

    def units(self, tensors: list[Real]) -> list[Real]:
        """The directions of the tensors that count."""
        return [self._step(tensors[number] / self._norms[number]) for number in self.counted]

    def sum(self, units: list[Real]) -> Real:
        """The mean of the directions."""
        mean = np.zeros_like(units[0])
        for unit in units:
            mean = self._step(mean + self._step(self._share * unit))
        return mean

    def start(self, units: list[Real]) -> Real:
        """The first mean direction."""
        return self._step(self.sum(units) / self.length) if float(self.length[0]) > SMALLEST else units[0]

    def turns(self, cosines: list[Real], tolerance: float) -> list[tuple[int, Real, Real]]:
        """Which directions a step turns to, with their cosines and factors."""
        step, found = self._step, []
        for number, dot in enumerate(cosines):
            cosine = np.clip(dot, -1, 1)
            angle = step.arccosine(cosine)
            if float(angle[0]) >= tolerance:
                found.append((number, cosine, step(self._share * step.divide(angle, step.sine(angle)))))
        return found

    def way(self, units: list[Real], mean: Real, turns: list[tuple[int, Real, Real]]) -> Real:
        """The step in the tangent space."""
        step, way = self._step, np.zeros_like(mean)
        for number, cosine, factor in turns:
            way = step(way + step(factor * step(units[number] - step(cosine * mean))))
        return way

    def moved(self, mean: Real, way: Real, length_of_way: Real) -> Real:
        """Where a step ends, not yet of length 1."""
        step, scalar = self._step, self._scalar
        along = step(step(scalar.sine(length_of_way)) * step(way / length_of_way))
        return step(step(step(scalar.cosine(length_of_way)) * mean) + along)

    def mean(self, units: list[Real]) -> Real:
        """The mean direction after all moves."""
        mean = self.start(units)
        for move in self.moves:
            mean = self.moved(mean, self.way(units, mean, move.turns), move.length)
            mean = mean if move.norm is None else self._step(mean / move.norm)
        return mean


METHOD = Method(
    "karcher",
    needs_base=False,
    elementwise=False,
    random=False,
    parameters=(
        Parameter("max_iter", 10, False, "most steps", low=0, high=10_000),
        Parameter("tol", 1e-5, False, "step length at which to stop", low=0),
    ),
    merge=merge,
    fewest=2,
    passes=Passes(_block, look),
)
