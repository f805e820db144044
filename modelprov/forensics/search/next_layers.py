"""Whether what a suspect's layers differ in from a parent's is some of that parent's next layers. Judges nothing."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.checkpoints.types import Alignment
from modelprov.forensics.sampling.matrices import BUDGET, Rows, read_matrices
from modelprov.forensics.thresholds import ABOVE_ROUNDING
from modelprov.recipes.tensor_groups import kind_of

MATRICES, ROWS = 8, 16
"""Looked at, drawn by the seed, and rows of each: a training's changes correlate with other layers at chance, which is
one over the root of the elements."""
SHARE = 256
"""Of the budget, that the rows of one matrix are at most."""


def shares_of_next(alignment: Alignment, seed: int, budget: int = BUDGET) -> tuple[tuple[float | None, ...], ...]:
    """Matrix by matrix and parent by parent, how much of what differs the layers before and after account for.

    Of the sum of squares beyond rounding that a factor for the parent's own matrix leaves, the share, 0 to 1, that the
    same rows of its two neighbours explain (least squares); None where that is hardly more than rounding.

    Raises what reading raises.
    """
    chosen = _choose(alignment, seed, budget)
    read: dict[str, tuple[Float64, Float64]] = {}
    rows = {name: rows for group in chosen for name, rows in group.items()}
    for matrix in read_matrices(alignment, list(rows.values())):
        read[matrix.tensor.name] = matrix.values, matrix.widths
    return tuple(_shares(*(read[name] for name in group)) for group in chosen if all(name in read for name in group))


def _choose(alignment: Alignment, seed: int, budget: int) -> list[dict[str, Rows]]:
    """Rows of some matrices of layers, each followed by the same rows of those beside it, one or two."""
    kinds: dict[tuple[str, int | None, tuple[int, ...]], dict[int, Rows]] = defaultdict(dict)
    for tensor in alignment.tensors:
        if tensor.decisive and len(tensor.shape) == 2 and tensor.layer is not None:
            count = min(tensor.shape[0], ROWS, max(1, budget // SHARE // tensor.shape[1]))
            kinds[kind_of(tensor.name), tensor.expert, tensor.shape][tensor.layer] = Rows(tensor.name, 0, count)
    places = [
        (layers, layer) for layers in kinds.values() for layer in layers if {layer - 1, layer + 1} & layers.keys()
    ]
    rng = np.random.default_rng(seed)
    groups = []
    for place in rng.permutation(len(places))[:MATRICES].tolist():
        layers, layer = places[place]
        near = [layers[each] for each in (layer, layer - 1, layer + 1) if each in layers]
        groups.append({rows.name: rows for rows in near})
    return groups


def _shares(own: tuple[Float64, Float64], *beside: tuple[Float64, Float64]) -> tuple[float | None, ...]:
    """The shares of every parent, of the same rows of one matrix and of those beside it."""
    values, widths = own
    noise = float(np.square(widths).sum() / 12)
    return tuple(
        _share(values[0], values[parent], [other[parent] for other, _ in beside], noise)
        for parent in range(1, len(values))
    )


def _share(suspect: Float64, parent: Float64, beside: list[Float64], noise: float) -> float | None:
    left = suspect - parent
    left_of_own = _without(left, [parent])
    size = float(np.vdot(left_of_own, left_of_own))
    if not size > ABOVE_ROUNDING * noise:
        return None
    rest = _without(left, [parent, *beside])
    return max(0.0, 1 - max(0.0, float(np.vdot(rest, rest)) - noise) / (size - noise))


def _without(values: Float64, others: list[Float64]) -> Float64:
    """What least squares leave of the values."""
    columns = np.stack([other.ravel() for other in others], axis=1)
    found, *_ = np.linalg.lstsq(columns, values.ravel(), rcond=None)
    return np.asarray(values.ravel() - columns @ found, np.float64)
