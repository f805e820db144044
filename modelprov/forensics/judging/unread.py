"""What a sample without a difference leaves open, in words. Computes nothing (`sampling/closer.py` does)."""

from __future__ import annotations

from modelprov.forensics.judging.facts import Facts
from modelprov.shares import rough_percent


def left_open(facts: Facts) -> str:
    """How much of a copy may differ unseen, and what settles it; nothing where every weight was read."""
    if not facts.may_differ:
        return ""
    return (
        f" Up to {rough_percent(facts.may_differ)} of the weights may differ all the same (95 % confidence): trained "
        "rows of tokens, or a part of a layer. Only comparing every weight of the models themselves settles it "
        "(`--full`)."
    )
