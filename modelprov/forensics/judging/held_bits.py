"""Which parents' bits the suspect holds, tensor by tensor and in all. Decides nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from modelprov.forensics.estimators.at_their_places import inner_share
from modelprov.forensics.judging.rows import Table
from modelprov.forensics.sampling.sample import Sample
from modelprov.forensics.sums.moments import ELEMENTS, FIRST_PAIR, NONFINITE, PARENTS_AGREE, Int64, Moments, layout
from modelprov.forensics.thresholds import KIN, SCATTERED, SINGLE, SINGLE_SHARE


def held_parents(table: Table, decisive: Int64) -> list[int]:
    """The parents that every decisive tensor is of, the most alike first.

    Of equals the last comes first, as it is the reference, usually the base that the others are made from too; that
    some numbers of norms coincide makes none of them more alike.
    """
    total, everything = table.rows(decisive), table.moments.total()
    if not total.elements:
        return []
    held = [parent for parent in range(1, total.n) if _holds(table, decisive, parent)]
    rest = everything.elements - total.elements
    beside = {parent: everything.equal(0, parent) - total.equal(0, parent) for parent in held}
    return sorted(
        held, key=lambda parent: (-total.equal(0, parent), -beside[parent] if 2 * beside[parent] > rest else 0, -parent)
    )


def _holds(table: Table, decisive: Int64, parent: int) -> bool:
    """Whether every decisive tensor is that parent's, but for single elements: training leaves none so.

    Of a tensor that was read in part, as many fewer: three of 512 are no single elements of a million.
    """
    counts = table.moments.counts[decisive]
    others = counts[:, ELEMENTS] - counts[:, FIRST_PAIR + layout(table.moments.n).pairs.index((0, parent))]
    single = SINGLE * np.minimum((counts[:, ELEMENTS] + counts[:, NONFINITE]) / table.sizes[decisive], 1.0)
    return bool((others <= np.maximum(single, SINGLE_SHARE * counts[:, ELEMENTS])).all())


def beneath(sample: Sample | None, same: Sequence[int]) -> tuple[int, ...]:
    """Of the parents whose bits the suspect holds, those that are too near to have been rounded to it."""
    shares = {} if sample is None else {parent: inner_share(sample, parent - 1) for parent in same}
    return tuple(parent for parent, share in shares.items() if (share or 0) > SCATTERED)


def bit_equal(moments: Moments, slot: int | None) -> float | None:
    """Share of the elements where parents differ whose bits the recipe reproduces, at worst.

    All misses are charged to those elements, since where parents agree any recipe gives their value.
    """
    differ = moments.elements - moments.count(PARENTS_AGREE)
    if slot is None or differ <= 0:
        return None
    return max(0.0, 1 - (moments.elements - moments.recipe(slot)) / differ)


def patched(table: Table, decisive: Int64) -> bool:
    """Whether every one of these tensors holds all bits of some parent."""
    counts, n = table.moments.counts[decisive], table.moments.n
    own = [FIRST_PAIR + layout(n).pairs.index((0, parent)) for parent in range(1, n)]
    return bool(decisive.size) and bool((counts[:, own] == counts[:, [ELEMENTS]]).any(axis=1).all())


def same_matrices(table: Table, decisive: Int64) -> tuple[int, ...]:
    """How many of these tensors hold all bits of a parent, by parent."""
    counts, n = table.moments.counts[decisive], table.moments.n
    pairs = layout(n).pairs
    same = [counts[:, FIRST_PAIR + pairs.index((0, parent))] == counts[:, ELEMENTS] for parent in range(1, n)]
    return tuple(int(np.count_nonzero(each)) for each in same)


def kin_tensors(table: Table, decisive: Int64) -> float:
    """Share of the elements that are in tensors whose raw weights correlate above `KIN` with some parent's."""
    if not decisive.size:
        return 0.0
    found = [[column[decisive] for column in table.correlations(0, parent)] for parent in range(1, table.moments.n)]
    with np.errstate(invalid="ignore"):
        kin = np.any([values > KIN for values, _ in found], axis=0)
    elements = found[0][1]
    return float(elements[kin].sum() / elements.sum()) if elements.sum() else 0.0
