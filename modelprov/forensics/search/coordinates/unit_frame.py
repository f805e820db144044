"""The frame between two residual streams from the units of MLPs alone, where embeddings say nothing. Decides nothing.

Embeddings may be another model's, or stand for other tokens. What the vectors of a unit are to each other, to the other
units of its layer and to the heads of attention, no rotation, order or factor changes: units that are alike in it are
pairs, the frame is what turns one model's gates into the other's, and the pairs found in it make it better. Whether it
means anything, MLPs that were not looked at here must tell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from modelprov.checkpoints.formats.dtypes import Float32
from modelprov.forensics.search.coordinates.frame import Frame, find_frame
from modelprov.forensics.search.coordinates.matrices import Matrices, transposed
from modelprov.forensics.search.coordinates.pairing import nearest, unit_rows
from modelprov.forensics.search.coordinates.unit_standing import Unit, gram_of, mutual, nearest_units, standing_of
from modelprov.forensics.thresholds import UNITS_TURNED

MOST = 1 << 28
"""Weights of the gates of one layer that are read: all of a dense one, of many experts none."""
WORK = 1 << 33
"""Units times dimensions squared up to which units are held against all others of their layer; thrice that is done."""
SEARCHED = 1 << 30
"""Weights of the gates of all layers up to which a layer is looked for under other numbers."""
WIDE, FEW = 256, 4
"""Dimensions from which so many matrices, or half of what the work allows, show whether units give a frame at all: with
noise of the weights' own size ups agreed by 3 standard errors and more in four models, where 1.5 are asked for."""
LOOKED_AT, A_PART = 1_024, 0.25
"""Units of a layer that is looked for, and the share of them that must be near ones of the suspect."""
ROUNDS = 3
OTHERS = 4
"""Units of the other model that each is held against, beside the one that it is paired with."""
HEADS = ("q", "k", "v", "o")
Numbers = tuple[int, int]
"""Of a pair of layers, the suspect's and the parent's."""
Known = dict[tuple[object, ...], Float32]
"""What `standing_of` says of a layer of one model, by the side, the layer, and what units were held against."""


def unit_frame(own: Matrices, theirs: Matrices, layers: Sequence[Numbers], known: Known | None = None) -> Frame | None:
    """The frame that the units of these pairs of layers give; None where they give none.

    What is `known` of layers that were paired otherwise before is not worked out again, and added to.
    """
    known = {} if known is None else known
    pairs: dict[Numbers, tuple[Unit, Unit]] = {}
    for layer, there in layers:
        first, second = _units(own, layer), _units(theirs, there)
        if first is not None and second is not None and len(first) == len(second):
            pairs[layer, there] = first, second
    if not pairs:
        return None
    units = next(iter(pairs.values()))
    most = min(map(_most, units))
    frame = None
    for count in dict.fromkeys((_few(units[0], most), most)):  # strangers are told by few
        against = _around(own, theirs, layers, pairs, count)
        sides = [_side(number, model, pairs, against, known) for number, model in enumerate((own, theirs))]
        frame = _first_frame(list(pairs.values()), list(zip(*sides, strict=True)))
        if frame is None:
            return None
    assert frame is not None
    for _ in range(ROUNDS):
        rows = list(_rows(list(pairs.values()), frame, own.decoder.hidden))
        frame = find_frame(*(np.concatenate(side) for side in zip(*rows, strict=True)))
    return frame


def _side(
    side: int,
    model: Matrices,
    pairs: dict[Numbers, tuple[Unit, Unit]],
    against: Sequence[tuple[Numbers, int | str]],
    known: Known,
) -> list[Float32]:
    """What `standing_of` says of one side's units of every pair, held `against` that side's matrices."""
    places = tuple((numbers[side], kind) for numbers, kind in against)
    keys = {numbers: (side, numbers[side], *places) for numbers in pairs}
    left = [numbers for numbers, key in keys.items() if key not in known]
    if left:
        grams = [gram_of(_vectors(side, model, pairs, numbers, kind)) for numbers, kind in against]
        known.update({keys[numbers]: standing_of(pairs[numbers][side], grams) for numbers in left})
    return [known[key] for key in keys.values()]


def _vectors(
    side: int, model: Matrices, pairs: dict[Numbers, tuple[Unit, Unit]], numbers: Numbers, kind: int | str
) -> Float32:
    """The rows of a kind: gates, ups and downs by number, heads of attention by name."""
    if isinstance(kind, int):
        return pairs[numbers][side][kind]
    place = model.decoder.of(numbers[side], kind)
    assert place is not None
    return model.read(place).T if kind == "o" else model.folded(place)


def _first_frame(pairs: Sequence[tuple[Unit, Unit]], standing: Sequence[tuple[Float32, Float32]]) -> Frame | None:
    """The frame of the gates of units that are each other's nearest, if their ups agree in it."""
    alike = [(pair, mutual(*said)) for pair, said in zip(pairs, standing, strict=True)]
    signed = [(unit_rows(second[0][b]), unit_rows(first[0][a])) for (first, second), (a, b) in alike]
    frame = find_frame(*(np.concatenate(side) for side in zip(*signed, strict=True)), roughly=True)
    ups = [(first[1][a], frame.turned(second[1][b])) for (first, second), (a, b) in alike]
    return frame if _agreement(ups) >= UNITS_TURNED else None


def _agreement(sides: Sequence[tuple[Float32, Float32]]) -> float:
    """By how many standard errors rows of both sides agree more than those of other units do.

    Of others, not of vectors from anywhere: where norms weigh few dimensions most, any two units agree.
    """
    paired, others = [np.zeros(0)], [np.zeros(0)]
    for first, second in sides:
        own, theirs = unit_rows(first), unit_rows(second)
        paired.append(np.abs(np.einsum("ij,ij->i", own, theirs)))
        others += [np.abs(np.einsum("ij,ij->i", own, np.roll(theirs, by, axis=0))) for by in range(1, OTHERS + 1)]
    found, by_chance = np.concatenate(paired), np.concatenate(others)
    if not found.size:
        return 0.0
    return float((found.mean() / max(float(by_chance.mean()), 1e-30) - 1) * np.sqrt(found.size))


def layers_alike(own: Matrices, theirs: Matrices, layers: Sequence[int]) -> list[tuple[int, int]]:
    """For each of these layers of the suspect that of the parent whose units are most alike, whatever its number.

    Nothing for models of so many weights that reading all layers is not worth it.
    """
    known = [(layer, units) for layer in layers if (units := _units(own, layer)) is not None]
    if not known or known[0][1][0].size * len(theirs.decoder.layers) > SEARCHED:
        return []
    standing = [(layer, standing_of(units, _within(units))) for layer, units in known]
    found: dict[int, dict[int, float]] = {layer: {} for layer, _ in standing}
    for there in theirs.decoder.layers:
        units = _units(theirs, there)
        if units is None or len(units) != len(known[0][1]):
            continue
        count = len(units[0])
        some = np.linspace(0, count - 1, min(count, LOOKED_AT)).round().astype(np.int64)
        second = standing_of(units, _within(units), some)
        for layer, first in standing:
            found[layer][there] = float(np.quantile(nearest_units(second, first)[1], A_PART))
    return [(layer, min(distances, key=distances.__getitem__)) for layer, distances in found.items() if distances]


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
            found.append((*gates, model.folded(up), transposed(model.read(down))))
    if not found or len({len(unit) for unit in found}) > 1:
        return None
    return found[0] if len(found) == 1 else tuple(np.concatenate(sides) for sides in zip(*found, strict=True))


def _within(units: Unit) -> list[Float32]:
    """Grams of a layer's own units, where no layers are paired yet: of gates alone in wide models.

    Nothing without gates, where lengths and angles are too few to begin with, or where it is too much work.
    """
    most = _most(units)
    kinds = units[: 1 if units[0].shape[1] >= WIDE else len(units)]
    return [gram_of(values) for values in kinds] if len(units) > 2 and most else []


def _most(units: Unit) -> int:
    """How many matrices the work allows units to be held against."""
    rows, hidden = units[0].shape
    work = rows * hidden**2
    return len(units) * WORK // work if work <= WORK else 0


def _few(units: Unit, most: int) -> int:
    """How many of them show whether it is worth the others."""
    return most if units[0].shape[1] < WIDE else min(FEW, most // 2)


def _around(
    own: Matrices,
    theirs: Matrices,
    layers: Sequence[Numbers],
    pairs: dict[Numbers, tuple[Unit, Unit]],
    most: int,
) -> list[tuple[Numbers, int | str]]:
    """What units are held against, by layers and kind: all these layers' units, then the heads of attention.

    So many at `most`. Layers that kept their numbers are held against the attention of every layer. It hangs
    on none of the MLPs that are tested afterwards, and where noise covers what units are to each other, there are many
    more of its rows.
    """
    found: list[tuple[Numbers, int | str]] = [
        (numbers, kind) for numbers, (units, _) in pairs.items() for kind in range(len(units))
    ]
    still = all(first == second for first, second in layers)
    there = [(layer, layer) for layer in own.decoder.layers if layer in theirs.decoder.layers] if still else layers
    for numbers in there:
        for kind in HEADS:
            places = [model.decoder.of(layer, kind) for model, layer in zip((own, theirs), numbers, strict=True)]
            if all(place is not None for place in places):
                found.append((numbers, kind))
    return found[:most]


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
