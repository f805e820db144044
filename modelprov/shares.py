"""Shares: so many of so many, with a confidence interval, and as a percentage that never says more than it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from statistics import NormalDist


@dataclass(frozen=True)
class Share:
    """`successes` of `total` as a share in a confidence interval [low, high]; None and a reason where total is 0."""

    successes: int
    total: int
    share: float | None
    low: float
    high: float
    reason: str | None = None


def wilson(successes: int, total: int, confidence: float = 0.95) -> Share:
    """Give the score interval of Wilson (1927), which stays in [0, 1] and is honest at shares of 0 and 1."""
    if not 0 <= successes <= total:
        raise ValueError(f"{successes} successes of {total} trials")
    if total == 0:
        return Share(0, 0, None, 0.0, 1.0, "nothing to count")
    share = successes / total
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    shrink = 1 + z * z / total
    centre = (share + z * z / (2 * total)) / shrink
    half = z * math.sqrt(share * (1 - share) / total + (z / (2 * total)) ** 2) / shrink
    # The bounds are exactly 0 and 1 there; the formula may miss them by a rounding.
    low = 0.0 if successes == 0 else max(centre - half, 0.0)
    high = 1.0 if successes == total else min(centre + half, 1.0)
    return Share(successes, total, share, low, high)


def floor_percent(share: float | None) -> str:
    """A share in percent, rounded down, so that only a full 1 reads 100 %."""
    if share is None:
        return "an unknown share"
    percent = Decimal(repr(float(share))).scaleb(2)
    return "100 %" if share == 1 else f"{percent.quantize(Decimal('0.01'), ROUND_FLOOR):f} %"


def short_of_one(value: float, digits: int) -> str:
    """A share or a correlation to so many digits, of which only a full 1 reads 1.000; never -0."""
    text = f"{value:z.{digits}f}"
    return f">{1 - 10.0**-digits:.{digits}f}" if value < 1 and float(text) >= 1 else text


def rough_percent(share: float) -> str:
    """A share in percent, to two digits, however small."""
    return f"{100 * share:.2g} %" if share < 0.095 else f"{100 * share:.0f} %"


def of_what_was_read(share: float, summary: str) -> str:
    """What is said of a sample, with the share of the weights that it is of at its head."""
    return f"In the {rough_percent(share)} of the weights that were read: {summary}"
