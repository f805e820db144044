"""Factors that were moved between what undoes each other: from the sizes of paired rows. Pure; reads and pairs nothing.

A factor of every row (queries against keys, values against outputs, ups against downs) or of every dimension (a norm
against its readers). Powers of two lose nothing; others are taken as they are measured, and the result is no longer
exact to the bit.
"""

from __future__ import annotations

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float64

NEAR = 0.2  # of a doubling: how far from a power of two a size may be that training changed as well
MOST = 0.95  # share of the entries that must be near one
BALANCE = 0.3  # of a doubling: how far two sides that undo each other may be from doing so


def in_doublings(own: Float64, theirs: Float64) -> Float64:
    """Logarithms to base 2 of the ratios of sizes, 0 where one of them is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.log2(own / theirs)
    return np.where(np.isfinite(found), found, 0.0)


def factors(logs: Float64) -> Float64 | None:
    """What the parent's entries are to be multiplied by; None where training alone explains the sizes."""
    whole = np.round(logs)
    near = np.abs(logs - whole) < NEAR
    if (near & (whole == 0)).mean() >= MOST:
        return None
    return np.asarray(np.exp2(whole if near.mean() >= MOST else logs), np.float64)


def balanced(first: Float64, second: Float64) -> bool:
    """Whether two sides undo each other on the whole: what one gained the other lost."""
    return bool(abs(float(first.mean()) + float(second.mean())) < BALANCE)


def opposite(first: Float64, second: Float64) -> bool:
    """Whether two sides undo each other entry by entry."""
    return bool((np.abs(first + second) < BALANCE).mean() >= MOST)
