"""What the blocks of fingerprints leave open: the rules that take an all-clear back where weights stand elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from modelprov.forensics.judging.decision import Decision, inconclusive
from modelprov.forensics.judging.facts import Facts
from modelprov.forensics.results import VerdictClass
from modelprov.forensics.thresholds import OVERLAPS_LEFT

if TYPE_CHECKING:
    from modelprov.forensics.search.coordinates.frame_free import FrameFree

CLEARED_OR_OPEN = (VerdictClass.UNRELATED, VerdictClass.SAME_ORIGIN, VerdictClass.INCONCLUSIVE)
NOT_FROM_A_FINGERPRINT = "a disguise cannot be excluded from a fingerprint"
LISTED = 4  # layers or kinds that a reason lists


def of_blocks(decision: Decision, facts: Facts) -> Decision:
    """What fingerprints leave open, where a whole pass would look for the same weights elsewhere."""
    moved = facts.relocated
    if moved is not None and decision.class_ in CLEARED_OR_OPEN:
        shown = ", ".join(f"{own} is {theirs}" for own, theirs, _ in moved.layers[:LISTED])
        more = f" and {len(moved.layers) - LISTED} more" if len(moved.layers) > LISTED else ""
        lowest = min(correlation for _, _, correlation in moved.layers)
        return inconclusive(
            "layers-elsewhere",
            f"{len(moved.layers):,} of its {moved.looked:,} layers are not like that model's of the same number, but "
            f"like one of another ({shown}{more}), with a correlation of {lowest:.2f} at least",
            moved.parent,
        )
    if facts.scattered and decision.class_ is VerdictClass.SAME_ORIGIN:
        return inconclusive(
            "coordinates-open",
            f"much of it is near that model's, but {_some(facts.scattered)} are not so at their places, or are of "
            "another size there, as where a model is reordered, turned or rescaled inside, or parts of it are new",
            decision.parent,
        )
    return decision


def in_disguise(facts: Facts) -> Decision | None:
    """What takes an all-clear back that rests on weights at their places: a relative in disguise is not excluded."""
    doubtful = [number for number, found in enumerate(facts.frame_free, 1) if found is not None and not found.strangers]
    if not doubtful:
        return None
    seen = {number: found for number, found in enumerate(facts.frame_free, 1) if found is not None}
    parent = max(doubtful, key=lambda number: (seen[number].reused, seen[number].common))
    return inconclusive("coordinates-open", f"weight by weight they share nothing, but {doubt(seen[parent])}", parent)


def doubt(found: FrameFree) -> str:
    """Why a model is not shown to be a stranger, whatever its coordinates."""
    angles, overlaps = found.angles, found.overlaps
    embedded = (
        f"embeddings of {angles.tokens:,} tokens that both have stand to one another as that model's do (a correlation "
        f"of {angles.correlation or 0:.2f})"
    )
    if found.reused:
        basis = {"permuted": " in another order of dimensions", "rotated": " in another basis"}.get(
            angles.frame or "", ""
        )
        return f"{embedded}{basis}: the rest may be that model's in the same disguise"
    if overlaps is None:
        return (
            f"{NOT_FROM_A_FINGERPRINT}: how matrices overlap, which no coordinates change, is not in both (made before "
            "version 3, or of no decoder that is known); take it anew, or compare the models themselves"
        )
    said = (
        f"{NOT_FROM_A_FINGERPRINT}: how matrices overlap, which no coordinates change, agrees at "
        f"{overlaps.correlation:.2f} over {overlaps.pairs:,} pairs, too much, or over too few, to exclude a relative's "
        f"{found.least:.2f}"
    )
    return f"{embedded}, and {said}" if found.least < OVERLAPS_LEFT else said


def _some(names: Sequence[str]) -> str:
    """A few of the names, in words."""
    more = f" and {len(names) - LISTED} more kinds" if len(names) > LISTED else ""
    return f"{', '.join(name.removesuffix('.weight') for name in names[:LISTED])}{more}"
