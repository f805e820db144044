"""What no rotation, order or factor changes of the units of MLPs, and which are nearest in it. Pairs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float32, Float64
from modelprov.forensics.search.coordinates.pairing import BLOCK, Int64, unit_rows

FEW_ROWS = 32
"""Of which the products with one another are made at once."""
ROWS, STRIP = 512, 256
"""Of a table and a quadratic form, that are multiplied at once: their products stay in a cache."""
Unit = tuple[Float32, ...]
"""Gates, ups and downs of the same units, a row each; without gates, ups and downs. The first have a sign."""


def mutual(first: Float32, second: Float32) -> tuple[Int64, Int64]:
    """Units that are each other's nearest in what `standing_of` says."""
    to, back = nearest_units(first, second)[0], nearest_units(second, first)[0]
    own = np.flatnonzero(back[to] == np.arange(to.size))
    return own, to[own]


def nearest_units(first: Float32, second: Float32) -> tuple[Int64, Float32]:
    """For each row of the first table the nearest of the second, and how far it is."""
    to, apart = np.zeros(len(first), np.int64), np.zeros(len(first), np.float32)
    sizes = np.square(second).sum(axis=1)
    for start in range(0, len(first), BLOCK):
        some = slice(start, start + BLOCK)
        squares = sizes - 2 * (first[some] @ second.T)
        to[some] = squares.argmin(axis=1)
        apart[some] = np.take_along_axis(squares, to[some, None], axis=1)[:, 0]
    return to, np.sqrt(np.maximum(apart + np.square(first).sum(axis=1), 0))


def standing_of(units: Unit, grams: Sequence[Float32], some: Int64 | None = None) -> Float32:
    """What no rotation changes of each unit, or of some, [n, measures], in deviations from the model's own mean.

    Lengths and angles of its vectors, and how much of each lies where the rows of other matrices do, whose `grams`
    [d, d] these are. A unit's up and down may be scaled against each other and both negated.
    """
    products = _products(units)
    sizes = np.maximum(np.sqrt(np.diagonal(products, axis1=1, axis2=2)), 1e-30)
    cosines = products / (sizes[:, :, None] * sizes[:, None])
    columns = [np.log(sizes[:, -2] * sizes[:, -1]), cosines[:, -2, -1]]
    if len(units) > 2:
        columns += [np.log(sizes[:, 0]), np.abs(cosines[:, 0, 1]), np.abs(cosines[:, 0, 2])]
    seen = _deviations(np.stack(columns, axis=1))
    chosen = units if some is None else tuple(values[some] for values in units)
    directions = [unit_rows(values) for values in chosen] if grams else []
    held = [_quadratic(values, gram) for gram in grams for values in directions]
    seen = seen if some is None else seen[some]
    return np.hstack([seen, _deviations(np.stack(held, axis=1).astype(np.float64))]) if held else seen


def _quadratic(rows: Float32, gram: Float32) -> Float32:
    """What each row [n, d] gives in a quadratic form [d, d]; a symmetric one, of which half is multiplied."""
    found = np.zeros(len(rows), np.float32)
    for start in range(0, len(rows), ROWS):
        some = rows[start : start + ROWS]
        for first in range(0, len(gram), STRIP):
            products = some[:, first : first + STRIP] @ gram[first : first + STRIP, first:]
            products[:, STRIP:] *= 2
            found[start : start + ROWS] += np.einsum("ij,ij->i", products, some[:, first:])
    return found


def _products(units: Unit) -> Float64:
    """Of the vectors of each unit with one another, [n, kinds, kinds]; a few rows at a time, which a cache holds."""
    found = np.empty((len(units[0]), len(units), len(units)))
    for start in range(0, len(found), FEW_ROWS):
        some = slice(start, start + FEW_ROWS)
        for one, other in combinations_with_replacement(range(len(units)), 2):
            product = np.einsum("ij,ij->i", units[one][some], units[other][some])
            found[some, one, other] = found[some, other, one] = product
    return found


def _deviations(table: Float64) -> Float32:
    """Every column less its mean, over its standard deviation."""
    spread = table.std(axis=0)
    return np.asarray((table - table.mean(axis=0)) / np.where(spread > 0, spread, 1), np.float32)


def gram_of(rows: Float32) -> Float32:
    """The Gram matrix [d, d] of vectors of length 1."""
    directions = unit_rows(rows)
    return directions.T @ directions
