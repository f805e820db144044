"""Where a computed number lies in the rounding cell of what is held: nearer the middle than chance puts it, or not.

A mixture of parents that came first falls anywhere in the cell that it is rounded to. Where a parent was made from the
suspect, to its own rounding or with a little noise, the result falls back near the suspect. Measures; judges nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.forensics.thresholds import CENTRED_ELEMENTS, CERTAIN

DEPTHS = (0.25, 0.5, 0.75, 0.9)  # of a cell, where the parent is stored so finely that its own cell says nothing
FINER = 8  # cells of the parent in one of the suspect from which this holds
TOUCHING = 1e-6  # of a cell: on its border


@dataclass(frozen=True, eq=False)
class Line:
    """Elements computed from one parent and the rest, `weight` of it the parent's, all float64 [m].

    `rest` is what the others contribute, `given` and `cell` the width of the rounding cells of parent and suspect.
    """

    suspect: Float64
    parent: Float64
    rest: Float64
    weight: Float64
    given: Float64
    cell: Float64

    @staticmethod
    def joined(lines: Sequence[Line]) -> Line:
        """The elements of several, one at least."""
        return Line(**{name: np.concatenate([getattr(line, name) for line in lines]) for name in vars(lines[0])})

    def take(self, chosen: npt.NDArray[np.bool_]) -> Line:
        """Some of the elements."""
        if chosen.all():
            return self
        kept = np.flatnonzero(chosen)  # looked for once, not once an array
        return Line(**{name: values[kept] for name, values in vars(self).items()})

    def place(self, steps: Float64 | float = 0.0) -> Float64:
        """How far the result lies from the middle of its own cell, in cells, were the parent `steps` cells further."""
        result = self.rest + self.weight * (self.parent + steps * self.given)
        away = np.abs(result - self.suspect) / self.cell
        return np.asarray(np.abs(away - np.round(away)), np.float64)


def nearer(line: Line, seed: int) -> float:
    """Share of the elements in the middle of their cells beyond what chance puts there, 0 where that is not certain.

    Chance is measured: the same elements with the parent moved by a few of its own cells, about one of the suspect's.
    Elements that are as good as one of the ends have to be left out before.
    """
    elements = line.suspect.size
    if elements < CENTRED_ELEMENTS:
        return 0.0
    own = np.abs(line.weight) * line.given / line.cell  # the parent's cell, seen in the suspect's
    reach = np.maximum(1, np.round(1 / own))
    rng = np.random.default_rng(seed)
    steps = np.ceil(rng.random(elements) * reach) * rng.choice([-1.0, 1.0], elements)
    found, moved = line.place(), line.place(steps)
    middle = np.partition(reach, [(elements - 1) // 2, elements // 2])[(elements - 1) // 2 : elements // 2 + 1]
    finer = float(middle.mean()) >= FINER  # the median, without the masked arrays that numpy's own loads
    depths = [own / 2, *(np.full(elements, depth / 2) for depth in DEPTHS if finer)]
    best = 0.0
    for depth in depths:
        inside, chance = float(_within(found, depth).mean()), float(_within(moved, depth).mean())
        error = CERTAIN * np.sqrt(max(chance * (1 - chance), 0.25 / elements) * 2 / elements)
        if inside - chance > error:
            best = max(best, (inside - chance) / (1 - chance))
    return best


def _within(place: Float64, depth: Float64) -> Float64:
    """1 inside the depth, a half on its border, where rounding goes either way, 0 beyond."""
    return np.where(np.abs(place - depth) <= TOUCHING, 0.5, (place < depth).astype(np.float64))
