"""Puts into words what is not settled: which question is open, and who else could be the child. Decides nothing."""

from __future__ import annotations

from collections.abc import Sequence

from modelprov.forensics.judging.decision import Decision
from modelprov.forensics.judging.facts import Facts
from modelprov.forensics.judging.roles import Between

OPEN = "The weights do not settle where {suspect} comes from: {reason}."
OF_RULES = {
    "extrapolated": "{suspect} is on a line with {parents}, but whether it was merged from {parent} or {parent} made "
    "from it, the weights do not settle: {reason}.",
    "coordinates-open": "{suspect} is perhaps {parent}, or a descendant, in other coordinates: {reason}. That is no "
    "finding and no all-clear.",
    "layers-elsewhere": "{suspect} has layers that are perhaps {parent}'s, or a relative's, under other numbers: "
    "{reason}. That is no finding and no all-clear; comparing the models themselves settles it.",
    "matrices-elsewhere": "{suspect} has matrices that are perhaps {parent}'s, or a relative's: {reason}. That is no "
    "finding and no all-clear.",
    "beneath-rounding": "{parent} rounds to {suspect}, number by number, but was perhaps made from it: {reason}. That "
    "is no copy and no all-clear.{alone}",
    "rounded": "By its matrices, {suspect} is {parent}, rounded: {reason}. Which of them was made from which is open; "
    "that is no all-clear.{alone}",
    "pruned": "By its matrices, {suspect} is {parent}, with numbers set to zero (pruned): {reason}. Which of them was "
    "made from which is open; that is no all-clear.{alone}",
    "sparsified": "{suspect} is near {parent}, and has zeros where that has numbers: {reason}. Which of them was made "
    "from which is open; that is no all-clear.{alone}",
    "recoded": "By its matrices, {suspect} holds {parent}'s numbers under values of its own: {reason}. Which of them "
    "was made from which is open; that is no all-clear.{alone}",
    "proportional": "{suspect} is near {parent}, and differs from it in proportion: {reason}. Which of them was made "
    "from which is open; that is no all-clear.{alone}",
    "projected": "By its matrices, {suspect} is {parent}, with directions of some of them weakened, taken out "
    "or made stronger: {reason}. Which of them was made from which is open; that is no all-clear.{alone}",
    "layers-mixed": "{suspect} is near {parent}, and has its layers with their neighbours mixed in: {reason}. Which "
    "of them was made from which is open; that is no all-clear.{alone}",
    "scaled": "By its matrices, {suspect} is {parent}, times a factor, rounded: {reason}. Which of them was made from "
    "which is open; that is no all-clear.{alone}",
    "near-copy": "By its matrices, {suspect} is {parent} but for changes of the size of rounding: {reason}. That is no "
    "all-clear.{alone}",
    "points-elsewhere": "{suspect} is near {parent}, and {reason}. Which of them was made from which is open.",
    "near-a-mixture": "{suspect} is near {parent}, and {reason}. That is no all-clear: compare {parent} with the "
    "others first, and {suspect} with these alone.",
}
"""What is said where a rule leaves a question open about one parent."""


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
    if decision.rule == "two-directions" and decision.parent and facts.weights:
        near = labels[1 + facts.weights.index(max(facts.weights))]
        return f"{suspect} is near {near} and has the direction of {parent} in it too: {decision.reason}."
    said = OF_RULES.get(decision.rule, OPEN) if decision.parent else OPEN
    return said.format(
        suspect=suspect, parent=parent, parents=" and ".join(labels[1:]), reason=decision.reason, alone=alone
    )


def roles(middle: Sequence[Between], labels: Sequence[str]) -> str | None:
    """Name the argument in the middle, if it is not the suspect."""
    for between in middle:
        if between.child:
            return f"{labels[between.child]} lies between {labels[between.first]} and {labels[between.second]}"
    return None
