"""What a decision says beside its class: the rule by name, and nothing from a share of ties that is not known."""

from __future__ import annotations

from dataclasses import replace

from modelprov.forensics.judging.reached_later import by_method
from modelprov.forensics.results import VerdictClass
from tests.forensics.rules.facts import EXACT, outcome


def test_a_named_method_is_a_merge_by_its_own_rule() -> None:
    decision = by_method()
    assert (decision.class_, decision.rule) == (VerdictClass.MERGE, "method")


def test_ties_of_which_none_is_known_to_be_even_are_picked() -> None:
    assert outcome(replace(EXACT, ties=50, ties_even=0.0, ties_firm=True)) == ("inconclusive", "ties")
