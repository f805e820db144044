"""Decisions of the rules that `verdict.py` lists and only a later look can reach: each names its rule, no more."""

from __future__ import annotations

from modelprov.forensics.judging.decision import Decision, inconclusive
from modelprov.forensics.results import VerdictClass


def by_method() -> Decision:
    """What a merge method that gives the bits decides (`named_method.py` says when one does)."""
    return Decision(VerdictClass.MERGE, "method")


def parent_rounded(parent: int, reason: str) -> Decision:
    """What the suspect's few numbers decide, where they are the parent's, rounded (`few_bits.py` says when)."""
    return inconclusive("rounded", reason, parent)


def of_packed_numbers(reason: str, parent: int | None = None) -> Decision:
    """What remains where rounded numbers do not carry the class (`few_bits.py` and `packed.py` say when)."""
    return inconclusive("quantised", reason, parent)


def made_from_it(parent: int, reason: str) -> Decision:
    """What a parent decides that may have been made from a quantised suspect (`packed.py` says when)."""
    return inconclusive("extrapolated", reason, parent)


def times_factors(parent: int, reason: str) -> Decision:
    """What factors of rows and columns decide, where they are all that was changed (`beyond.py` says when)."""
    return inconclusive("scaled", reason, parent)


def values_of_its_own(parent: int, reason: str) -> Decision:
    """What another value for each of a parent's decides (`altered.py` says when)."""
    return inconclusive("recoded", reason, parent)


def zeros_beside(parent: int, reason: str) -> Decision:
    """What zeros decide beside numbers that moved (`altered.py` says when)."""
    return inconclusive("sparsified", reason, parent)


def in_proportion(parent: int, reason: str) -> Decision:
    """What changes decide that follow the weights' own size (`altered.py` says when)."""
    return inconclusive("proportional", reason, parent)


def directions_out(parent: int, reason: str) -> Decision:
    """What a projection decides, where it is all that was changed (`beyond.py` says when)."""
    return inconclusive("projected", reason, parent)


def layers_mixed(parent: int, reason: str) -> Decision:
    """What a parent's next layers decide, where they are in its own (`beyond.py` says when)."""
    return inconclusive("layers-mixed", reason, parent)


def other_coordinates_open(parent: int, reason: str) -> Decision:
    """What rows decide that kept their products, or differ by numbers that a model undoes (`beyond.py` says when)."""
    return inconclusive("coordinates-open", reason, parent)


def of_one_design(parent: int, reason: str) -> Decision:
    """What a profile of rows and columns decides, where it is all that is shared (`beyond.py` says when)."""
    return inconclusive("weak-kinship", reason, parent)


def pointing_elsewhere(parent: int, reason: str) -> Decision:
    """What a candidate decides that stands out in what a parent leaves (`beyond.py` says when)."""
    return inconclusive("points-elsewhere", reason, parent)
