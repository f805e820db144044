"""Which parents' matrices a suspect's are, altered as training alters none, and what is then said near one parent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING, TypedDict

from modelprov.forensics.judging.decision import Decision
from modelprov.forensics.judging.reached_later import (
    directions_out,
    layers_mixed,
    of_one_design,
    other_coordinates_open,
    times_factors,
)
from modelprov.forensics.results import Beyond
from modelprov.forensics.thresholds import (
    HALF,
    KIN,
    LIKE_TENSORS,
    NEXT_LAYERS,
    SCALED_MOVED,
    SCALED_ROUNDED,
    TURNED,
)

if TYPE_CHECKING:  # whoever measured it has imported it
    from modelprov.forensics.search import beyond as measured


class Alterations(TypedDict):
    """The parents' labels, by what was done (`results.Beyond` says what each means)."""

    factored: tuple[str, ...]
    turned: tuple[str, ...]
    offset: tuple[str, ...]
    profiled: tuple[str, ...]
    projected: tuple[str, ...]
    layered: tuple[str, ...]


def alterations(found: measured.Beyond, parents: Sequence[str]) -> Alterations:
    """Of every alteration the parents that it makes the suspect's matrices of; their labels."""
    matrices = found.matrices
    return {
        "factored": _factored(matrices, parents),
        "turned": _turned(matrices, parents),
        "offset": _offset(matrices, parents),
        "profiled": _profiled(matrices, parents),
        "projected": _projected(found, parents),
        "layered": _layered(found.next_layers, parents),
    }


def one_parents_matrices(parent: int, labels: Sequence[str], beyond: Beyond) -> Decision | None:
    """What is said of a suspect near one parent whose matrices are that one's, altered; None where they are not.

    What was taken out may be taken out of another parent's change. `labels` of suspect and parents.
    """
    label = labels[parent]
    if label in beyond.factored:
        return times_factors(
            parent,
            "with a factor for each row and each column it leaves no more than rounding does, in each of "
            f"{beyond.matrices} matrices read, and clearly more without",
        )
    if label in beyond.turned:
        return other_coordinates_open(
            parent,
            "at their places the weights are near that model's, but the products of rows with one another, of the "
            f"embeddings or of most of {beyond.matrices} matrices read, moved by less than half of what such a change "
            "moves them by: a rotation leaves them, and training does not (but orthogonal finetuning, OFT)",
        )
    if label in beyond.offset:
        return other_coordinates_open(
            parent,
            "with a number added to each row and each column it leaves no more than rounding does, in each of "
            f"{beyond.matrices} matrices read, and clearly more without: LayerNorm, and softmax behind a head, take "
            "off what is so added",
        )
    if beyond.projected:
        less = "" if len(labels) == 2 else f", or its change from {labels[-1]},"
        return directions_out(
            list(labels).index(beyond.projected[0]),
            f"in those that differ, of {beyond.matrices} matrices read, what was added to that model{less} or taken "
            "off is, to rounding, its own along a few or all of its directions. Lowering a matrix' rank or editing its "
            "singular values (SVD), or taking a direction out or weakening it, does that, and training does not (but "
            "of singular values alone, SVF)",
        )
    if label in beyond.layered:
        return layers_mixed(
            parent,
            "of what differs, half or more is that model's own next layers, in most of the matrices read: a mixture "
            "of neighbouring layers leaves that, and training is like no other layer",
        )
    if label in beyond.profiled:
        return of_one_design(
            parent,
            f"at their places the weights correlate, but without the means of rows and columns at less than {KIN} in "
            f"most of {beyond.matrices} matrices read: what they share is a profile, as models of one design may",
        )
    return None


def _factored(matrices: Sequence[measured.Left], parents: Sequence[str]) -> tuple[str, ...]:
    """The parents of which factors for rows and columns make every matrix, to rounding, and nothing less does."""
    if not matrices or any(len(one.factored) < len(parents) for one in matrices):
        return ()
    found = []
    for number, label in enumerate(parents):
        left, moved = zip(*(one.factored[number] for one in matrices), strict=True)
        if max(left) <= SCALED_ROUNDED and math.sqrt(sum(each**2 for each in moved) / len(moved)) >= SCALED_MOVED:
            found.append(label)
    return tuple(found)


def _offset(matrices: Sequence[measured.Left], parents: Sequence[str]) -> tuple[str, ...]:
    """The parents that numbers for rows and columns make the suspect of, to rounding, and nothing less does."""
    if not matrices or any(len(one.means) < len(parents) for one in matrices):
        return ()
    found = []
    for number, label in enumerate(parents):
        own = [one.means[number] for one in matrices]
        moved = math.sqrt(sum(each.moved**2 for each in own) / len(own))
        if max(each.left for each in own) <= SCALED_ROUNDED and moved >= SCALED_MOVED:
            found.append(label)
    return tuple(found)


def _profiled(matrices: Sequence[measured.Left], parents: Sequence[str]) -> tuple[str, ...]:
    """The parents with whom most matrices share hardly more than the means of their rows and columns."""
    found = []
    for number, label in enumerate(parents):
        known = [one.means[number].correlation for one in matrices if len(one.means) == len(parents)]
        told = [value for value in known if value is not None]
        if len(told) >= LIKE_TENSORS and median(told) < KIN:
            found.append(label)
    return tuple(found)


def _projected(found: measured.Beyond, parents: Sequence[str]) -> tuple[str, ...]:
    """The parents of whom the matrices that changed are projections: all that tell, or most and `LIKE_TENSORS`.

    Or all columns that were read, of what few directions changed.
    """
    named = []
    for number, label in enumerate(parents):
        rows = [one.projected[number] for one in found.matrices if one.projected and one.projected[number] is not None]
        columns = [each[number] for each in found.columns if each[number] is not None]
        most = any(rows) and (all(rows) or sum(map(bool, rows)) >= max(LIKE_TENSORS, HALF * len(rows)))
        if most or (columns and all(columns)):
            named.append(label)
    return tuple(named)


def _layered(shares: Sequence[Sequence[float | None]], parents: Sequence[str]) -> tuple[str, ...]:
    """The parents whose next layers account for half of what differs in most of the matrices that tell."""
    found = []
    for number, label in enumerate(parents):
        told = [share for share in (each[number] for each in shares) if share is not None]
        if sum(share >= NEXT_LAYERS for share in told) >= max(LIKE_TENSORS, HALF * len(told)):
            found.append(label)
    return tuple(found)


def _turned(matrices: Sequence[measured.Left], parents: Sequence[str]) -> tuple[str, ...]:
    """The parents of whom embeddings, or half of the matrices that changed, keep the products of their rows.

    Embeddings are read through no norm, whose gains go into other matrices before these are rotated.
    """
    found = []
    for number, label in enumerate(parents):
        known = [(one.layer, one.products[number]) for one in matrices if one.products]
        kept = [(layer, moved <= TURNED) for layer, moved in known if moved is not None]
        most = sum(same for _, same in kept) >= max(LIKE_TENSORS, HALF * len(kept))
        if len(known) == len(matrices) and (most or any(same for layer, same in kept if layer is None)):
            found.append(label)
    return tuple(found)
