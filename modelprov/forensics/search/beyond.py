"""What is left beyond the best mixture, over rows of whole matrices: sizes, ranks, likenesses. Names nothing."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from modelprov.checkpoints.formats.dtypes import DType, Float64, round_to
from modelprov.checkpoints.layouts.alignment import align
from modelprov.checkpoints.types import Alignment, Checkpoint, Component
from modelprov.forensics.estimators.beside_means import BesideMeans, beside_means
from modelprov.forensics.estimators.lattice import Lattice, find_lattice, share_in_order
from modelprov.forensics.estimators.projection import is_projected, is_stretched
from modelprov.forensics.estimators.residual import Residual, rank_of, residual
from modelprov.forensics.estimators.scaled import by_rows_and_columns
from modelprov.forensics.estimators.turning import products_moved
from modelprov.forensics.sampling.matrices import BUDGET, Matrix, Rows, choose_rows, read_matrices
from modelprov.forensics.search.next_layers import shares_of_next
from modelprov.forensics.search.whole_columns import columns_projected
from modelprov.forensics.thresholds import (
    HALF,
    LIKE_NOISE,
    LOW_RANK_ROWS,
    LOW_RANK_TENSORS,
    SAME_STEPS,
    SCALED_ROUNDED,
    TURNED,
)
from modelprov.recipes.tensor_groups import kind_of

BY_TOKEN = (Component.EMBEDDINGS, Component.HEAD)
"""Whose changes have the rank of however many tokens were trained."""
ENDS = (-np.inf, np.inf)
AT_ONCE = 2
"""Matrices that are measured at once; each takes a hundred megabytes or two."""
FACTORED, LOOK = 128, 64
"""Rows of a matrix that factors and means are fitted to, and those whose products are looked at."""
SHORT = (DType.BF16, DType.F16)
DIRECTIONS = 4
"""Of a change, up to which whole columns are read: adapters have more, of ablated directions there are few."""
TURNS = 2
"""Of the kinds of matrices in which few numbers are looked for, before all others are spared the search."""


@dataclass(frozen=True, slots=True)
class Left:
    """What is left in one matrix: sums of squares `beyond` rounding and of the parents' `distance`.

    `changed` whether that is clearly more than rounding; `rank` of the change, None if it is no low one, and `ranked`
    whether a rank was looked for. `lattice` names the few numbers that the suspect's values are, if they are; `within`
    is then the share of each parent's values, and of the best mixture's, that would be rounded to them, and `steps` how
    far each parent's values are from the suspect's, root mean squares over the cells' width. `same`: whether the values
    are each parent's as they stand. `factored` by parent: what factors for its rows and columns leave, and what is off
    without them, in rounding's own size; empty where it was not looked for. `products` by parent: how far those of rows
    with one another moved (`estimators/turning.py`), None where nothing did or it was not looked for. `means` by
    parent: what they share beside the means of rows and columns; empty where too few rows were read. `projected` by
    parent: whether it is that one with directions taken out or of another size (`estimators/projection.py`), None where
    that is not told.
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
    products: tuple[float | None, ...] = ()
    means: tuple[BesideMeans, ...] = ()
    projected: tuple[bool | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Like:
    """Correlation of what is left with a model's own part, over `elements` of so many `matrices`; None without any."""

    correlation: float | None
    elements: int
    matrices: int


@dataclass(frozen=True, eq=False)
class Beyond:
    """All of it: matrix by matrix, and by the label of every other model.

    `next_layers`: how much of what differs from each parent its own next layers account for (`next_layers.py`).
    `columns`: of some matrices that few directions changed, whether they are each parent's with directions of what
    they write taken out or of another size (`whole_columns.py`).
    """

    matrices: tuple[Left, ...]
    likes: Mapping[str, Like]
    next_layers: tuple[tuple[float | None, ...], ...] = ()
    columns: tuple[tuple[bool | None, ...], ...] = ()


def measure_beyond(
    alignment: Alignment, others: Sequence[Checkpoint], seed: int, budget: int = BUDGET, threads: int = 1
) -> Beyond:
    """Read rows of about `budget` elements of each checkpoint; `others` are held against what is left.

    Two matrices at most are measured at once, by as many of the `threads`, while the next one is read. Where none of
    the first ones, which are of all kinds in turn, holds few numbers, those are not looked for in the others: it takes
    longer than all else, and a quantiser leaves no kind out but embeddings and heads.

    Raises what reading raises.
    """
    chosen = choose_rows(alignment, seed, budget)
    at_once = min(AT_ONCE, threads)
    first = TURNS * len({kind_of(rows.name) for rows in chosen})
    found: list[Left] = []
    waiting: deque[Future[Left]] = deque()
    names: list[str] = []
    searched = turning = True
    with ThreadPoolExecutor(at_once) as pool:
        for number, matrix in enumerate(read_matrices(alignment, chosen)):
            names.append(matrix.tensor.name)
            while len(waiting) == at_once or (waiting and number == first):
                found.append(waiting.popleft().result())
            searched = searched and (number != first or any(each.lattice for each in found))
            factors = all(each.factored and min(each.factored)[0] <= SCALED_ROUNDED for each in found)
            turning = turning and (number != first or any(_is_turned(each) for each in found))
            waiting.append(pool.submit(_left, matrix, searched, factors, turning))
        found += [each.result() for each in waiting]
    beside = shares_of_next(alignment, seed, budget) if any(each.changed for each in found) else ()
    few = [name for name, each in zip(names, found, strict=True) if each.rank is not None and each.rank <= DIRECTIONS]
    ranked = sum(each.ranked for each in found)
    columns = columns_projected(alignment, few, budget) if len(few) >= LOW_RANK_TENSORS * ranked else ()
    return Beyond(tuple(found), {other.label: _like(alignment, other, chosen) for other in others}, beside, columns)


def _is_turned(left: Left) -> bool:
    """Whether the rows of a matrix keep their products with one another, of some parent."""
    return any(each is not None and each <= TURNED for each in left.products)


def _left(matrix: Matrix, searched: bool, factors: bool, turning: bool) -> Left:
    """What is left in one matrix; few numbers of an unpacked one are only found where they are `searched` for.

    With `factors`, which all matrices before it had, what those of rows and columns leave of each parent; with
    `turning`, whether its rows may have been turned.
    """
    tensor, lattice = matrix.tensor, _lattice(matrix, searched)
    own = lattice is None or matrix.bounds is not None
    widths = matrix.widths if own or lattice is None else lattice.upper - lattice.lower
    found = residual(matrix.values, widths)
    rows = matrix.values.shape[1]
    ranked = found.changed and tensor.component not in BY_TOKEN and rows >= min(tensor.shape[0], LOW_RANK_ROWS)
    return Left(
        kind_of(tensor.name), tensor.layer, found.beyond, found.distance, found.changed,
        rank_of(found) if ranked else None, ranked,
        None if lattice is None else lattice.name,
        () if lattice is None else _within(lattice, matrix.values, matrix.values[0] - found.left),
        () if lattice is None else _in_steps(matrix.values, widths),
        tuple(np.array_equal(matrix.values[0], parent) for parent in matrix.values[1:]),
        _factored(matrix.values[:, :FACTORED], widths[:FACTORED]) if factors and lattice is None else (),
        tuple(products_moved(matrix.values[0][:LOOK], parent[:LOOK]) for parent in matrix.values[1:] if turning),
        _beside_means(matrix.values[:, :FACTORED], widths[:FACTORED]),
        _projected(matrix.values[:, :LOOK], widths[:LOOK]),
    )  # fmt: skip


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


def _factored(values: Float64, widths: Float64) -> tuple[tuple[float, float], ...]:
    """What factors for rows and columns leave of each parent of `values` [1 + k, rows, columns]; empty if too few."""
    found = [by_rows_and_columns(values[0], parent, widths) for parent in values[1:]]
    return tuple(each for each in found if each is not None)


def _beside_means(values: Float64, widths: Float64) -> tuple[BesideMeans, ...]:
    """What the suspect shares with each parent of `values` [1 + k, rows, columns]; empty if there are too few."""
    found = [beside_means(values[0], parent, widths) for parent in values[1:]]
    return tuple(each for each in found if each is not None)


def _projected(values: Float64, widths: Float64) -> tuple[bool | None, ...]:
    """Whether the suspect is each parent of `values` [1 + k, rows, columns], stretched, or a projection of its change.

    The change is what a model has beyond the reference: an adapter that was extracted from a finetune, merged again,
    is the reference with a projection of that finetune's change, of half its sum of squares at least: to be little more
    than the reference is to be at right angles to whatever the finetune has. Of a change stretching says nothing: on
    one task two trainings go the same directions at speeds of their own.
    """
    whole = [is_stretched(values[0], parent, widths) for parent in values[1:]]
    own = values[0] - values[-1]
    changes = [parent - values[-1] for parent in values[1:]]
    most = [bool(np.vdot(own, own) >= HALF * np.vdot(change, change) > 0) for change in changes]
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


def _like(alignment: Alignment, other: Checkpoint, chosen: list[Rows]) -> Like:
    """Correlate what is left, where it is more than rounding alone leaves, with what is only the other model's."""
    joint = align((*alignment.checkpoints, other))
    product = beyond = noise = own = 0.0
    elements = matrices = 0
    for matrix in read_matrices(joint, chosen):
        found: Residual = residual(matrix.values[:-1], matrix.widths)
        with_other, square = found.likeness(matrix.values[-2], matrix.values[-1])
        product, own = product + with_other, own + square
        beyond, noise = beyond + found.energy - found.noise, noise + found.noise
        elements, matrices = elements + found.left.size, matrices + 1
    scale = float(np.sqrt(beyond * own)) if beyond > LIKE_NOISE * noise else 0.0
    return Like(min(max(product / scale, -1.0), 1.0) if scale > 0 else None, elements, matrices)


def by_layer(matrices: Sequence[Left]) -> dict[int, float]:
    """What is left in each layer, as a share of the distance there."""
    sums: dict[int, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for one in matrices:
        if one.layer is not None:
            sums[one.layer][0] += one.beyond
            sums[one.layer][1] += one.distance
    return {layer: float(np.sqrt(left / far)) for layer, (left, far) in sorted(sums.items()) if far > 0}
