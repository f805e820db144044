"""Which rule decides where two hold, and about which parent: the order is part of the method (docs/method.md)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from modelprov.forensics.judging.facts import Facts
from modelprov.forensics.judging.mixtures import exact_rule
from modelprov.forensics.judging.roles import Between
from modelprov.forensics.judging.verdict import decide
from modelprov.forensics.search.layers_alike import Relocated
from tests.forensics.rules.facts import EXACT, REPRODUCED, SIBLING, TRAINED, outcome

CHILD = Between(child=2, first=0, second=1, cosine=-0.99, position=0.5)
SUSPECT = Between(child=0, first=1, second=2, cosine=-0.99, position=0.5)
UNEVEN = {"ties": 5_000, "ties_even": 0.2, "ties_firm": True}
ALL = replace(  # every doubt at once, which the order takes one after the other
    EXACT, elements=10, finite=0.1, identical=(2, 1), alike=0.99, correlations=(None, None), between=(CHILD,),
    other_exact=2, extrapolated=2, centred=1, blends=False, explained=0.3, interior=False, **UNEVEN,
)  # fmt: skip
ORDER: list[tuple[str, dict[str, Any]]] = [
    ("no-evidence", {"elements": 50_000}),
    ("no-evidence", {"finite": 1.0}),
    ("identical", {"identical": ()}),
    ("no-evidence", {"correlations": (0.01, 0.02), "elsewhere": 2, "untested": True}),
    ("coordinates-open", {"elsewhere": None}),
    ("coordinates-open", {"untested": False}),
    ("unrelated", {"correlations": (0.3, None)}),
    ("weak-kinship", {"correlations": (0.99, 0.98)}),
    ("other-child", {"other_exact": None}),
    ("extrapolated", {"extrapolated": None}),
    ("extrapolated", {"centred": None}),
    ("ties", {"ties": 0}),
    ("whole-parts", {"blends": True}),
    ("partly-exact", {"explained": 0.7}),
    ("partly-exact", {"explained": 1.0}),
    ("exact-to-rounding", {"exact": False}),
    ("other-child", {"between": ()}),
    ("near-one-parent", {"weight_error": 0.3}),
    ("shared-direction", {"straightness": 0.99, "weights": (0.6, 0.4)}),
    ("near-the-line", {}),
]


def test_the_rules_are_tried_in_the_order_in_which_the_method_names_them() -> None:
    facts = replace(ALL, weights=(0.0, 1.0), straightness=None)
    for rule, then in ORDER:
        assert decide(facts).rule == rule, facts
        facts = replace(facts, **then)


def test_what_fingerprints_leave_open_takes_an_all_clear_back_and_no_finding() -> None:
    moved = Relocated(2, ((0, 1, 0.98), (1, 0, 0.97)), 3)
    apart = replace(SIBLING, correlations=(0.0, 0.0))
    for facts in (apart, SIBLING, replace(SIBLING, correlations=(0.3, None))):
        found = decide(replace(facts, relocated=moved))
        assert (found.class_, found.rule, found.parent) == ("inconclusive", "layers-elsewhere", 2)
        assert "2 of its 3 layers" in (found.reason or "")
    for facts in (REPRODUCED, TRAINED, replace(SIBLING, identical=(1,))):
        assert decide(replace(facts, relocated=moved, scattered=("model.layers.mlp.up_proj",))) == decide(facts)
    scattered = decide(replace(SIBLING, scattered=tuple("abcdef")))
    assert (scattered.class_, scattered.rule, scattered.parent) == ("inconclusive", "coordinates-open", 2)
    assert "a, b, c, d and 2 more kinds are not so" in (scattered.reason or "")
    assert decide(replace(apart, scattered=("a",))).rule == "unrelated"


def test_a_finding_names_the_parent_that_it_is_about() -> None:
    assert decide(replace(SIBLING, identical=(2, 1))).parent == 2
    assert decide(replace(SIBLING, identical=(2, 1), alike=0.99)).parent == 2
    assert decide(replace(SIBLING, correlations=(0.0, 0.0), elsewhere=2)).parent == 2
    assert decide(replace(SIBLING, correlations=(0.0, 0.0), untested=True)).parent is None
    assert decide(Facts(elements=5_000, parents=1, correlations=(0.9,))).parent == 1
    assert decide(replace(EXACT, interior=False, other_exact=2)).parent == 2
    assert decide(replace(EXACT, extrapolated=2, centred=1)).parent == 2
    assert decide(replace(EXACT, centred=1)).parent == 1
    assert decide(replace(SIBLING, between=(CHILD,))).parent == 2
    assert decide(replace(SIBLING, weights=(1.0, 0.0))).parent == 1
    assert decide(replace(SIBLING, weights=(0.0, 0.0, 1.0))).parent == 3
    for plain in (REPRODUCED, EXACT, TRAINED, replace(EXACT, explained=0.7), replace(EXACT, **UNEVEN)):
        assert decide(plain).parent is None


def test_what_decides_firmly_needs_no_reason_and_every_doubt_has_one() -> None:
    for firm in (REPRODUCED, EXACT, TRAINED, SIBLING, replace(EXACT, explained=0.7), replace(SIBLING, identical=(1,))):
        assert decide(firm).reason is None
    facts = replace(ALL, weights=(0.0, 1.0), straightness=None)
    for _, then in ORDER:
        found = decide(facts)
        assert (found.reason is not None) == (found.class_ == "inconclusive")
        facts = replace(facts, **then)


def test_carried_on_and_centred_say_which_was_seen() -> None:
    assert "carried on beyond it" in (decide(replace(EXACT, extrapolated=1, centred=2)).reason or "")
    assert "falls back nearer" in (decide(replace(EXACT, centred=2)).reason or "")
    assert "falls back nearer" in (decide(replace(REPRODUCED, short=False, extrapolated=1, centred=2)).reason or "")
    assert decide(replace(REPRODUCED, short=False, extrapolated=1, centred=2)).parent == 2
    assert outcome(TRAINED, extrapolated=2) == ("inconclusive", "extrapolated")
    assert outcome(TRAINED, extrapolated=2, short=False) == ("inconclusive", "extrapolated")


@pytest.mark.parametrize("bits", [REPRODUCED.bit_equal, 0.5])
def test_whoever_is_exact_itself_is_no_parent_of_another_exact_one(bits: float) -> None:
    facts = replace(EXACT, bit_equal=bits, missed=0, other_exact=2)
    assert outcome(facts)[0] == "merge"
    assert outcome(facts, interior=False) == ("inconclusive", "other-child")
    assert outcome(facts, exact=False, bit_equal=0.5) == ("inconclusive", "other-child")


def test_the_suspect_between_its_parents_outweighs_a_parent_between_others() -> None:
    assert outcome(TRAINED, between=(CHILD,)) == ("inconclusive", "other-child")
    assert outcome(TRAINED, between=(CHILD, SUSPECT)) == ("on-line", "near-the-line")
    for first, second in ((0, 1), (1, 0)):
        between = replace(CHILD, first=first, second=second)
        assert outcome(SIBLING, between=(between,)) == ("inconclusive", "other-child")
    assert outcome(SIBLING, between=(replace(CHILD, first=1, second=3),)) == ("same-origin", "near-one-parent")


def test_the_exact_rule_is_named_whatever_its_share() -> None:
    assert exact_rule(replace(REPRODUCED, explained=0.1, exact=True)) == "reproduced"
    assert exact_rule(replace(EXACT, explained=0.1)) == "exact-to-rounding"
    for hole in ({"mixes": False}, {"exact": False}, {"distinct": 0}, {"agreement": 0.9}, {"betweenness": 0.9}):
        assert exact_rule(replace(EXACT, **hole)) is None  # type: ignore[arg-type]
    assert exact_rule(replace(EXACT, bit_equal=1.0)) == "exact-to-rounding"  # as many missed as before
