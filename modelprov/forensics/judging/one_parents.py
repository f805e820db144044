"""Which parents' matrices a suspect's are, altered as training alters none, and what is then said near one parent."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import median
from typing import TYPE_CHECKING, TypedDict

from modelprov.forensics.judging.decision import Decision, inconclusive
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

    def of(altered: Callable[[measured.Beyond, int], bool]) -> tuple[str, ...]:
        return tuple(label for number, label in enumerate(parents) if altered(found, number))

    return {
        "factored": of(_factored),
        "turned": of(_turned),
        "offset": of(_offset),
        "profiled": of(_profiled),
        "projected": of(_projected),
        "layered": of(_layered),
    }


def one_parents_matrices(parent: int, labels: Sequence[str], beyond: Beyond) -> Decision | None:
    """What is said of a suspect near one parent whose matrices are that one's, altered; None where they are not.

    What was taken out may be taken out of another parent's change. `labels` of suspect and parents.
    """
    label = labels[parent]
    if label in beyond.factored:
        return inconclusive(
            "scaled",
            "with a factor for each row and each column it leaves no more than rounding does, in each of "
            f"{beyond.matrices} matrices read, and clearly more without",
            parent,
        )
    if label in beyond.turned:
        return inconclusive(
            "coordinates-open",
            "at their places the weights are near that model's, but the products of rows with one another, of the "
            f"embeddings or of most of {beyond.matrices} matrices read, moved by less than half of what such a change "
            "moves them by: a rotation leaves them, and training does not (but orthogonal finetuning, OFT)",
            parent,
        )
    if label in beyond.offset:
        return inconclusive(
            "coordinates-open",
            "with a number added to each row and each column it leaves no more than rounding does, in each of "
            f"{beyond.matrices} matrices read, and clearly more without: LayerNorm, and softmax behind a head, take "
            "off what is so added",
            parent,
        )
    if beyond.projected:
        less = "" if len(labels) == 2 else f", or its change from {labels[-1]},"
        return inconclusive(
            "projected",
            f"in those that differ, of {beyond.matrices} matrices read, what was added to that model{less} or taken "
            "off is, to rounding, its own along a few or all of its directions. Lowering a matrix' rank or editing its "
            "singular values (SVD), or taking a direction out or weakening it, does that, and training does not (but "
            "of singular values alone, SVF)",
            list(labels).index(beyond.projected[0]),
        )
    if label in beyond.layered:
        return inconclusive(
            "layers-mixed",
            "of what differs, half or more is that model's own next layers, in most of the matrices read: a mixture "
            "of neighbouring layers leaves that, and training is like no other layer",
            parent,
        )
    if label in beyond.profiled:
        return inconclusive(
            "weak-kinship",
            f"at their places the weights correlate, but without the means of rows and columns at less than {KIN} in "
            f"most of {beyond.matrices} matrices read: what they share is a profile, as models of one design may",
            parent,
        )
    return None


def _factored(found: measured.Beyond, parent: int) -> bool:
    """Whether factors for rows and columns make every matrix of that parent's, to rounding, and nothing less does."""
    return _to_rounding([each.factored[parent] if each.factored else None for each in found.matrices])


def _turned(found: measured.Beyond, parent: int) -> bool:
    """Whether embeddings, or half of the matrices that changed, keep the products of that parent's rows.

    Embeddings are read through no norm, whose gains go into other matrices before these are rotated.
    """
    if not all(each.products for each in found.matrices):
        return False
    moved = [(each.layer, each.products[parent]) for each in found.matrices]
    kept = [(layer, share <= TURNED) for layer, share in moved if share is not None]
    return _most([same for _, same in kept]) or any(same for layer, same in kept if layer is None)


def _offset(found: measured.Beyond, parent: int) -> bool:
    """Whether numbers for rows and columns make every matrix of that parent's, to rounding, and nothing less does."""
    return _to_rounding([each.offset[parent] if each.offset else None for each in found.matrices])


def _profiled(found: measured.Beyond, parent: int) -> bool:
    """Whether most matrices share hardly more with that parent's than the means of their rows and columns."""
    known = [each.correlations[parent] for each in found.matrices if each.correlations]
    told = [correlation for correlation in known if correlation is not None]
    return len(told) >= LIKE_TENSORS and median(told) < KIN


def _projected(found: measured.Beyond, parent: int) -> bool:
    """Whether the matrices that changed are projections of that parent's: all that tell, or most of them.

    Or all columns that were read, of what few directions changed. Of many that changed one or two may tell by chance.
    """
    told = [each.projected[parent] for each in found.matrices if each.projected]
    rows = [projected for projected in told if projected is not None]
    changed = sum(not each.same[parent] for each in found.matrices if each.same)
    columns = [each[parent] for each in found.columns if each[parent] is not None]
    alone = any(rows) and all(rows) and len(rows) >= min(LIKE_TENSORS, changed)
    return alone or _most(rows) or (bool(columns) and all(columns))


def _layered(found: measured.Beyond, parent: int) -> bool:
    """Whether that parent's next layers account for half of what differs in most of the matrices that tell."""
    told = [share for share in (each[parent] for each in found.next_layers) if share is not None]
    return _most([share >= NEXT_LAYERS for share in told])


def _most(told: Sequence[bool]) -> bool:
    """Whether it is so in half of the matrices that tell, and in `LIKE_TENSORS` at least."""
    return sum(told) >= max(LIKE_TENSORS, HALF * len(told))


def _to_rounding(matrices: Sequence[tuple[float, float] | None]) -> bool:
    """Whether rounding is all that is left in every matrix, and not all that moved: both of each in rounding's size."""
    known = [each for each in matrices if each is not None]
    if not known or len(known) < len(matrices):
        return False
    left, moved = zip(*known, strict=True)
    return max(left) <= SCALED_ROUNDED and math.sqrt(sum(each**2 for each in moved) / len(moved)) >= SCALED_MOVED
