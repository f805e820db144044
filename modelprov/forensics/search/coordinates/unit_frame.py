"""The frame between two residual streams from the units of MLPs alone, where embeddings say nothing. Decides nothing.

Embeddings may be another model's, or stand for other tokens. What the three vectors of a unit are to each other (their
lengths and angles) no rotation, order or factor changes: units that are alike in it are pairs, the frame is what turns
one model's gates into the other's, and the pairs found in it make it better. Whether it means anything, layers that
were not looked at here must tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from scipy.spatial import KDTree

from modelprov.checkpoints.formats.dtypes import Float32, Float64
from modelprov.forensics.search.coordinates.frame import Frame, find_frame
from modelprov.forensics.search.coordinates.matrices import Matrices
from modelprov.forensics.search.coordinates.pairing import Int64, nearest, unit_rows
from modelprov.forensics.thresholds import UNITS_TURNED

MOST = 1 << 28
"""Weights of the gates of one layer that are read: all of a dense one, of many experts none."""
ROUNDS = 3
Unit = tuple[Float32, Float32, Float32]
"""Gates, ups and downs of the same units, a row each."""


def unit_frame(own: Matrices, theirs: Matrices, layers: Sequence[tuple[int, int]]) -> Frame | None:
    """The frame that the units of these pairs of layers (suspect's, parent's) give; None where they give none."""
    pairs = [found for layer, there in layers if (found := _paired(own, theirs, layer, there)) is not None]
    if not pairs:
        return None
    alike = [(pair, _alike(*pair)) for pair in pairs]
    gates = [(unit_rows(second[0][b]), unit_rows(first[0][a])) for (first, second), (a, b) in alike]
    frame = find_frame(*(np.concatenate(side) for side in zip(*gates, strict=True)))
    ups = np.concatenate([_cosines(first[1][a], frame.turned(second[1][b])) for (first, second), (a, b) in alike])
    by_chance = np.sqrt(2 / np.pi / own.decoder.hidden)
    if not ups.size or (np.abs(ups).mean() / by_chance - 1) * np.sqrt(ups.size) < UNITS_TURNED:
        return None
    for _ in range(ROUNDS):
        rows = list(_rows(pairs, frame, own.decoder.hidden))
        frame = find_frame(*(np.concatenate(side) for side in zip(*rows, strict=True)))
    return frame


def _paired(own: Matrices, theirs: Matrices, layer: int, there: int) -> tuple[Unit, Unit] | None:
    """All units of two layers, those of every expert together."""
    first, second = _units(own, layer), _units(theirs, there)
    return None if first is None or second is None else (first, second)


def _units(model: Matrices, layer: int) -> Unit | None:
    decoder = model.decoder
    parts = [(None, False), (None, True), *((expert, False) for expert in decoder.experts(layer))]
    found, size = [], 0
    for expert, shared in parts:
        places = [decoder.of(layer, kind, expert, shared) for kind in ("gate", "up", "down")]
        known = [place for place in places if place is not None]
        size += known[0].view.count if known else 0
        if len(known) == 3 and size <= MOST:
            gate, up, down = known
            if gate.shape == up.shape == down.shape[::-1]:
                found.append((model.folded(gate), model.folded(up), model.read(down).T))
    if not found or size > MOST:
        return None
    gates, ups, downs = (np.concatenate(sides) for sides in zip(*found, strict=True))
    return gates, ups, downs


def _alike(first: Unit, second: Unit) -> tuple[Int64, Int64]:
    """Units that are each other's nearest by what no rotation changes."""
    signs = [_standing(units) for units in (first, second)]
    trees = [KDTree(values) for values in signs]
    to, back = (np.asarray(tree.query(values)[1], np.int64) for tree, values in zip(trees[::-1], signs, strict=True))
    own = np.flatnonzero(back[to] == np.arange(to.size))
    return own, to[own]


def _standing(units: Unit) -> Float64:
    """Lengths and angles of each unit's vectors, [n, 5], in deviations from the model's own mean.

    A unit's up and down may be scaled against each other and both negated.
    """
    gates, ups, downs = units
    sizes = [np.maximum(np.linalg.norm(values.astype(np.float64), axis=1), 1e-30) for values in units]
    columns = np.stack(
        [
            np.log(sizes[0]),
            np.log(sizes[1] * sizes[2]),
            np.abs(_cosines(gates, ups)),
            np.abs(_cosines(gates, downs)),
            _cosines(ups, downs),
        ],
        axis=1,
    )
    spread = columns.std(axis=0)
    return np.asarray((columns - columns.mean(axis=0)) / np.where(spread > 0, spread, 1), np.float64)


def _cosines(first: Float32, second: Float32) -> Float64:
    return np.asarray((unit_rows(first) * unit_rows(second)).sum(axis=1, dtype=np.float64))


def _rows(pairs: Sequence[tuple[Unit, Unit]], frame: Frame, hidden: int) -> Iterator[tuple[Float32, Float32]]:
    """Rows (parent's, suspect's) of units that are paired in the frame, those that may be negated with their sign."""
    for first, second in pairs:
        count = first[0].shape[0]
        some = np.linspace(0, count - 1, min(count, 2 * hidden)).round().astype(np.int64)
        seen = [
            (own[some], frame.turned(theirs), number == 0)
            for number, (own, theirs) in enumerate(zip(first, second, strict=True))
        ]
        places, _ = nearest(seen)
        known = np.flatnonzero(places >= 0)
        for number, (own, turned, signed) in enumerate(seen):
            products = (own[known] * turned[places[known]]).sum(axis=1)
            signs = np.where((products < 0) & (not signed), -1, 1).astype(np.float32)[:, None]
            yield unit_rows(second[number][places[known]]) * signs, unit_rows(own[known])
