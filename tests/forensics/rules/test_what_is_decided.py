"""What a decision says beside its class: the rule by name, and nothing from a share of ties that is not known."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from modelprov.forensics.judging import verdict
from tests.forensics.rules.facts import EXACT, outcome
from tests.verdict_rules import rules


@pytest.mark.parametrize("rule", sorted(rules()))
def test_every_rule_stands_in_the_list_of_all(rule: str) -> None:
    assert verdict.__doc__ is not None
    assert re.search(rf"(?<![\w-]){rule}(?![\w-])", verdict.__doc__)


def test_ties_of_which_none_is_known_to_be_even_are_picked() -> None:
    assert outcome(replace(EXACT, ties=50, ties_even=0.0, ties_firm=True)) == ("inconclusive", "ties")
