"""What is left beyond the best mixture in rows of one matrix: its size and rank, and whose numbers these are, altered.

Judges nothing; what of it is worth asking is for `beyond.py`, which has seen the other matrices.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from modelprov.checkpoints.formats.dtypes import DType, Float64, round_to
from modelprov.checkpoints.types import BY_TOKEN
from modelprov.forensics.estimators.beside_means import correlation_beside_means, offsets
from modelprov.forensics.estimators.lattice import Lattice, find_lattice, share_in_order
from modelprov.forensics.estimators.projection import is_projected, is_stretched
from modelprov.forensics.estimators.residual import rank_of, residual
from modelprov.forensics.estimators.scaled import by_rows_and_columns
from modelprov.forensics.estimators.turning import products_moved
from modelprov.forensics.sampling.matrices import Matrix
from modelprov.forensics.thresholds import ABOVE_ROUNDING, HALF, LOW_RANK_ROWS, SAME_STEPS
from modelprov.recipes.tensor_groups import kind_of

ENDS = (-np.inf, np.inf)
FACTORED, LOOK = 128, 64
"""Rows of a matrix that factors and means are fitted to, and those whose products are looked at."""
SHORT = (DType.BF16, DType.F16)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of a matrix beside what is left in it; see `Left`, which leaves empty what was not asked."""

    lattice: bool = True
    factored: bool = True
    offset: bool = True
    correlations: bool = True
    products: bool = True
    projected: bool = True


@dataclass(frozen=True, slots=True)
class Left:
    """What is left in one matrix: sums of squares `beyond` rounding and of the parents' `distance`.

    `changed` whether that is clearly more than rounding; `rank` of the change, None if it is no low one, and `ranked`
    whether a rank was looked for. `lattice` names the few numbers that the suspect's values are, if they are; `within`
    is then the share of each parent's values, and of the best mixture's, that would be rounded to them, and `steps` how
    far each parent's values are from the suspect's, root mean squares over the cells' width. `same`: whether the values
    are each parent's as they stand. Of what follows each is by parent, and empty where it was not asked or cannot be
    told in so few rows. `factored`: what factors for rows and columns leave, and what is off without them, in
    rounding's own size; `offset`: the same of numbers added to rows and columns. `correlations`: with the parent, both
    without the means of rows and columns. `products`: how far those of rows with one another moved
    (`estimators/turning.py`), None where nothing did. `projected`: whether it is that parent with directions taken out
    or of another size (`estimators/projection.py`), None where that is not told.
    """

    kind: str
    layer: int | None
    beyond: float
    distance: float
    changed: bool
    rank: int | None
    ranked: bool
    lattice: str | None = None
    within: tuple[float, ...] = ()
    steps: tuple[float, ...] = ()
    same: tuple[bool, ...] = ()
    factored: tuple[tuple[float, float], ...] = ()
    offset: tuple[tuple[float, float], ...] = ()
    correlations: tuple[float | None, ...] = ()
    products: tuple[float | None, ...] = ()
    projected: tuple[bool | None, ...] = ()


def left_in(matrix: Matrix, asked: Asked) -> Left:
    """What is left in one matrix, and what of the rest is asked; a packed form's numbers are known without asking."""
    tensor, lattice = matrix.tensor, _lattice(matrix, asked.lattice)
    own = lattice is None or matrix.bounds is not None
    widths = matrix.widths if own or lattice is None else lattice.upper - lattice.lower
    suspect, parents = matrix.values[0], matrix.values[1:]
    found = residual(matrix.values, widths)
    ranked = found.changed and tensor.component not in BY_TOKEN and len(suspect) >= min(tensor.shape[0], LOW_RANK_ROWS)
    few, cells = matrix.values[:, :FACTORED], widths[:FACTORED]
    return Left(
        kind_of(tensor.name), tensor.layer, found.beyond, found.distance, found.changed,
        rank_of(found) if ranked else None, ranked,
        None if lattice is None else lattice.name,
        () if lattice is None else _within(lattice, matrix.values, suspect - found.left),
        () if lattice is None else _in_steps(matrix.values, widths),
        same=tuple(np.array_equal(suspect, parent) for parent in parents),
        factored=_of_each(by_rows_and_columns, few, cells) if asked.factored and lattice is None else (),
        offset=_of_each(offsets, few, cells) if asked.offset else (),
        correlations=tuple(correlation_beside_means(few[0], parent, cells) for parent in few[1:] if asked.correlations),
        products=tuple(products_moved(suspect[:LOOK], parent[:LOOK]) for parent in parents if asked.products),
        projected=_projected(matrix.values[:, :LOOK], widths[:LOOK]) if asked.projected else (),
    )  # fmt: skip


def _of_each(
    measured: Callable[[Float64, Float64, Float64], tuple[float, float] | None], values: Float64, widths: Float64
) -> tuple[tuple[float, float], ...]:
    """What is `measured` of each parent of `values` [1 + k, rows, columns]; empty if there are too few rows."""
    found = [measured(values[0], parent, widths) for parent in values[1:]]
    return tuple(each for each in found if each is not None)


def _within(lattice: Lattice, values: Float64, mixture: Float64) -> tuple[float, ...]:
    """The share of each parent's values, and of the mixture's, that would be rounded to the suspect's, `values[0]`.

    Cells are as wide as the scale is uncertain. Whoever rounds one model to 8 bits and to 4 leaves numbers that agree
    to within that, and yet the one was not made from the other: of numbers that are few themselves the order tells.
    """
    suspect, *parents = values
    shares = list(map(lattice.share_within, (*parents, mixture)))
    for number, parent in enumerate(parents):
        if shares[number] >= SAME_STEPS and np.unique(parent).size > np.unique(suspect).size and _are_few(parent):
            shares[number] = min(shares[number], share_in_order(suspect, parent))
    return tuple(shares)


def _are_few(values: Float64) -> bool:
    """Whether a parent's values [rows, columns] were rounded to few numbers, in whatever format they are."""
    shown = next((dtype for dtype in SHORT if _all_of(values, dtype)), DType.F32)
    return find_lattice(values, shown.mantissa_bits) is not None


def _projected(values: Float64, widths: Float64) -> tuple[bool | None, ...]:
    """Whether the suspect is each parent of `values` [1 + k, rows, columns], stretched, or a projection of its change.

    The change is what a model has beyond the reference: an adapter that was extracted from a finetune, merged again,
    is the reference with a projection of that finetune's change, of half its sum of squares at least: to be little more
    than the reference is to be at right angles to whatever the finetune has. Of a change stretching says nothing: on
    one task two trainings go the same directions at speeds of their own.
    """
    whole = [is_stretched(values[0], parent, widths) for parent in values[1:]]
    if len(whole) == 1:  # of the reference alone there is no change
        return tuple(whole)
    own = values[0] - values[-1]
    changes = [parent - values[-1] for parent in values[1:]]
    told = np.vdot(own, own) >= ABOVE_ROUNDING * np.vdot(widths, widths) / 12  # else its shape is rounding's
    most = [bool(told and np.vdot(own, own) >= HALF * np.vdot(change, change) > 0) for change in changes]
    return tuple(
        (large and bool(is_projected(own, change, widths))) or projected
        for large, change, projected in zip(most, changes, whole, strict=True)
    )


def _in_steps(values: Float64, widths: Float64) -> tuple[float, ...]:
    """How far each parent of `values` [1 + k, rows, columns] is from the suspect: root mean squares, over a width's."""
    width = float(np.linalg.norm(widths))
    return tuple(float(np.linalg.norm(parent - values[0])) / width if width else math.inf for parent in values[1:])


def _lattice(matrix: Matrix, searched: bool) -> Lattice | None:
    """The lattice of the suspect's values, stored as exactly as they show; of a packed form, the form's own."""
    if matrix.bounds is not None and matrix.packing is not None:
        lower, upper = (np.where(np.isnan(bound), end, bound) for bound, end in zip(matrix.bounds, ENDS, strict=True))
        return Lattice(matrix.packing, lower, upper)
    if not searched:
        return None
    own = matrix.values[0]
    shown = next((dtype for dtype in SHORT if matrix.format is dtype or _all_of(own, dtype)), matrix.format)
    return find_lattice(own, shown.mantissa_bits)


def _all_of(values: Float64, dtype: DType) -> bool:
    """Whether all values are numbers of a format; a few of most others show that they are not."""
    return all(bool((round_to(rows, dtype) == rows).all()) for rows in (values[:1], values))
