"""Whether the values of a matrix are few integers or short numbers times a scale, as in an unpacked quantised copy.

Known are integers of 8 and 4 bits with the largest value of a block as their end (Q8_0 has blocks of 32), FP8, and what
`code_tables.py` knows. The scale is that end, so it is as exact as the stored values are. Else it may show that numbers
are few, whichever (`few_significands.py`). Finds a lattice; says nothing of what was rounded to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.forensics.estimators.code_tables import CLEAR, FLOATS, UNEVEN, find_table, in_groups
from modelprov.forensics.estimators.few_significands import few_in_groups, one_quotient
from modelprov.forensics.thresholds import NEARLY_ALL, STEPS_DISTINCT, STEPS_OF_ENDS, STEPS_SHARE

INTEGERS = {"int8": 127, "int4": 7}
SHORT = {"FP8 (E4M3)": (3, 448.0, -6), "FP8 (E5M2)": (2, 57344.0, -14)}
"""Mantissa bits, the largest number, the smallest normal exponent."""
BLOCKS = (None, 128, 64, 32)
SMALLEST = 16  # values side by side that share a scale in any of these, and most often in others
LOOK = 64  # rows of a first look
FEW = 4  # of them, in which weights that were not rounded miss already more than a lattice may in all
GLIMPSE = 256  # values, to see which scales are worth a look
QUOTIENTS = 32  # values side by side whose ends give the size of a step where quotients of columns show few numbers
UNDONE = "few numbers once factors or the order of columns are undone"


@dataclass(frozen=True, eq=False)
class Lattice:
    """The `name` of the numbers, and of which values share a scale; `lower`, `upper` float64 of each value's cell.

    Where cells are not `known`, these are about a step wide, and nothing says what was rounded to the numbers.
    """

    name: str
    lower: Float64
    upper: Float64
    known: bool = True

    def share_within(self, values: Float64) -> float:
        """Share of other values, of the same shape, that would be rounded to the same numbers; 0 if none are known."""
        return float(((self.lower <= values) & (values <= self.upper)).mean()) if self.known else 0.0


def share_in_order(rounded: Float64, values: Float64) -> float:
    """Share of neighbours, among the `values` of a group in order, whose `rounded` numbers, [rows, columns], fall not.

    Rounding to the nearest number keeps order, and gives equal values equal numbers, whatever the scale of a group is.
    """
    of_values, of_rounded = (
        np.pad(each, ((0, 0), (0, -each.shape[1] % SMALLEST)), mode="edge") for each in (values, rounded)
    )
    groups, numbers = (each.reshape(-1, SMALLEST) for each in (of_values, of_rounded))
    order = np.lexsort((-numbers, groups), axis=-1)
    return float((np.diff(np.take_along_axis(numbers, order, axis=-1), axis=-1) >= 0).mean())


def find_lattice(values: Float64, mantissa_bits: int) -> Lattice | None:
    """The lattice that the rows float64 [rows, columns] lie on, stored with so many mantissa bits; None without any."""
    error = 2.2 * 2.0 ** -(mantissa_bits + 1)  # of the value and of the scale, as a share of the value
    if (table := find_table(values, error, FLOATS)) is not None:
        return Lattice(*table)
    for name, (bits, _, exponent) in SHORT.items():
        if (cells := _short(values, np.ones((1, 1)), bits, exponent, error)) is not None:
            return Lattice(name, *cells)
    for name, levels in INTEGERS.items():
        for block in BLOCKS:
            if (cells := _integers(values, levels, block, error)) is not None:
                return Lattice(f"{name} with one scale for {_of(block)}", *cells)
    in_rows = _largest(values, 1)
    largest = in_rows.max(axis=0, keepdims=True)
    if (found := _one_scale(values, float(largest.max(initial=0.0)), error)) is not None:
        return found
    for name, (bits, end, exponent) in SHORT.items():
        for scale, of in ((in_rows, "each row"), (largest, "each tensor")):
            if (cells := _short(values, scale / end, bits, exponent, error)) is not None:
                return Lattice(f"{name} with one scale for {of}", *cells)
    if (table := find_table(values, error, UNEVEN)) is not None:
        return Lattice(*table)
    return _few_numbers(values, mantissa_bits)


def _few_numbers(values: Float64, mantissa_bits: int) -> Lattice | None:
    """Few numbers of an unknown kind; about as wide as a step is then what 16 numbers leave between a group's ends."""
    width = few_in_groups(values, mantissa_bits)
    if width is None and not one_quotient(values, mantissa_bits):
        return None
    name = f"few numbers in each {width} values" if width else UNDONE
    groups = in_groups(values, width or QUOTIENTS)
    groups = values if groups is None else groups
    step = (groups.max(axis=1, keepdims=True) - groups.min(axis=1, keepdims=True)) / (15 if width else 7)
    half = np.broadcast_to(step / 2, groups.shape).reshape(values.shape)
    return Lattice(name, values - half, values + half, known=False)


def _of(block: int | None) -> str:
    return "each row" if block is None else f"each {block} values"


def _integers(values: Float64, levels: int, block: int | None, error: float) -> tuple[Float64, Float64] | None:
    rows, columns = values.shape
    width = columns if block is None else block
    if columns % width or (block is not None and columns == block):
        return None
    groups = values.reshape(rows, -1, width)
    look, few = groups[:LOOK], groups[:FEW]
    if _hopeless(_multiples(few, _largest(few, 2) / levels, error)[0], look.size):
        return None
    if not _on(look, _largest(look, 2) / levels, error):
        return None
    return _cells(groups, _largest(groups, 2) / levels, error, values.shape)


def _largest(values: Float64, axis: int) -> Float64:
    return np.asarray(np.abs(values).max(axis=axis, keepdims=True), np.float64)


def _one_scale(values: Float64, largest: float, error: float) -> Lattice | None:
    """One scale for the whole matrix, of which perhaps not all rows were read: the largest value is some multiple."""
    few = values.ravel()[:: max(1, values.size // 4096)]
    for multiple in _likely(few, largest, error):
        scale = np.array(largest / multiple)
        if _on(few, scale, error) and (found := _cells(values, scale, error, values.shape)) is not None:
            name = "int4" if multiple <= INTEGERS["int4"] else "int8"
            return Lattice(f"{name} with one scale for each tensor", *found)
    return None


def _likely(values: Float64, largest: float, error: float) -> list[int]:
    """The multiples that the largest value may be, the coarsest first, at a glimpse of a few values."""
    multiples = np.arange(2, INTEGERS["int8"] + 1)
    numbers = np.multiply.outer(multiples, values[:: max(1, values.size // GLIMPSE)] / (largest or 1.0))
    steps = np.round(numbers)
    tells = error * np.abs(steps) < CLEAR
    on = tells & (np.abs(numbers - steps) <= error * np.abs(steps) + 1e-9)
    return [int(multiple) for multiple in multiples[on.sum(axis=1) >= NEARLY_ALL * tells.sum(axis=1)]]


def _cells(values: Float64, scale: Float64, error: float, shape: tuple[int, ...]) -> tuple[Float64, Float64] | None:
    if not _on(values, scale, error):
        return None
    steps = np.round(np.divide(values, scale, out=np.zeros_like(values), where=scale > 0))
    slack = 0.5 + error * (np.abs(steps) + 1)
    return ((steps - slack) * scale).reshape(shape), ((steps + slack) * scale).reshape(shape)


def _on(values: Float64, scale: Float64, error: float) -> bool:
    """Whether the values are whole multiples of their scale, of those small enough that storing hides nothing."""
    return _enough(*_multiples(values, scale, error))


def _multiples(values: Float64, scale: Float64, error: float) -> tuple[npt.NDArray[np.bool_], Float64]:
    """Of the values small enough: which are whole multiples of their scale, and of how many steps."""
    multiples = np.divide(values, scale, out=np.full_like(values, np.nan), where=scale > 0)
    steps = np.round(multiples)
    tells = error * np.abs(steps) < CLEAR
    return np.abs(multiples - steps)[tells] <= (error * np.abs(steps) + 1e-9)[tells], np.abs(steps)[tells]


def _short(values: Float64, scale: Float64, bits: int, exponent: int, error: float) -> tuple[Float64, Float64] | None:
    """Numbers of so many mantissa bits, no finer below the smallest normal one."""
    look = values[:LOOK]
    if _hopeless(_numbers(look[:FEW], scale[:FEW], bits, exponent, error)[0], look.size):
        return None
    if len(values) > LOOK and not _enough(*_numbers(look, scale[:LOOK], bits, exponent, error)[:2]):
        return None
    on, largest, nearest, slack = _numbers(values, scale, bits, exponent, error)
    return ((nearest - slack) * scale, (nearest + slack) * scale) if _enough(on, largest) else None


def _numbers(
    values: Float64, scale: Float64, bits: int, exponent: int, error: float
) -> tuple[npt.NDArray[np.bool_], Float64, Float64, Float64]:
    """Which values are short numbers, the nearest one's size and itself, and half the way to the next one."""
    numbers = np.divide(values, scale, out=np.zeros_like(values), where=scale > 0)
    with np.errstate(divide="ignore"):
        power = np.where(numbers != 0, np.floor(np.log2(np.abs(numbers) * (1 + error))), float(exponent))
    step = 2.0 ** (np.maximum(power, exponent) - bits)
    nearest = np.round(numbers / step) * step
    on = (np.abs(numbers - nearest) <= error * np.abs(numbers) + 1e-12).ravel()
    return on, np.abs(nearest), nearest, step * 0.5 + error * np.abs(numbers)


def _hopeless(on: npt.NDArray[np.bool_], elements: int) -> bool:
    """Whether among a few values more miss than may among all `elements` of a lattice: looking at all says the same."""
    return on.size - int(np.count_nonzero(on)) - 1 > (1 - STEPS_SHARE) * elements


def _enough(on: npt.NDArray[np.bool_], steps: Float64) -> bool:
    """Whether nearly all are on the lattice, and many, and on more than a few of its numbers."""
    return on.size >= STEPS_OF_ENDS and float(on.mean()) >= STEPS_SHARE and np.unique(steps).size >= STEPS_DISTINCT
