"""Units of two layers: which MLPs or experts belong together, and how many of their units two kinds pair alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from modelprov.forensics.search.coordinates.frame import Frame
from modelprov.forensics.search.coordinates.matrices import Matrices
from modelprov.forensics.search.coordinates.pairing import agreements, assigned, clear, unit_rows, units_apart

UNITS = 1_024
"""Units of an MLP that are looked at; of more, so many are drawn."""
Part = tuple[int | None, bool]
"""An expert, or what all share."""
Side = tuple[np.ndarray, np.ndarray, bool]


def parts(own: Matrices, theirs: Matrices, frame: Frame, layer: int, there: int) -> list[tuple[Part, Part]]:
    """Which MLPs and experts of two layers belong together: experts by their router's rows, or all of one MLP."""
    found: list[tuple[Part, Part]] = [
        ((None, shared), (None, shared))
        for shared in (False, True)
        if own.decoder.of(layer, "down", None, shared) and theirs.decoder.of(there, "down", None, shared)
    ]
    mine, other = own.decoder.experts(layer), theirs.decoder.experts(there)
    if mine and not other and theirs.decoder.of(there, "down"):
        return [*found, *(((expert, False), (None, False)) for expert in mine)]
    if not mine or not other:
        return found
    routers = own.decoder.of(layer, "router"), theirs.decoder.of(there, "router")
    if routers[0] is None or routers[1] is None:
        return [*found, *(((expert, False), (expert, False)) for expert in mine if expert in other)]
    scores = unit_rows(own.folded(routers[0])) @ unit_rows(frame.turned(theirs.folded(routers[1]))).T
    order = assigned(scores)
    return [*found, *(((place, False), (int(to), False)) for place, to in enumerate(order) if to >= 0)]


def paired_units(
    own: Matrices, theirs: Matrices, frame: Frame, mine: tuple[int, Part], other: tuple[int, Part], seed: int
) -> tuple[int, int, float]:
    """How many of the units of two MLPs are paired alike by two kinds of their weights, of how many, and by chance."""
    seen = sides(own, theirs, frame, mine, other)
    if len(seen) < 2 or not alike_in_rows(seen):
        return 0, 0, 0.0
    mine_read, theirs_read, signs = zip(*seen, strict=True)
    del seen  # tens of MB each: let go of as soon as what is paired of them is there
    own_rows = units_apart(*mine_read)
    del mine_read
    their_rows = units_apart(*theirs_read)
    del theirs_read
    count, of = own_rows[0].shape[0], their_rows[0].shape[0]
    rows = np.arange(count)
    if count > UNITS:
        rows = np.sort(np.random.default_rng(seed).choice(count, UNITS, replace=False))
    found = []
    for number, signed in enumerate(signs):
        cosines = own_rows[number][rows] @ their_rows[number].T
        scores = cosines if signed else np.abs(cosines)
        found.append(clear(scores, assigned(scores)))
    agreeing, units = agreements(found[0], found[1])
    return agreeing, units, units / max(rows.size, of, 1)


def alike_in_rows(seen: Sequence[Side]) -> bool:
    """Whether all matrices of either model speak of equally many units, as those of one MLP do."""
    return len({(first.shape[0], second.shape[0]) for first, second, _ in seen}) == 1


def sides(
    own: Matrices, theirs: Matrices, frame: Frame | None, mine: tuple[int, Part], other: tuple[int, Part]
) -> list[Side]:
    """(suspect's rows, parent's rows in the frame or as they are, signed) of two kinds of gates, ups and downs."""
    found: list[Side] = []
    for kind in ("gate", "up", "down"):
        first, second = own.decoder.of(mine[0], kind, *mine[1]), theirs.decoder.of(other[0], kind, *other[1])
        if first is None or second is None or len(found) == 2:
            continue
        if kind == "down":
            seen = own.read(first).T, theirs.read(second).T
        else:
            seen = own.folded(first), theirs.folded(second)
        found.append((seen[0], seen[1] if frame is None else frame.turned(seen[1]), kind == "gate"))
    return found
