"""Whether values show that a quantiser left them few numbers, whichever these are: no table, scale or offset is known.

Numbers of few bits times a scale have few significands: integers of 4 bits 8, FP8 (E4M3) 8, NF4 15, any 16 numbers at
most 16. Storing them in 16 bits keeps that, since rounding does not see a power of two. Weights have as many as their
format: 32 values in bf16 some 28 different ones. Where each column has a factor of its own (AWQ, folded), or a group
has columns in another order (GPTQ), quotients of two columns in one row have few significands instead.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.forensics.estimators.code_tables import in_groups
from modelprov.forensics.thresholds import (
    NEARLY_ALL,
    QUOTIENT_SHARE,
    REPEATED,
    SIGNIFICANDS_LEAST,
    SIGNIFICANDS_SPREAD,
    STEPS,
    STEPS_DISTINCT,
)

WIDTHS = (16, 32, 64)  # of values side by side; groups of quantisers hold whole ones
LOOKS = (1 << 12, 1 << 16)  # values of a glimpse and of a look
ALIKE = 8  # rows in which columns that are equal are the same column
ROWS, LEAST_ROWS = 64, 48  # whose quotients are looked at
PAIRS, PROBES, OTHERS = 16, 2, 2048  # of columns side by side; columns that are held against so many others
MATES = 8  # columns that share a probe's scale
GLIMPSE = 256  # values that mostly show that numbers are many
SIGNIFICANDS = 128  # of bf16, through which most weights came, in whatever format they are stored
PARTS = 64  # of a circle, at most
SMALLEST = {10: 2.0**-14}  # F16's smallest normal number by its mantissa bits: below it numbers are coarse anyway


def few_in_groups(values: Float64, mantissa_bits: int) -> int | None:
    """How many values side by side have few significands, all over the rows float64 [rows, columns]; else None."""
    found = _width(values, mantissa_bits)
    if found is None:
        return None
    _, own = np.unique(values[:ALIKE], axis=1, return_index=True)  # equal columns repeat all they have
    return found if own.size == values.shape[1] else _width(values[:, np.sort(own)], mantissa_bits)


def _width(values: Float64, mantissa_bits: int) -> int | None:
    for width in WIDTHS:
        groups = in_groups(values, width)
        if groups is not None and all(_few(groups[:: max(1, groups.size // look)], mantissa_bits) for look in LOOKS):
            return width
    return None


def _few(groups: Float64, mantissa_bits: int) -> bool:
    """Whether in nearly all groups significands repeat more often than those of as many weights do by chance.

    Values within a narrow range of their group repeat in any format, and so tell nothing.
    """
    smallest = SMALLEST.get(mantissa_bits, 0.0)
    sizes = np.sort(np.where(np.abs(groups) >= smallest, np.abs(groups), 0.0), axis=1)
    zeros = np.count_nonzero(sizes == 0, axis=1)
    known = groups.shape[1] - zeros
    low, high = (
        np.take_along_axis(sizes, (zeros + known * quarter // 4).clip(max=sizes.shape[1] - 1)[:, None], axis=1)[:, 0]
        for quarter in (1, 3)
    )
    tells = (known >= SIGNIFICANDS_LEAST) & (high >= SIGNIFICANDS_SPREAD * low)
    if known[tells].sum() < max(STEPS, groups.size / 4) or not _more_than(STEPS_DISTINCT, sizes[tells]):
        return False
    significands = np.sort(np.frexp(sizes[tells])[0], axis=1)
    different = np.count_nonzero(np.diff(significands, axis=1), axis=1) + (zeros[tells] == 0)
    repeated = known[tells] - different
    chance = known[tells] - SIGNIFICANDS * -np.expm1(known[tells] * np.log1p(-1 / SIGNIFICANDS))
    few = repeated >= REPEATED * chance
    return bool(few.mean() >= NEARLY_ALL)


def one_quotient(values: Float64, mantissa_bits: int) -> bool:
    """Whether columns of the rows float64 [rows, columns] have a scale in common, each perhaps with its own factor.

    So do nearly all that stand side by side, or each of a few probes with some of all. Their quotients then are those
    of small whole numbers, and one significand, that of a power of two, stands out.
    """
    rows = _different_rows(values[:: max(1, len(values) // ROWS)][:ROWS])
    columns = rows.shape[1]
    if len(rows) < LEAST_ROWS or columns < 2 * PAIRS:
        return False
    width = 8 * 2.0 ** -(mantissa_bits + 1) / np.log(2)
    first = np.linspace(0, columns - 2, PAIRS).astype(int)
    smallest = SMALLEST.get(mantissa_bits, 0.0)
    sizes = [_logarithms(rows[:, some], smallest) for some in (first, first + 1)]
    if _stands_out(sizes[0] - sizes[1], width).mean() >= NEARLY_ALL:
        return True
    others = _logarithms(rows[:, :: max(1, columns // OTHERS)], smallest)
    return all(
        np.count_nonzero(_stands_out(others - sizes[0][:, [probe]], width, (0.5,))) >= MATES
        for probe in np.linspace(0, PAIRS - 1, PROBES).astype(int)
    )


def _more_than(count: int, values: Float64) -> bool:
    """Whether there are more than so many different values, which the first few hundred mostly show without a sort."""
    return any(np.unique(some).size > count for some in (values.ravel()[:GLIMPSE], values))


def _different_rows(values: Float64) -> Float64:
    """Every row once, in the order of the first of each."""
    seen: dict[bytes, int] = {}
    for place, row in enumerate(values + 0.0):  # 0 and -0 are one number
        seen.setdefault(row.tobytes(), place)
    return values[list(seen.values())]


def _logarithms(values: Float64, smallest: float) -> Float64:
    """Logarithms to base 2 of the sizes; NaN where a value is 0 or too small to be more than coarse."""
    sizes = np.abs(values)
    return np.log2(np.where((sizes > 0) & (sizes >= smallest), sizes, np.nan))


def _stands_out(quotients: Float64, width: float, turns: Sequence[float] = (0.0, 0.5)) -> npt.NDArray[np.bool_]:
    """Of each column of logarithms [rows, pairs]: whether many lie within `width` of each other, powers of two apart.

    Quotients within a narrow range are those of columns that are alike, of one direction, or of numbers near 1.
    """
    many = int(QUOTIENT_SHARE * len(quotients))
    found = np.zeros(quotients.shape[1], bool)
    close = np.flatnonzero(_may_stand_out(quotients, width, many))
    if close.size:
        found[close] = _do_stand_out(quotients[:, close], width, many, turns)
    return found


def _may_stand_out(quotients: Float64, width: float, many: int) -> npt.NDArray[np.bool_]:
    """The columns of which two neighbouring parts of the circle, each wider than `width`, hold more than `many`.

    All that stand out are among these, and hardly any of weights: counting takes a fifth of what a sort does.
    """
    parts, columns = max(1, min(PARTS, int(1 / (1.001 * width)))), quotients.shape[1]
    unknown = np.isnan(quotients)
    turned = np.where(unknown, 0.0, quotients - np.floor(quotients))  # a fifth of the remainder's time
    part = np.where(unknown, parts, np.minimum(turned * parts, parts - 1)).astype(np.int64)
    place = part * columns + np.arange(columns)
    counts = np.bincount(place.ravel(), minlength=(parts + 1) * columns).reshape(-1, columns)[:parts]
    return np.asarray((counts + np.roll(counts, 1, axis=0)).max(axis=0) > many)


def _do_stand_out(quotients: Float64, width: float, many: int, turns: Sequence[float]) -> npt.NDArray[np.bool_]:
    """The same of columns where that is likely, exactly."""
    ordered = np.sort(quotients, axis=0)  # what is not known comes last
    known = np.count_nonzero(np.isfinite(ordered), axis=0)
    low, high = (np.take_along_axis(ordered, (known * quarter // 4)[None], axis=0)[0] for quarter in (1, 3))
    spread = (known >= len(quotients) // 3) & (high - low >= np.log2(SIGNIFICANDS_SPREAD))
    found = np.zeros(known.shape, bool)
    for turn in turns:  # a circle, cut open at one place and at another
        circle = np.sort((quotients + turn) % 1.0, axis=0)
        found |= ((circle[many:] - circle[:-many]) <= width).any(axis=0)
    return np.asarray(found & spread)
