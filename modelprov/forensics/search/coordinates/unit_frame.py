"""The frame between two residual streams from the units of MLPs alone, where embeddings say nothing. Decides nothing.

Embeddings may be another model's, or stand for other tokens. What the vectors of a unit are to each other, to the other
units of its layer and to the heads of attention, no rotation, order or factor changes: units that are alike in it are
pairs, the frame is what turns one model's gates into the other's, and the pairs found in it make it better. Whether it
means anything, MLPs that were not looked at here must tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float32, Float64
from modelprov.forensics.search.coordinates.frame import Frame, find_frame
from modelprov.forensics.search.coordinates.matrices import Matrices
from modelprov.forensics.search.coordinates.pairing import BLOCK, Int64, nearest, unit_rows
from modelprov.forensics.thresholds import UNITS_TURNED

MOST = 1 << 28
"""Weights of the gates of one layer that are read: all of a dense one, of many experts none."""
WORK = 1 << 33
"""Units times dimensions squared up to which units are held against all others of their layer; thrice that is done."""
SEARCHED = 1 << 30
"""Weights of the gates of all layers up to which a layer is looked for under other numbers."""
ROUNDS = 3
HEADS = ("q", "k", "v", "o")
Unit = tuple[Float32, ...]
"""Gates, ups and downs of the same units, a row each; without gates, ups and downs. The first have a sign."""


def unit_frame(own: Matrices, theirs: Matrices, layers: Sequence[tuple[int, int]]) -> Frame | None:
    """The frame that the units of these pairs of layers (suspect's, parent's) give; None where they give none."""
    pairs = []
    for layer, there in layers:
        first, second = _units(own, layer), _units(theirs, there)
        if first is not None and second is not None and len(first) == len(second):
            pairs.append((first, second))
    if not pairs:
        return None
    known = _around(own, theirs, layers, pairs)
    alike = [(pair, _alike(*map(_standing, pair, known))[:2]) for pair in pairs]
    signed = [(unit_rows(second[0][b]), unit_rows(first[0][a])) for (first, second), (a, b) in alike]
    frame = find_frame(*(np.concatenate(side) for side in zip(*signed, strict=True)))
    others = np.concatenate([_cosines(first[1][a], frame.turned(second[1][b])) for (first, second), (a, b) in alike])
    by_chance = np.sqrt(2 / np.pi / own.decoder.hidden)
    if not others.size or (np.abs(others).mean() / by_chance - 1) * np.sqrt(others.size) < UNITS_TURNED:
        return None
    for _ in range(ROUNDS):
        rows = list(_rows(pairs, frame, own.decoder.hidden))
        frame = find_frame(*(np.concatenate(side) for side in zip(*rows, strict=True)))
    return frame


def layers_alike(own: Matrices, theirs: Matrices, layers: Sequence[int]) -> list[tuple[int, int]]:
    """For each of these layers of the suspect that of the parent whose units are most alike, whatever its number.

    Nothing for models of so many weights that reading all layers is not worth it.
    """
    known = [(layer, units) for layer in layers if (units := _units(own, layer)) is not None]
    if not known or known[0][1][0].size * len(theirs.decoder.layers) > SEARCHED:
        return []
    whole = len(known[0][1]) == 2  # without gates, lengths and angles are too few
    standing = [(layer, _standing(units, _directions(units) if whole else ())) for layer, units in known]
    best: dict[int, tuple[float, int]] = {}
    for there in theirs.decoder.layers:
        units = _units(theirs, there)
        if units is None or len(units) != len(known[0][1]):
            continue
        second = _standing(units, _directions(units) if whole else ())
        for layer, first in standing:
            distance = float(np.median(_alike(first, second)[2]))
            if layer not in best or distance < best[layer][0]:
                best[layer] = distance, there
    return [(layer, there) for layer, (_, there) in best.items()]


def _units(model: Matrices, layer: int) -> Unit | None:
    """All units of a layer, those of every expert together."""
    decoder = model.decoder
    parts = [(None, False), (None, True), *((expert, False) for expert in decoder.experts(layer))]
    found: list[Unit] = []
    size = 0
    for expert, shared in parts:
        gate, up, down = (decoder.of(layer, kind, expert, shared) for kind in ("gate", "up", "down"))
        if up is None or down is None:
            continue
        size += up.view.count
        if size > MOST:
            return None
        if up.shape == down.shape[::-1] and (gate is None or gate.shape == up.shape):
            gates = () if gate is None else (model.folded(gate),)
            found.append((*gates, model.folded(up), model.read(down).T))
    if not found or len({len(unit) for unit in found}) > 1:
        return None
    return tuple(np.concatenate(sides) for sides in zip(*found, strict=True))


def _alike(first: Float64, second: Float64) -> tuple[Int64, Int64, Float64]:
    """Units that are each other's nearest in what `_standing` says, and how far they are apart."""
    to, apart = np.zeros(len(first), np.int64), np.zeros(len(first))
    back, least = np.full(len(second), -1, np.int64), np.full(len(second), np.inf)
    for start in range(0, len(first), BLOCK):
        some = np.arange(start, min(start + BLOCK, len(first)))
        squares = (
            np.square(first[some]).sum(axis=1)[:, None] - 2 * (first[some] @ second.T) + np.square(second).sum(axis=1)
        )
        to[some] = squares.argmin(axis=1)
        apart[some] = np.sqrt(np.maximum(squares[np.arange(len(some)), to[some]], 0))
        closest = squares.argmin(axis=0)
        found = squares[closest, np.arange(len(second))]
        back = np.where(found < least, some[closest], back)
        least = np.minimum(found, least)
    own = np.flatnonzero(back[to] == np.arange(to.size))
    return own, to[own], apart[own]


def _standing(units: Unit, around: Sequence[Float32]) -> Float64:
    """What no rotation changes of each unit, [n, measures], in deviations from the model's own mean.

    Lengths and angles of its vectors, and how much of each lies where the rows of the matrices `around` it do, [m, d]
    each, as many of them as the work allows. A unit's up and down may be scaled against each other and both negated.
    """
    sizes = [np.maximum(np.linalg.norm(values.astype(np.float64), axis=1), 1e-30) for values in units]
    *gates, ups, downs = units
    columns = [np.log(sizes[-2] * sizes[-1]), _cosines(ups, downs)]
    if gates:
        columns += [np.log(sizes[0]), np.abs(_cosines(gates[0], ups)), np.abs(_cosines(gates[0], downs))]
    work = ups.shape[0] * ups.shape[1] ** 2
    if work <= WORK:
        directions = _directions(units)
        for own in around[: len(units) * WORK // work]:
            gram = own.T @ own
            columns += [((values @ gram) * values).sum(axis=1, dtype=np.float64) for values in directions]
    table = np.stack(columns, axis=1)
    spread = table.std(axis=0)
    return np.asarray((table - table.mean(axis=0)) / np.where(spread > 0, spread, 1), np.float64)


def _directions(units: Unit) -> list[Float32]:
    """The vectors of all units, each of length 1."""
    return [unit_rows(values) for values in units]


def _around(
    own: Matrices, theirs: Matrices, layers: Sequence[tuple[int, int]], pairs: Sequence[tuple[Unit, Unit]]
) -> tuple[list[Float32], list[Float32]]:
    """What units are held against, of the suspect and of the parent: the units of all these layers, then the heads.

    Layers that kept their numbers are held against the attention of every layer. It hangs on none of the MLPs that are
    tested afterwards, and where noise covers what units are to each other, there are many more of its rows.
    """
    found: tuple[list[Float32], list[Float32]] = ([], [])
    for pair in pairs:
        for side, units in zip(found, pair, strict=True):
            side.extend(_directions(units))
    still = all(first == second for first, second in layers)
    there = [(layer, layer) for layer in own.decoder.layers if layer in theirs.decoder.layers] if still else layers
    count, hidden = pairs[0][0][0].shape
    most = len(pairs[0][0]) * WORK // (count * hidden**2)
    for numbers in there:
        for kind in HEADS:
            places = [model.decoder.of(layer, kind) for model, layer in zip((own, theirs), numbers, strict=True)]
            if len(found[0]) < most and all(place is not None for place in places):
                for side, model, place in zip(found, (own, theirs), places, strict=True):
                    assert place is not None
                    side.append(unit_rows(model.read(place).T if kind == "o" else model.folded(place)))
    return found


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
