"""What a sample without a difference leaves open, in words. Computes nothing (`sampling/closer.py` does)."""

from __future__ import annotations

from modelprov.forensics.judging.decision import Decision
from modelprov.forensics.judging.facts import Facts
from modelprov.forensics.mixing import Reproduction
from modelprov.shares import rough_percent

SETTLES = "Only comparing every weight of the models themselves settles it (`compare --full`)."


def left_open(facts: Facts) -> str:
    """How much of a copy may differ unseen, and what settles it; nothing where every weight was read."""
    if not facts.may_differ:
        return ""
    return (
        f" Up to {rough_percent(facts.may_differ)} of the weights may differ all the same (95 % confidence): trained "
        f"rows of tokens, or a part of a layer. {SETTLES}"
    )


def recipe_left_open(decision: Decision, facts: Facts, reproduction: Reproduction) -> str:
    """The same of a merge. A share is known only where nothing that was read is otherwise."""
    if not facts.may_differ:
        return ""
    every = decision.rule == "exact-to-rounding" or (decision.rule == "reproduced" and reproduction.bit_equal == 1)
    much = f"Up to {rough_percent(facts.may_differ)} of the weights" if every else "Weights that were not read"
    return f" {much} may come from elsewhere all the same{' (95 % confidence)' if every else ''}. {SETTLES}"
