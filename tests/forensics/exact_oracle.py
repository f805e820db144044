"""Rounding cells and sets of ratios from first principles: fractions and brute force, nothing of the package's own.

A stored number is decoded by hand from its bits. Its cell is everything nearer to it than to its neighbours, and a tie
where its significand is even. The set of ratios is found by trying every pair of weights that a program can work with.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

LAYOUT = {"bf16": (8, 7), "f16": (5, 10), "f32": (8, 23)}
"""Bits of the exponent and of the significand."""


@dataclass(frozen=True)
class Cell:
    """The real numbers from `low` to `high`, each end belonging to it or not."""

    low: Fraction
    high: Fraction
    low_inside: bool
    high_inside: bool

    def __contains__(self, value: Fraction) -> bool:
        above = self.low < value or (self.low_inside and value == self.low)
        return above and (value < self.high or (self.high_inside and value == self.high))


def decoded(magnitude: int, kind: str) -> Fraction:
    """The non-negative number with these bits (sign cleared); one step past the last is what would follow it."""
    exponent_bits, fraction_bits = LAYOUT[kind]
    exponent, fraction = divmod(magnitude, 1 << fraction_bits)
    bias = (1 << (exponent_bits - 1)) - 1
    if exponent == 0:
        return Fraction(fraction, 1 << fraction_bits) * Fraction(2) ** (1 - bias)
    return (1 + Fraction(fraction, 1 << fraction_bits)) * Fraction(2) ** (exponent - bias)


def infinite(kind: str) -> int:
    """The bits of infinity: the first magnitude that is not finite."""
    exponent_bits, fraction_bits = LAYOUT[kind]
    return ((1 << exponent_bits) - 1) << fraction_bits


def encoded(value: Fraction, kind: str) -> int:
    """The bits of a non-negative number that the format holds exactly."""
    low, high = 0, infinite(kind)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if decoded(middle, kind) < value else (low, middle)
    if decoded(low, kind) != value:
        raise ValueError(f"{kind} does not hold {value}")
    return low


def rounding_cell(value: Fraction, kind: str) -> Cell:
    """What rounds to `value`, which the format holds; both zeros are one number here."""
    bits = encoded(abs(value), kind)
    even = bits % 2 == 0
    outer = (decoded(bits, kind) + decoded(bits + 1, kind)) / 2
    inner = -outer if bits == 0 else (decoded(bits, kind) + decoded(bits - 1, kind)) / 2
    return Cell(inner, outer, even, even) if value >= 0 else Cell(-outer, -inner, even, even)


@cache
def magnitudes(kind: str) -> tuple[Fraction, ...]:
    """Every finite magnitude of a 16-bit format, and the one that would follow."""
    return tuple(decoded(bits, kind) for bits in range(infinite(kind) + 1))


def nearest(value: Fraction, kind: str) -> Fraction | None:
    """`value` rounded to a 16-bit format by looking at all of its numbers; None where it overflows."""
    table = magnitudes(kind)
    place = bisect_left(table, abs(value))
    if place == len(table):
        return None
    near = [number for number in (place - 1, place) if number >= 0]
    best = min(near, key=lambda number: (abs(table[number] - abs(value)), number % 2))
    return None if best == len(table) - 1 else (table[best] if value >= 0 else -table[best])


def real_ratios(suspect: Sequence[float], first: Sequence[float], second: Sequence[float], kind: str) -> Cell | None:
    """The real a for which a * first + (1 - a) * second rounds once to the suspect everywhere; None: there is none.

    Elements in which the parents are equal say nothing, unless the suspect differs there: then there is none.
    """
    found: Cell | None = None
    for s, p, q in zip(suspect, first, second, strict=True):
        cell, u = rounding_cell(Fraction(s), kind), Fraction(p) - Fraction(q)
        if u == 0:
            if Fraction(q) not in cell:
                return None
            continue
        ends = [((cell.low - Fraction(q)) / u, cell.low_inside), ((cell.high - Fraction(q)) / u, cell.high_inside)]
        (low, low_inside), (high, high_inside) = ends if u > 0 else ends[::-1]
        own = Cell(low, high, low_inside, high_inside)
        found = own if found is None else both(found, own)
        if found.low > found.high or (found.low == found.high and not (found.low_inside and found.high_inside)):
            return None
    return found


def both(first: Cell, second: Cell) -> Cell:
    """What lies in both."""
    low = max(first.low, second.low)
    high = min(first.high, second.high)
    return Cell(
        low,
        high,
        all(cell.low_inside for cell in (first, second) if cell.low == low),
        all(cell.high_inside for cell in (first, second) if cell.high == high),
    )


def steps(key: Callable[[float], object], low: float, high: float) -> Iterator[tuple[float, float]]:
    """The runs of float64 between `low` and `high` on which `key` is the same; it may not come back once it changed.

    Where the weights enter a program rounded, `key` is the rounded weights: all ratios of a run give the same bits.
    """
    start = low
    while start <= high:
        here, inside, outside = key(start), start, math.nextafter(high, math.inf)
        while math.nextafter(inside, math.inf) < outside:
            middle = inside + (outside - inside) / 2
            if middle in (inside, outside):
                middle = math.nextafter(inside, math.inf)
            inside, outside = (middle, outside) if key(middle) == here else (inside, middle)
        yield start, inside
        start = math.nextafter(inside, math.inf)


def ratios(
    same: Callable[[float], bool], key: Callable[[float], object], low: float, high: float
) -> list[tuple[float, float]]:
    """Every float64 between `low` and `high` for which `same` holds, as runs; `same` may depend on `key` alone."""
    runs: list[tuple[float, float]] = []
    for start, stop in steps(key, low, high):
        if not same(start):
            continue
        if runs and math.nextafter(runs[-1][1], math.inf) == start:
            runs[-1] = runs[-1][0], stop
        else:
            runs.append((start, stop))
    return runs
