"""Whether the suspect is a relative at all: rules 3 and 4 of `verdict.py`, which lists them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelprov.forensics.judging.decision import Decision, inconclusive
from modelprov.forensics.judging.facts import Facts, PairedUnits
from modelprov.forensics.judging.of_blocks import in_disguise
from modelprov.forensics.results import VerdictClass
from modelprov.forensics.thresholds import (
    BEYOND_CHANCE,
    HALF,
    KIN,
    KIN_BY_SIGNS,
    REPRODUCED,
    SHARED_BITS,
    UNRELATED,
)

if TYPE_CHECKING:
    from modelprov.forensics.search.matrices_alike import Displaced


def akin(facts: Facts) -> bool:
    """Whether the suspect's weights are, at their places, a relative's: only then does a mixture mean anything."""
    highest = max((value for value in facts.correlations if value is not None), default=0)
    return bool(facts.identical) or (highest >= KIN and not by_design(facts))


def by_design(facts: Facts) -> bool:
    """Whether a few numbers own what correlates, where all numbers' signs do not: a common start, such as the identity.

    Of relatives, merges and whatever was trained signs correlate as numbers do.
    """
    if not facts.signs or (facts.bit_equal or 0) >= REPRODUCED:
        return False
    known = [(value, number) for number, value in enumerate(facts.correlations) if value is not None]
    highest, parent = max(known, default=(0.0, 0))
    return highest >= KIN and (facts.signs[parent] or 0.0) < KIN_BY_SIGNS


def strangers(facts: Facts) -> Decision:
    """What shares nothing at its places: an all-clear, unless something says that it is no stranger."""
    hidden = _hidden_kinship(facts)
    if hidden is not None:
        return hidden
    moved = max(range(len(facts.displaced)), key=lambda number: facts.displaced[number].count, default=None)
    if moved is not None and facts.displaced[moved].count:
        return _displaced(facts.displaced[moved], moved + 1)
    if facts.elsewhere is not None:
        return inconclusive(
            "coordinates-open",
            "weight by weight they share nothing, but sorted by size the rows and columns agree more closely than "
            "chance allows, as after reordering, rotating or rescaling a model inside",
            facts.elsewhere,
        )
    like = max(range(len(facts.heads)), key=lambda number: facts.heads[number].alike, default=None)
    if like is not None and facts.heads[like].related:
        alike = facts.heads[like]
        return inconclusive(
            "coordinates-open",
            "weight by weight they share nothing, but by their singular values, which no other coordinates "
            f"change, {alike.alike:,} of {alike.heads:,} heads of attention are less than half as far from one of "
            "that model's as heads of one model are from each other",
            like + 1,
        )
    if facts.untested:
        return inconclusive(
            "coordinates-open",
            "weight by weight it shares nothing with the parents, and too few whole matrices could be compared to "
            "see whether it is one of them in other coordinates",
        )
    return in_disguise(facts) or Decision(VerdictClass.UNRELATED, "unrelated")


def _displaced(moved: Displaced, parent: int) -> Decision:
    """Matrices that are a parent's at other places: a part of it may be in the suspect, or of a relative of it."""
    return inconclusive(
        "matrices-elsewhere",
        f"place by place what was compared shares nothing, but {moved.count:,} of {moved.looked:,} matrices are like "
        f"one of that model's, wherever it stands ({moved.own} is like its {moved.theirs}, with a correlation of "
        f"{moved.correlation:.2f})",
        parent,
    )


def _hidden_kinship(facts: Facts) -> Decision | None:
    """What signs or units say against an all-clear that a few giant numbers would give."""
    same = max(facts.beyond_chance, default=0.0)
    if same >= SHARED_BITS:
        return inconclusive(
            "weak-kinship",
            f"the raw weights hardly correlate, but {same:.1%} of them hold the same bits beyond what chance gives",
            facts.beyond_chance.index(same) + 1,
        )
    signs = [value or 0.0 for value in facts.signs]
    if max(signs, default=0) >= UNRELATED:
        return inconclusive(
            "weak-kinship",
            f"the raw weights hardly correlate, but by their signs alone they do, at {max(signs):.2f}: a few giant "
            "numbers outweigh what the rest shares",
            signs.index(max(signs)) + 1,
        )
    paired = _paired(facts)
    if paired is not None:
        return inconclusive(
            "weak-kinship", f"the raw weights hardly correlate, but {units_in_words(paired)}", paired.parent
        )
    return None


def partly_kin(facts: Facts, related: float) -> Decision:
    """What correlates more than chance and less than a descendant, with what units say of the rest."""
    paired = _paired(facts)
    reason = (
        f"the raw weights correlate at {related:.2f}, in {facts.kin_tensors:.1%} of them above {KIN}: more than "
        "chance, less than a descendant does"
    )
    if paired is None:
        return inconclusive("weak-kinship", reason)
    order = "what hardly correlates may be that model's in another order"
    return inconclusive("weak-kinship", f"{reason}; {units_in_words(paired)}: {order}", paired.parent)


def _paired(facts: Facts) -> PairedUnits | None:
    """What units say, where they say that the models are related and nothing that nobody suspects fares as well."""
    paired = facts.paired
    if paired is None or paired.doubts:
        return None
    kin = paired.kin > 0 and paired.kin >= HALF * paired.layers
    return paired if kin or paired.rarest < BEYOND_CHANCE else None


def units_in_words(paired: PairedUnits) -> str:
    """How many units agree, beside what chance gives."""
    return (
        f"{paired.agreeing:,} of {paired.units:,} units are paired alike by their gates and by their ups, where chance "
        f"gives {paired.expected:.2g}"
    )
