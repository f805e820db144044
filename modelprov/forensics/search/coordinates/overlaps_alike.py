"""Whether the matrices of two models overlap one another alike (`overlaps.py`). Reads nothing, decides nothing.

What all models of a design have in common is taken out first: of every two kinds of matrices, in one layer and across
layers, the mean and the spread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.formats.dtypes import Float64
from modelprov.checkpoints.layouts.components import component_of
from modelprov.checkpoints.layouts.roles import unnumbered
from modelprov.checkpoints.types import Overlaps

LEAST_KINDS = 3
"""Of matrices that every layer has, without which its overlaps do not say which layer it is."""
Key = tuple[int, str]
"""Layer, and name without the layer's number."""


@dataclass(frozen=True)
class OverlapsAlike:
    """The `correlation` of two models' overlaps, over so many independent `pairs` of matrices.

    In squares of the sampling error: the mean `size` of those of the model in which they are smaller, and what the
    other one's leave of them, the `residual`.
    """

    correlation: float
    pairs: int
    size: float = 0.0
    residual: float = 0.0


def overlaps_alike(own: Overlaps, theirs: Overlaps) -> OverlapsAlike | None:
    """Hold two tables against each other, layers by number or by what overlaps inside them, whichever agrees more.

    None where they were not made alike, or too little is in both.
    """
    if own.head_width != theirs.head_width:
        return None
    first, second = _places(own), _places(theirs)
    by_number = {layer: layer for layer, _ in first}
    by_content = _by_content(own.table, first, theirs.table, second)
    found = [_held(own.table, first, theirs.table, second, order) for order in (by_number, by_content)]
    return max((each for each in found if each is not None), key=lambda each: each.correlation, default=None)


def _places(of: Overlaps) -> dict[Key, int]:
    """Row of the table by layer and kind."""
    layers = [component_of(name, (16, 16))[0] for name in of.names]
    return {
        (layer, unnumbered(name)): row
        for row, (layer, name) in enumerate(zip(layers, of.names, strict=True))
        if layer is not None
    }


def _held(
    own: npt.NDArray[np.float32], first: Mapping[Key, int], theirs: npt.NDArray[np.float32], second: Mapping[Key, int],
    order: Mapping[int, int],
) -> OverlapsAlike | None:  # fmt: skip
    """The correlation, with the layers of the one standing for those of the other as `order` says."""
    common = [(key, order[key[0]]) for key in first if key[0] in order and (order[key[0]], key[1]) in second]
    one, other = np.triu_indices(len(common), 1)
    rows = np.array([first[key] for key, _ in common], np.int64)
    columns = np.array([second[there, key[1]] for key, there in common], np.int64)
    apart = columns[one] != columns[other] if common else np.zeros(0, bool)
    one, other = one[apart], other[apart]
    kinds = np.unique([key[1] for key, _ in common], return_inverse=True)[1] if common else rows
    layer = np.array([key[0] for key, _ in common], np.int64)
    low, high = np.minimum(kinds[one], kinds[other]), np.maximum(kinds[one], kinds[other])
    group = (low * len(common) + high) * 2 + (layer[one] == layer[other])
    values = [table[index[one], index[other]].astype(np.float64) for table, index in ((own, rows), (theirs, columns))]
    centred, spreads = zip(*(_without_design(each, group) for each in values), strict=True)
    tells = (spreads[0] > 0) & (spreads[1] > 0)
    pairs = int(tells.sum()) - len(np.unique(group[tells]))
    if pairs < 1:
        return None
    first_own, second_own = (each[tells] for each in centred)
    plain = _cosine(first_own / spreads[0][tells], second_own / spreads[1][tells])
    size = min(float(first_own @ first_own), float(second_own @ second_own)) / pairs
    return OverlapsAlike(plain, pairs, size, size * (1 - _cosine(first_own, second_own) ** 2))


def _without_design(values: Float64, group: npt.NDArray[np.int64]) -> tuple[Float64, Float64]:
    """The values [n] less the mean of their group, and the spread of each one's group, 0 where it is alone."""
    made, spread = np.zeros(len(values)), np.zeros(len(values))
    for each in np.unique(group):
        chosen = group == each
        if chosen.sum() > 1:
            made[chosen] = values[chosen] - values[chosen].mean()
            spread[chosen] = made[chosen].std()
    return made, spread


def _cosine(first: Float64, second: Float64) -> float:
    return float(first @ second / np.sqrt((first @ first) * (second @ second)))


def _by_content(
    own: npt.NDArray[np.float32], first: Mapping[Key, int], theirs: npt.NDArray[np.float32], second: Mapping[Key, int]
) -> dict[int, int]:
    """For each layer of the one the layer of the other whose matrices overlap one another most alike."""
    layers = [sorted({layer for layer, _ in places}) for places in (first, second)]
    kinds = sorted({kind for _, kind in first}.intersection(kind for _, kind in second))
    kinds = [
        kind
        for kind in kinds
        if all((layer, kind) in places for places, held in ((first, layers[0]), (second, layers[1])) for layer in held)
    ]
    if len(kinds) < LEAST_KINDS:
        return {}
    one, other = np.triu_indices(len(kinds), 1)
    seen = []
    for table, places, held in ((own, first, layers[0]), (theirs, second, layers[1])):
        rows = np.array([[places[layer, kind] for kind in kinds] for layer in held])
        inside = table[rows[:, one], rows[:, other]].astype(np.float64)
        inside -= inside.mean(axis=0)
        lengths = np.linalg.norm(inside, axis=1, keepdims=True)
        seen.append(np.divide(inside, lengths, out=np.zeros_like(inside), where=lengths > 0))
    best = np.argmax(seen[0] @ seen[1].T, axis=1)
    return {layer: layers[1][place] for layer, place in zip(layers[0], best.tolist(), strict=True)}
