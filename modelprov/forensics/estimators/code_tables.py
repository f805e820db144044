"""Whether the values of groups are a table's numbers times a scale of their own: NF4 and its like, uneven integers.

A quantiser with a zero point leaves whole multiples of a step too, of which the largest is not known beforehand; so a
few scales are tried for each group, all of them from its ends. Gives cells, as of numbers rounded to the nearest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.checkpoints.formats.four_bit_floats import E2M1, FP4_VALUES, NF4_VALUES
from modelprov.forensics.thresholds import NEARLY_ALL, STEPS, STEPS_DISTINCT, STEPS_SHARE

Bool = npt.NDArray[np.bool_]
CLEAR = 0.1  # of a step: numbers that storing moved by more tell nothing
LOOKS = (1 << 11, 1 << 16)  # values of a glimpse and of a look, before all of them
FEW = 1 << 8  # of the glimpse, in which weights that were not rounded miss already more than a table may in all of it


def in_groups(values: Float64, width: int | None) -> Float64 | None:
    """The rows [rows, columns] in groups [groups, width] of values side by side; without a width, the rows themselves.

    Where rows hold no whole groups these go on in the next row, as bitsandbytes blocks them; None if a rest is left.
    """
    if width is None:
        return values
    return values.reshape(-1, width) if values.size % width == 0 else None


@dataclass(frozen=True, eq=False)
class Table:
    """A quantiser's numbers, sorted, and the scales of a group [groups, width] that are tried: each [groups, 1]."""

    name: str
    numbers: Float64
    scales: Callable[[Float64], Sequence[Float64]]
    widths: tuple[int | None, ...]
    even: bool = False

    def nearest(self, numbers: Float64) -> Float64:
        """The table's number nearest to each."""
        if self.even:
            return np.clip(np.round(numbers), self.numbers[0], self.numbers[-1])
        return np.asarray(self.numbers[np.searchsorted(self._middles(), numbers)])

    def cell(self, nearest: Float64) -> tuple[Float64, Float64]:
        """Lower and upper end of what is nearest to these numbers of the table; beyond its ends as far as within."""
        middles = self._middles()
        gaps = np.diff(self.numbers) / 2
        ends = np.concatenate([[self.numbers[0] - gaps[0]], middles, [self.numbers[-1] + gaps[-1]]])
        place = np.searchsorted(middles, nearest)
        return ends[place], ends[place + 1]

    def _middles(self) -> Float64:
        return np.asarray((self.numbers[1:] + self.numbers[:-1]) / 2, np.float64)


def _largest(groups: Float64) -> Float64:
    return np.asarray(np.abs(groups).max(axis=1, keepdims=True), np.float64)


def _from_largest(*ends: float) -> Callable[[Float64], Sequence[Float64]]:
    return lambda groups: [_largest(groups) / end for end in ends]


def _from_both(groups: Float64) -> Sequence[Float64]:
    """Scales of 256 steps: from the largest value of a balanced quantiser, or between both ends of an uneven one."""
    span = groups.max(axis=1, keepdims=True) - groups.min(axis=1, keepdims=True)
    return [_largest(groups) / 128, _largest(groups) / 127, *(span / steps for steps in (253, 254, 255))]


def _signed(numbers: npt.ArrayLike) -> Float64:
    return np.unique(np.concatenate([-np.asarray(numbers, np.float64), np.asarray(numbers, np.float64)]))


WIDTHS = (None, 128, 64, 32, 16)
FLOATS = (
    Table("NF4", np.array(NF4_VALUES), _from_largest(1), (64, 128, 256, 512)),
    Table("FP4", _signed(FP4_VALUES), _from_largest(1), (64, 128, 256, 512)),
    Table("E2M1", _signed(np.unique(np.abs(E2M1.values))), _from_largest(6, 4, 3), (32, 16)),
)
UNEVEN = (
    Table("int4", np.arange(-15.0, 16), _from_largest(*range(3, 16)), WIDTHS, even=True),
    Table("int6", np.arange(-32.0, 33), _from_largest(*range(16, 33)), (16,), even=True),
    Table("int8", np.arange(-255.0, 256), _from_both, WIDTHS, even=True),
)  # fmt: skip


def find_table(values: Float64, error: float, tables: Sequence[Table]) -> tuple[str, Float64, Float64] | None:
    """The first table that rows float64 [rows, columns] are numbers of, its name with the groups', and all cells.

    `error` is that of a number over its scale, as a share of the number.
    """
    for table in tables:
        for width in table.widths:
            groups = in_groups(values, width)
            if groups is None or (width is not None and width >= values.shape[1] and table.even):
                continue
            glimpse, few = (groups[: 1 + look // groups.shape[1]] for look in (LOOKS[0], FEW))
            if _least_missed(few, table, error) > (1 - STEPS_SHARE) * glimpse.size:
                continue
            some = (glimpse, groups[: 1 + LOOKS[1] // groups.shape[1]])
            if not all(_holds(table, *_fit(each, table, error)[:3]) for each in some):
                continue
            on, tells, nearest, scale = _fit(groups, table, error)
            if _holds(table, on, tells, nearest):
                lower, upper = table.cell(nearest)
                slack = error * (np.abs(nearest) + 1)
                name = f"{table.name} with one scale for {'each row' if width is None else f'each {width} values'}"
                return (
                    name,
                    ((lower - slack) * scale).reshape(values.shape),
                    ((upper + slack) * scale).reshape(values.shape),
                )
    return None


def _fit(groups: Float64, table: Table, error: float) -> tuple[Bool, Bool, Float64, Float64]:
    """Of each value: whether it is a number of the table and whether it tells; that number, and the group's scale.

    Of several scales the first that fits a group best.
    """
    best: tuple[Bool, Bool, Float64, Float64] | None = None
    for scale in table.scales(groups):
        on, tells, nearest = _numbers(groups, scale, table, error)
        if best is None:
            best = on, tells, nearest, np.asarray(scale)
            continue
        more = _points(on, tells) > _points(best[0], best[1])
        best = tuple(np.where(more, new, old) for new, old in zip((on, tells, nearest, scale), best, strict=True))  # type: ignore[assignment]
    assert best is not None
    return best


def _numbers(groups: Float64, scale: Float64, table: Table, error: float) -> tuple[Bool, Bool, Float64]:
    """With these scales, or several sets of them at once, [sets, groups, 1]: which values are numbers of the table.

    And which of them tell, and the numbers nearest to all.
    """
    numbers = np.divide(groups, scale, out=np.zeros(np.broadcast_shapes(groups.shape, scale.shape)), where=scale > 0)
    nearest = table.nearest(numbers)
    sizes = error * np.abs(numbers)
    tells = (groups != 0) & (sizes < (CLEAR if table.even else np.inf))
    return tells & (np.abs(numbers - nearest) <= sizes + 1e-9), tells, nearest


def _least_missed(groups: Float64, table: Table, error: float) -> int:
    """How many values at least are no numbers of the table, whichever scale each group has."""
    on, tells, _ = _numbers(groups, np.stack(table.scales(groups)), table, error)
    return int((tells & ~on).sum(axis=2).min(axis=0).sum())


def _points(on: Bool, tells: Bool) -> npt.NDArray[np.int64]:
    """How well a scale fits each group: values that are numbers, less four for each that is none."""
    return np.asarray(5 * on.sum(axis=1, keepdims=True) - 4 * tells.sum(axis=1, keepdims=True))


def _holds(table: Table, on: Bool, tells: Bool, nearest: Float64) -> bool:
    """Whether nearly all values that tell are numbers of the table, and not a few of these."""
    telling = int(np.count_nonzero(tells))
    least = STEPS_DISTINCT if table.even else NEARLY_ALL * (table.numbers.size - 1)
    return (
        telling >= STEPS
        and int(np.count_nonzero(on)) >= STEPS_SHARE * telling
        and int(np.unique(nearest[on]).size) >= least
    )
