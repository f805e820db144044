"""Where a method's result, not yet rounded, lies in the suspect's cells: in the middle, if a parent was made from it.

The test that `search/reversal.py` makes of weighted sums, for methods that are none. Only an element that is mixed, no
parent's number, has such a place: of elements that are picked from one parent or another there is nothing to measure.
Measures; judges nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import DType, Float64, round_to, rounding_cell
from modelprov.forensics.estimators.centring import FINER, Line, nearer
from modelprov.forensics.search.methods.masked import unmasked
from modelprov.forensics.search.methods.remake import Made
from modelprov.forensics.search.methods.subsets import Mask
from modelprov.forensics.search.methods.whole import Whole
from modelprov.forensics.thresholds import CENTRED_ELEMENTS, FAR, HALF

ELEMENTS = 200_000  # that are enough
LEAST_WEIGHT = 0.02  # of the parent in an element, for its place in the cell to hang on the parent
ALONE, TURNS = 7, 3  # every so manieth element is moved alone, and so often those beside them
SMOOTH = 0.1  # of a weight, that it may differ by between a cell up and a cell down
Lines = Callable[[Whole, int], Line | None]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Middle:
    """Of `elements` that hang on a parent (0 ...), the `share` nearer the middle of the suspect's cells than by chance.

    `finer`: the parent holds finer numbers than the suspect, so that it could have been made to fit; `told`: whether
    the elements are enough to see it. Of parents coarser than the suspect the elements are counted alone: what such
    a parent gives, mixed, is hardly ever the number that somebody wants.
    """

    parent: int
    share: float
    elements: int
    finer: bool

    @property
    def told(self) -> bool:
        """Whether enough elements stand behind the share."""
        return self.elements >= CENTRED_ELEMENTS


def of_method(made: Made, wholes: Callable[[], Iterable[Whole]], seed: int) -> tuple[Middle, ...]:
    """For each parent that takes part in a method which is no chance."""
    return _measured(_parents(made), wholes, lambda whole, parent: _line(made, whole, parent), seed)


def of_masks(made: Made, wholes: Callable[[], Iterable[Whole]], seed: int) -> tuple[Middle, ...]:
    """The same where the mask is random: in the elements that tell which models took part."""
    assert made.base is not None
    base, models = made.base, made.models

    def line(whole: Whole, parent: int) -> Line | None:
        found = unmasked(whole, base, models)
        if found is None:
            return None
        origin = whole.parents[base].astype(np.float64)[found.which]
        weight = 1 - found.weights.sum(axis=0) if parent == base else found.weights[models.index(parent)]
        return _far(whole, parent, _parents(made), found.which, origin + found.change, np.asarray(weight, np.float64))

    return _measured(_parents(made), wholes, line, seed)


def _parents(made: Made) -> Sequence[int]:
    return made.models if made.base is None else (*made.models, made.base)


def _measured(
    parents: Sequence[int], wholes: Callable[[], Iterable[Whole]], line: Lines, seed: int
) -> tuple[Middle, ...]:
    lines: dict[int, list[Line]] = {parent: [] for parent in parents}
    coarse, finer = dict.fromkeys(parents, 0), dict.fromkeys(parents, False)
    for whole in wholes():
        for parent, found in lines.items():
            bits = whole.formats[parent].mantissa_bits
            finer[parent] |= bits > whole.stored.mantissa_bits
            if _counted(found) + coarse[parent] < ELEMENTS and (part := line(whole, parent)) is not None:
                if bits < whole.stored.mantissa_bits:
                    coarse[parent] += part.suspect.size
                else:
                    found.append(part)
        if all(_counted(found) + coarse[parent] >= ELEMENTS for parent, found in lines.items()):
            break
    return tuple(
        Middle(
            parent, nearer(Line.joined(found), seed) if found else 0.0, _counted(found) + coarse[parent], finer[parent]
        )
        for parent, found in lines.items()
    )


def _counted(lines: Sequence[Line]) -> int:
    return sum(line.suspect.size for line in lines)


def _line(made: Made, whole: Whole, parent: int) -> Line | None:
    """The elements that hang on a parent, by computing them with it as it is, a cell up and a cell down.

    All at once, and unless most then hang on it, a few alone: where a cell is as large as what training changed, moving
    all moves the angle or the ranks of the tensor as well, and with these every element.
    """
    read = _read(whole, made.dtype or whole.formats[_parents(made)[-1]])
    low, high = rounding_cell(read.parents[parent].astype(np.float64), read.formats[parent])
    lower, upper = whole.cell
    cells = np.maximum(1, np.round((upper - lower) / (high - low))) * (high - low)
    exact = made.unrounded(read)
    if exact is None:
        return None
    places = np.arange(whole.elements)
    weight = np.zeros(whole.elements)
    for moved in (places >= 0, *(places % ALONE == turn for turn in range(TURNS))):
        found = _weight(made, read, parent, exact, np.where(moved, cells, 0.0))
        if found is None:
            return None
        weight = np.where(moved & (found != 0), found, weight)
        if np.count_nonzero(weight) >= HALF * weight.size:
            break
    return _far(read, parent, _parents(made), places, exact, weight)


def _weight(made: Made, read: Whole, parent: int, exact: Float64, cells: Float64) -> Float64 | None:
    """The parent's weight in each element that is moved by so much, up and down; 0 where the two ways differ."""
    weights = []
    for way in (cells, -cells):
        moved = read.parents.copy()
        moved[parent] = read.parents[parent] + way
        beside = made.unrounded(replace(read, parents=moved))
        if beside is None:
            return None
        by = moved[parent].astype(np.float64) - read.parents[parent]
        with np.errstate(divide="ignore", invalid="ignore"):
            weights.append(np.where(by != 0, (beside - exact) / by, 0.0))
    # next to a threshold of the method the parent has another part on either side, and no weight
    return np.where(np.abs(weights[0] - weights[1]) <= SMOOTH * np.abs(weights[0]), weights[0], 0.0)


def _read(whole: Whole, dtype: DType) -> Whole:
    """The tensor as a program reads it that computes in a format: parents of finer numbers are rounded first."""
    parents, formats = whole.parents.copy(), list(whole.formats)
    for number, given in enumerate(formats):
        if given.mantissa_bits > dtype.mantissa_bits:
            parents[number] = round_to(parents[number].astype(np.float64), dtype)
            formats[number] = dtype
    return replace(whole, parents=parents, formats=tuple(formats))


def _far(
    whole: Whole, parent: int, parents: Sequence[int], which: Places, result: Float64, weight: Float64
) -> Line | None:
    """The elements of `which`, indices, that hang on the parent and lie a cell from every other one that takes part.

    From the parent too, unless its own cells are so fine that they say nothing: near an end that is as coarse as the
    suspect the place in the cell is no matter of chance.
    """
    suspect = whole.suspect[which].astype(np.float64)
    lower, upper = (end[which] for end in whole.cell)
    own = whole.parents[:, which].astype(np.float64)
    low, high = rounding_cell(own[parent], whole.formats[parent])
    cell, given = upper - lower, high - low
    chosen: Mask = (np.abs(weight) >= LEAST_WEIGHT) & (np.abs(result - suspect) <= cell)
    for other in parents:
        away = np.abs(own[other] - suspect) >= FAR * cell
        chosen &= away | (FINER * given <= cell) if other == parent else away
    if not chosen.any():
        return None
    line = Line(suspect, own[parent], result - weight * own[parent], weight, given, cell)
    return line.take(chosen)
