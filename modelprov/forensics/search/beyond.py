"""What is left beyond the best mixture, over rows of whole matrices: sizes, ranks, likenesses. Names nothing."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from modelprov.checkpoints.layouts.alignment import align
from modelprov.checkpoints.types import Alignment, Checkpoint
from modelprov.forensics.estimators.residual import Residual, residual
from modelprov.forensics.sampling.matrices import BUDGET, Rows, choose_rows, read_matrices
from modelprov.forensics.search.matrix_beyond import Asked, Left, left_in
from modelprov.forensics.search.next_layers import shares_of_next
from modelprov.forensics.search.whole_columns import columns_projected
from modelprov.forensics.thresholds import HALF, KIN, LIKE_NOISE, LOW_RANK_TENSORS, SCALED_ROUNDED, TURNED
from modelprov.recipes.tensor_groups import kind_of

AT_ONCE = 2
"""Matrices that are measured at once; each takes a hundred megabytes or two."""
DIRECTIONS = 4
"""Of a change, up to which whole columns are read: adapters have more, of ablated directions there are few."""
TURNS = 2
"""Of the kinds of matrices in which few numbers are looked for, before all others are spared the search."""


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

    Two matrices at most are measured at once, by as many of the `threads`, while the next one is read. Of each is asked
    what `Open` leaves open.

    Raises what reading raises.
    """
    chosen = choose_rows(alignment, seed, budget)
    at_once = min(AT_ONCE, threads)
    still = Open(len(chosen), len(alignment.checkpoints) - 1, TURNS * len({kind_of(rows.name) for rows in chosen}))
    waiting: deque[Future[Left]] = deque()
    names: list[str] = []
    with ThreadPoolExecutor(at_once) as pool:
        for number, matrix in enumerate(read_matrices(alignment, chosen)):
            names.append(matrix.tensor.name)
            while len(waiting) == at_once or (waiting and number == still.first):
                still.hear(waiting.popleft().result())
            waiting.append(pool.submit(left_in, matrix, still.asked()))
        for each in waiting:
            still.hear(each.result())
    found = still.found
    beside = shares_of_next(alignment, seed, budget) if any(each.changed for each in found) else ()
    few = [name for name, each in zip(names, found, strict=True) if each.rank is not None and each.rank <= DIRECTIONS]
    ranked = sum(each.ranked for each in found)
    columns = columns_projected(alignment, few, budget) if len(few) >= LOW_RANK_TENSORS * ranked else ()
    return Beyond(tuple(found), {other.label: _like(alignment, other, chosen) for other in others}, beside, columns)


class Open:
    """What is still open of so many `matrices`, given those that were looked at: no answer to come changes the rest.

    Who judges (`judging/one_parents.py`) asks of some alterations whether every matrix shows them, of others whether
    half do: none is asked of further ones where one matrix, or more than half of all, say no for each parent. Of the
    `first` ones, which are of all kinds in turn, at least one has to hold few numbers, or rows that were turned, for
    these to be looked for in the others: that takes longer than all else, and a quantiser leaves no kind out but
    embeddings and heads.
    """

    def __init__(self, matrices: int, parents: int, first: int) -> None:
        self.matrices, self.first = matrices, first
        self.found: list[Left] = []
        self._few = self._turned = False
        self._factored = self._offset = True
        self._akin, self._whole = [0] * parents, [0] * parents  # matrices that speak against a profile, a projection

    def hear(self, left: Left) -> None:
        """Take note of the next matrix."""
        if len(self.found) < self.first:
            self._few |= left.lattice is not None
            self._turned |= any(each is not None and each <= TURNED for each in left.products)
        self.found.append(left)
        self._factored = self._factored and _leaves_rounding(left.factored)
        self._offset = self._offset and _leaves_rounding(left.offset)
        for parent, correlation in enumerate(left.correlations):
            self._akin[parent] += correlation is not None and correlation >= KIN
        for parent, projected in enumerate(left.projected):
            self._whole[parent] += projected is False

    def asked(self) -> Asked:
        """What to ask of the next matrix."""
        early = len(self.found) < self.first
        return Asked(
            lattice=early or self._few,
            factored=self._factored,
            offset=self._offset,
            correlations=min(self._akin) <= HALF * self.matrices,
            products=early or self._turned,
            projected=min(self._whole) <= HALF * self.matrices,
        )


def _leaves_rounding(left: Sequence[tuple[float, float]]) -> bool:
    """Whether an alteration leaves no more than rounding of one parent at least, by `left` and what is off without."""
    return bool(left) and min(left)[0] <= SCALED_ROUNDED


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


__all__ = ["Beyond", "Left", "Like", "by_layer", "measure_beyond"]
