"""The number a person would have typed: the shortest decimal, or the simplest fraction, inside an interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

DECIMALS = 4
LARGEST_DENOMINATOR = 64
"""About 0.3 d^2 fractions up to denominator d lie in (0, 1): at 64 one in 10^3 intervals of width 10^-6 holds one."""


@dataclass(frozen=True)
class SimplestNumber:
    """`text` as one would write it ("0.565", "1/3") and its float64 `value`."""

    value: float
    text: str


def simplest_number(low: float, high: float) -> SimplestNumber | None:
    """Find the shortest decimal in [low, high]; beyond 4 decimals, a fraction if a simple one fits.

    Among decimals of one length one that ends in 5 wins, as in 0.565, then the one nearest the middle. None where the
    interval is empty or holds NaN.
    """
    if not low <= high:
        return None
    low = low if math.isfinite(low) else min(high, 1.0) - 1.0
    high = high if math.isfinite(high) else max(low, 0.0) + 1.0
    exact_low, exact_high = Fraction(low), Fraction(high)
    for digits in range(DECIMALS + 1):
        if (found := _decimal(exact_low, exact_high, digits)) is not None:
            return found
    fraction = _simplest_fraction(exact_low, exact_high)
    if fraction.denominator <= LARGEST_DENOMINATOR:
        return SimplestNumber(float(fraction), str(fraction))
    for digits in range(DECIMALS + 1, 18):
        if (found := _decimal(exact_low, exact_high, digits)) is not None:
            return found
    return SimplestNumber(low / 2 + high / 2, repr(low / 2 + high / 2))


def _decimal(low: Fraction, high: Fraction, digits: int) -> SimplestNumber | None:
    scale = 10**digits
    first, last = math.ceil(low * scale), math.floor(high * scale)
    if first > last:
        return None
    chosen = min(max(round((low + high) / 2 * scale), first), last)
    fives = [five for five in (chosen - (chosen - 5) % 10, chosen + (5 - chosen) % 10) if first <= five <= last]
    if digits > 1 and fives:
        chosen = min(fives, key=lambda five: abs(five - chosen))
    return SimplestNumber(chosen / scale, f"{'-' if chosen < 0 else ''}{_digits(abs(chosen), digits)}")


def _digits(number: int, digits: int) -> str:
    whole, rest = divmod(number, 10**digits)
    return f"{whole}.{rest:0{digits}d}" if digits else str(whole)


def _simplest_fraction(low: Fraction, high: Fraction) -> Fraction:
    """Find the fraction of smallest denominator in [low, high]: the continued fraction that both ends share."""
    if low <= 0 <= high:
        return Fraction(0)
    if high < 0:
        return -_simplest_fraction(-high, -low)
    whole = math.floor(low)
    if whole == low or whole + 1 <= high:
        return Fraction(whole if whole == low else whole + 1)
    return whole + 1 / _simplest_fraction(1 / (high - whole), 1 / (low - whole))
