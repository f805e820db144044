"""Puts into words what is not settled: which question is open, and who else could be the child. Decides nothing."""

from __future__ import annotations

from collections.abc import Sequence

from modelprov.forensics.judging.decision import Decision
from modelprov.forensics.judging.facts import Facts
from modelprov.forensics.judging.roles import Between

ALTERED = {"rounded": "rounded", "scaled": "times a factor, rounded", "pruned": "with numbers set to zero"}
"""By rule: what a suspect's matrices are of a parent's."""


def left_unsettled(decision: Decision, facts: Facts, labels: Sequence[str], alone: str) -> str:
    """Of what is not settled: which question is open."""
    suspect, parent = labels[0], labels[decision.parent or 0]
    if decision.rule == "other-child" and decision.parent:
        rest = " and ".join(label for number, label in enumerate(labels) if number != decision.parent)
        middle = roles([one for one in facts.between if one.child == decision.parent], labels)
        return (
            f"{middle or f'{parent} lies between {rest}'}: {suspect} is not the mixture here. "
            "Compare again with the one in the middle first."
        )
    if decision.rule == "extrapolated" and decision.parent:
        return (
            f"{suspect} is on a line with {' and '.join(labels[1:])}, but whether it was merged from {parent} or "
            f"{parent} made from it, the weights do not settle: {decision.reason}."
        )
    if decision.rule == "coordinates-open" and decision.parent:
        return (
            f"{suspect} is perhaps {parent}, or a descendant, in other coordinates: {decision.reason}. That is no "
            "finding and no all-clear."
        )
    if decision.rule == "layers-elsewhere" and decision.parent:
        return (
            f"{suspect} has layers that are perhaps {parent}'s, or a relative's, under other numbers: "
            f"{decision.reason}. That is no finding and no all-clear; comparing the models themselves settles it."
        )
    if decision.rule == "matrices-elsewhere" and decision.parent:
        return (
            f"{suspect} has matrices that are perhaps {parent}'s, or a relative's: {decision.reason}. That is no "
            "finding and no all-clear."
        )
    if decision.rule == "beneath-rounding" and decision.parent:
        return (
            f"{parent} rounds to {suspect}, number by number, but was perhaps made from it: {decision.reason}. That is "
            f"no copy and no all-clear.{alone}"
        )
    if decision.rule in ALTERED and decision.parent:
        open_ = f"Which of them was made from which is open; that is no all-clear.{alone}"
        return f"By its matrices, {suspect} is {parent}, {ALTERED[decision.rule]}: {decision.reason}. {open_}"
    if decision.rule == "near-copy" and decision.parent:
        return (
            f"By its matrices, {suspect} is {parent} but for changes of the size of rounding: {decision.reason}. That "
            f"is no all-clear.{alone}"
        )
    if decision.rule == "points-elsewhere" and decision.parent:
        return f"{suspect} is near {parent}, and {decision.reason}. Which of them was made from which is open."
    if decision.rule == "near-a-mixture" and decision.parent:
        return (
            f"{suspect} is near {parent}, and {decision.reason}. That is no all-clear: compare {parent} with the "
            f"others first, and {suspect} with these alone."
        )
    if decision.rule == "two-directions" and decision.parent and facts.weights:
        near = labels[1 + max(range(len(facts.weights)), key=lambda number: (facts.weights or ())[number])]
        return f"{suspect} is near {near} and has the direction of {parent} in it too: {decision.reason}."
    return f"The weights do not settle where {suspect} comes from: {decision.reason}."


def roles(middle: Sequence[Between], labels: Sequence[str]) -> str | None:
    """Name the argument in the middle, if it is not the suspect."""
    for between in middle:
        if between.child:
            return f"{labels[between.child]} lies between {labels[between.first]} and {labels[between.second]}"
    return None
