"""Whether the values of a matrix are few integers or short numbers times a scale, as in an unpacked quantised copy.

Known are integers of 8 and 4 bits with the largest value of a block as their end (Q8_0 has blocks of 32) and FP8. The
scale is that end, so it is as exact as the stored values are. Finds a lattice; says nothing of what was rounded to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.forensics.thresholds import NEARLY_ALL, STEPS, STEPS_DISTINCT, STEPS_SHARE

INTEGERS = {"int8": 127, "int4": 7}
SHORT = {"FP8 (E4M3)": (3, 448.0, -6), "FP8 (E5M2)": (2, 57344.0, -14)}
"""Mantissa bits, the largest number, the smallest normal exponent."""
BLOCKS = (None, 128, 64, 32)
LOOK = 64  # rows of a first look
GLIMPSE = 256  # values, to see which scales are worth a look
CLEAR = 0.1  # of a step: numbers that storing moved by more tell nothing


@dataclass(frozen=True, eq=False)
class Lattice:
    """The `name` of the numbers, and of which values share a scale; `lower`, `upper` float64 of each value's cell."""

    name: str
    lower: Float64
    upper: Float64

    def share_within(self, values: Float64) -> float:
        """Share of other values, of the same shape, that would be rounded to the same numbers."""
        return float(((self.lower <= values) & (values <= self.upper)).mean())


def find_lattice(values: Float64, mantissa_bits: int) -> Lattice | None:
    """The lattice that the rows float64 [rows, columns] lie on, stored with so many mantissa bits; None without any."""
    error = 2.2 * 2.0 ** -(mantissa_bits + 1)  # of the value and of the scale, as a share of the value
    for name, (bits, _, exponent) in SHORT.items():
        if (found := _short(values, np.ones((1, 1)), bits, exponent, error)) is not None:
            return Lattice(name, *found)
    for name, levels in INTEGERS.items():
        for block in BLOCKS:
            if (found := _integers(values, levels, block, error)) is not None:
                return Lattice(f"{name} with one scale for {_of(block)}", *found)
    if (one := _one_scale(values, error)) is not None:
        return one
    for name, (bits, largest, exponent) in SHORT.items():
        for axis, of in ((1, "each row"), (None, "each tensor")):
            scale = np.abs(values).max(axis=axis, keepdims=True) / largest
            if (found := _short(values, scale, bits, exponent, error)) is not None:
                return Lattice(f"{name} with one scale for {of}", *found)
    return None


def _of(block: int | None) -> str:
    return "each row" if block is None else f"each {block} values"


def _integers(values: Float64, levels: int, block: int | None, error: float) -> tuple[Float64, Float64] | None:
    rows, columns = values.shape
    width = columns if block is None else block
    if columns % width or (block is not None and columns == block):
        return None
    groups = values.reshape(rows, -1, width)
    scale = np.abs(groups).max(axis=2, keepdims=True) / levels
    if not _on(groups[:LOOK], scale[:LOOK], error):
        return None
    return _cells(groups, scale, error, values.shape)


def _one_scale(values: Float64, error: float) -> Lattice | None:
    """One scale for the whole matrix, of which perhaps not all rows were read: the largest value is some multiple."""
    few = values.ravel()[:: max(1, values.size // 4096)]
    largest = float(np.abs(values).max(initial=0.0))
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
    multiples = np.divide(values, scale, out=np.full_like(values, np.nan), where=scale > 0)
    steps = np.round(multiples)
    tells = error * np.abs(steps) < CLEAR
    return _enough(np.abs(multiples - steps)[tells] <= (error * np.abs(steps) + 1e-9)[tells], np.abs(steps)[tells])


def _short(values: Float64, scale: Float64, bits: int, exponent: int, error: float) -> tuple[Float64, Float64] | None:
    """Numbers of so many mantissa bits, no finer below the smallest normal one."""
    if len(values) > LOOK and _short(values[:LOOK], scale[:LOOK], bits, exponent, error) is None:
        return None
    numbers = np.divide(values, scale, out=np.zeros_like(values), where=scale > 0)
    with np.errstate(divide="ignore"):
        power = np.where(numbers != 0, np.floor(np.log2(np.abs(numbers) * (1 + error))), float(exponent))
    step = 2.0 ** (np.maximum(power, exponent) - bits)
    steps = np.round(numbers / step)
    if not _enough((np.abs(numbers - steps * step) <= error * np.abs(numbers) + 1e-12).ravel(), np.abs(steps * step)):
        return None
    slack = step * 0.5 + error * np.abs(numbers)
    return (steps * step - slack) * scale, (steps * step + slack) * scale


def _enough(on: npt.NDArray[np.bool_], steps: Float64) -> bool:
    """Whether nearly all are on the lattice, and many, and on more than a few of its numbers."""
    return on.size >= STEPS and float(on.mean()) >= STEPS_SHARE and np.unique(steps).size >= STEPS_DISTINCT
