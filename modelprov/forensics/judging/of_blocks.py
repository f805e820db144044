"""What the blocks of fingerprints leave open: the rules that take an all-clear back where weights stand elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from modelprov.forensics.judging.decision import Decision, inconclusive
from modelprov.forensics.judging.facts import Facts
from modelprov.forensics.results import VerdictClass

CLEARED_OR_OPEN = (VerdictClass.UNRELATED, VerdictClass.SAME_ORIGIN, VerdictClass.INCONCLUSIVE)
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


def _some(names: Sequence[str]) -> str:
    """A few of the names, in words."""
    more = f" and {len(names) - LISTED} more kinds" if len(names) > LISTED else ""
    return f"{', '.join(name.removesuffix('.weight') for name in names[:LISTED])}{more}"
