"""Each rule exactly at its threshold and one step beyond; thresholds are imported, so tests move with them."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from modelprov.forensics import thresholds
from modelprov.forensics.judging.facts import Facts
from modelprov.forensics.judging.mixtures import exact_rule
from modelprov.forensics.judging.relatives import akin
from modelprov.forensics.judging.trace import Trace
from modelprov.forensics.judging.verdict import decide
from tests.forensics.rules.facts import EXACT, REPRODUCED, SIBLING, TRAINED, outcome

INCONCLUSIVE = "inconclusive"
TRAINED_RULE = ("on-line", "near-the-line")
EXACT_RULE = ("merge", "exact-to-rounding")
BITS_RULE = ("merge", "reproduced")
NEAR_RULE = ("same-origin", "near-one-parent")
UNSHAPED = (INCONCLUSIVE, "shared-direction")


def below(value: float) -> float:
    return value - 1 if isinstance(value, int) else math.nextafter(value, -math.inf)


def above(value: float) -> float:
    return value + 1 if isinstance(value, int) else math.nextafter(value, math.inf)


PICKED = replace(EXACT, ties=thresholds.TIES, ties_even=below(thresholds.EVEN), ties_firm=True)
OTHER_EXACT = replace(REPRODUCED, other_exact=1)
FLOAT32 = replace(EXACT, interior=False, short=False)
TRACED = replace(SIBLING, weights=(0.6, 0.4), trace=Trace(1000, 100, 1e-4, 0.2))
PARTIAL = replace(SIBLING, identical=(1,))
LEAST = [  # a rule holds from its threshold upwards
    (SIBLING, "elements", thresholds.MINIMUM_ELEMENTS, NEAR_RULE, (INCONCLUSIVE, "no-evidence")),
    (SIBLING, "finite", thresholds.HALF, NEAR_RULE, (INCONCLUSIVE, "no-evidence")),
    (PARTIAL, "compared_decisive", thresholds.NEARLY_ALL, ("copy", "identical"), (INCONCLUSIVE, "partial")),
    (REPRODUCED, "bit_equal", thresholds.REPRODUCED, BITS_RULE, TRAINED_RULE),
    (OTHER_EXACT, "bit_equal", thresholds.REPRODUCED, BITS_RULE, (INCONCLUSIVE, "other-child")),
    (REPRODUCED, "distinct", thresholds.DISTINCT, BITS_RULE, TRAINED_RULE),
    (replace(REPRODUCED, pieces=7), "distinct", 7 * thresholds.DISTINCT_PER_PIECE, BITS_RULE, TRAINED_RULE),
    (replace(REPRODUCED, pieces=4), "distinct", thresholds.DISTINCT, BITS_RULE, TRAINED_RULE),
    (EXACT, "agreement", thresholds.COMPLETE, EXACT_RULE, TRAINED_RULE),
    (EXACT, "betweenness", thresholds.COMPLETE, EXACT_RULE, TRAINED_RULE),
    (PICKED, "ties_even", thresholds.EVEN, EXACT_RULE, (INCONCLUSIVE, "ties")),
    (replace(PICKED, ties_firm=False), "roomy", thresholds.DISTINCT, EXACT_RULE, (INCONCLUSIVE, "ties")),
    (EXACT, "explained", thresholds.HALF, ("merge", "partly-exact"), (INCONCLUSIVE, "partly-exact")),
    (EXACT, "explained", 1.0, EXACT_RULE, ("merge", "partly-exact")),
    (TRAINED, "straightness", thresholds.STRAIGHT, TRAINED_RULE, UNSHAPED),
    (TRAINED, "roomy", thresholds.DISTINCT, TRAINED_RULE, UNSHAPED),
    (TRAINED, "strictly", thresholds.STRICTLY, TRAINED_RULE, UNSHAPED),
]
MOST = [  # a rule holds up to its threshold
    (replace(REPRODUCED, distinct=2_000), "missed", int(2_000 * thresholds.MISSED), BITS_RULE, TRAINED_RULE),
    (PICKED, "ties", thresholds.TIES - 1, EXACT_RULE, (INCONCLUSIVE, "ties")),
    (TRAINED, "spread", thresholds.SPREAD, TRAINED_RULE, UNSHAPED),
    (SIBLING, "weight_error", thresholds.KNOWN, NEAR_RULE, UNSHAPED),
]


def named(case: tuple[Any, ...]) -> str:
    return f"{case[1]}-{case[3][1]}-{case[4][1]}"


@pytest.mark.parametrize("case", LEAST, ids=named)
def test_a_rule_holds_from_its_threshold_upwards(case: tuple[Any, ...]) -> None:
    facts, name, threshold, holds, fails = case
    assert outcome(facts, **{name: threshold}) == holds
    assert outcome(facts, **{name: below(threshold)}) == fails


@pytest.mark.parametrize("case", MOST, ids=named)
def test_a_rule_holds_up_to_its_threshold(case: tuple[Any, ...]) -> None:
    facts, name, threshold, holds, fails = case
    assert outcome(facts, **{name: threshold}) == holds
    assert outcome(facts, **{name: above(threshold)}) == fails


@pytest.mark.parametrize(
    ("facts", "name", "expected"),
    [
        (EXACT, "agreement", EXACT_RULE),  # no elements where all parents agree
        (EXACT, "betweenness", TRAINED_RULE),
        (TRAINED, "straightness", UNSHAPED),
        (TRAINED, "strictly", UNSHAPED),
        (TRAINED, "spread", UNSHAPED),
    ],
)
def test_what_was_not_measured_makes_no_firmer_finding(facts: Facts, name: str, expected: tuple[str, str]) -> None:
    assert outcome(facts, **{name: None}) == expected


def test_recipes_that_were_not_found_count_as_no_bits() -> None:
    assert outcome(REPRODUCED, bit_equal=None) == TRAINED_RULE
    assert outcome(OTHER_EXACT, bit_equal=None) == (INCONCLUSIVE, "other-child")
    assert outcome(EXACT, bit_equal=None) == EXACT_RULE
    assert exact_rule(replace(EXACT, bit_equal=None, interior=False, betweenness=None)) == "exact-to-rounding"


def test_a_weight_without_error_is_known() -> None:
    assert outcome(SIBLING, weight_error=0.0) == NEAR_RULE


def test_unrelated_ends_and_kin_begins_at_their_thresholds() -> None:
    for threshold, before, after in (
        (thresholds.UNRELATED, ("unrelated", "unrelated"), (INCONCLUSIVE, "weak-kinship")),
        (thresholds.KIN, (INCONCLUSIVE, "weak-kinship"), NEAR_RULE),
    ):
        for place in range(2):
            correlations = [-0.9, -0.9]
            correlations[place] = below(threshold)
            assert outcome(SIBLING, correlations=tuple(correlations)) == before
            correlations[place] = threshold
            assert outcome(SIBLING, correlations=tuple(correlations)) == after
        assert outcome(SIBLING, correlations=(None, threshold)) == after
    assert outcome(SIBLING, correlations=(0.0, 0.0), kin_tensors=1e-9) == (INCONCLUSIVE, "weak-kinship")


def test_a_relative_is_akin_from_the_threshold_or_by_its_bits() -> None:
    stranger = Facts(elements=5_000, parents=2, correlations=(None, below(thresholds.KIN)))
    assert not akin(stranger)
    assert akin(replace(stranger, correlations=(thresholds.KIN, 0.0)))
    assert akin(replace(stranger, identical=(2,)))
    assert not akin(replace(stranger, correlations=(None, None)))
    assert not akin(replace(stranger, correlations=()))


def test_a_weight_of_a_trained_merge_lies_between_its_ends() -> None:
    assert outcome(TRAINED, weights=(thresholds.INTERIOR, 1 - thresholds.INTERIOR)) == TRAINED_RULE
    assert outcome(TRAINED, weights=(above(thresholds.INTERIOR), 0.05)) == NEAR_RULE
    assert outcome(TRAINED, weights=(0.6, 0.4, -thresholds.SPREAD)) == TRAINED_RULE
    assert outcome(TRAINED, weights=(0.6, 0.4, below(-thresholds.SPREAD))) == UNSHAPED


def test_one_parent_is_near_from_nine_tenths_to_one_and_a_half() -> None:
    for weight, expected in (
        (thresholds.NEAR, UNSHAPED), (above(thresholds.NEAR), NEAR_RULE), (thresholds.BEYOND, NEAR_RULE),
        (above(thresholds.BEYOND), UNSHAPED),
    ):  # fmt: skip
        assert outcome(SIBLING, weights=(0.0, weight)) == expected
        assert outcome(SIBLING, weights=(weight, 0.0)) == expected


def test_nothing_is_near_a_parent_whose_numbers_it_holds_far_less_often_than_anothers() -> None:
    most = thresholds.ANOTHERS
    assert outcome(SIBLING, equal=(0.5 + most, 0.5)) == NEAR_RULE
    assert outcome(SIBLING, equal=(above(above(0.5 + most)), 0.5)) == (INCONCLUSIVE, "thinned")
    assert outcome(SIBLING, equal=(0.1, 0.9)) == NEAR_RULE


def test_a_second_direction_begins_at_its_weight_or_at_its_share() -> None:
    second, towards = thresholds.SECOND, thresholds.TOWARDS
    two = (INCONCLUSIVE, "two-directions")
    assert outcome(SIBLING, weights=(second, 0.95)) == two
    assert outcome(SIBLING, weights=(below(second), 0.95)) == NEAR_RULE
    assert outcome(SIBLING, towards=(towards, None)) == two
    assert outcome(SIBLING, towards=(below(towards), None)) == NEAR_RULE
    assert outcome(SIBLING, weights=(0.95, 0.05), towards=(None, towards)) == two
    assert outcome(SIBLING, weights=(0.95, 0.05), towards=(None,)) == NEAR_RULE  # shorter than the weights
    assert outcome(SIBLING, weights=(0.0, 1.0), towards=(None, 1.0)) == NEAR_RULE  # the nearest has no way to itself


def test_the_second_direction_is_the_first_that_qualifies_and_is_said_by_what_was_seen() -> None:
    found = decide(replace(SIBLING, weights=(0.0, 0.12, 0.95), towards=(None, None, None)))
    assert (found.parent, (found.reason or "")[:16]) == (2, "the best fit has")
    found = decide(replace(SIBLING, weights=(0.0, 0.12, 0.95), towards=(0.8, 0.9, None)))
    assert (found.parent, (found.reason or "")[:4]) == (1, "80% ")
    assert "0.10 of it" in (decide(replace(SIBLING, weights=(thresholds.SECOND, 0.95))).reason or "")


def test_what_is_neither_near_nor_on_the_line_says_whether_the_parents_agree() -> None:
    far = replace(SIBLING, weights=(0.5, 0.5))
    for agreement, words in (
        (thresholds.COMPLETE, "no linear recipe"), (below(thresholds.COMPLETE), "shares a direction"),
        (None, "shares a direction"),
    ):  # fmt: skip
        found = decide(replace(far, agreement=agreement))
        assert (found.rule, found.parent) == ("shared-direction", None)
        assert words in (found.reason or "")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"weights": None, "mixes": False}, "cannot be told apart"),
        ({"strictly": 0.0}, "picked from either"),
        ({"spread": None}, "too few layers"),
        ({"spread": 0.5}, "±0.50 from part to part"),
        ({"weights": (0.97, 0.03), "weight_error": 0.5}, "±0.50"),
        ({"straightness": 0.0, "weights": (0.7, 0.3)}, "shares a direction"),
    ],
    ids=str,
)
def test_every_doubt_about_the_line_is_said(changes: dict[str, Any], words: str) -> None:
    found = decide(replace(TRAINED, **changes))
    assert (str(found.class_), found.rule) == UNSHAPED
    assert words in (found.reason or "")


def test_a_trace_of_rounding_counts_from_enough_elements_and_a_clear_majority() -> None:
    """In facts of nested counts, not in the table of single numbers."""
    least = thresholds.DISTINCT
    assert outcome(TRACED) == ("on-line", "traced")
    assert outcome(TRACED, trace=Trace(least, 0, 1e-4, 0.2)) == ("on-line", "traced")
    assert outcome(TRACED, trace=Trace(least - 1, 0, 1e-4, 0.2)) == UNSHAPED
    assert outcome(TRACED, trace=Trace(800, 200, 1e-4, 0.2)) == ("on-line", "traced")
    assert outcome(TRACED, trace=Trace(799, 201, 1e-4, 0.2)) == UNSHAPED
    assert outcome(TRACED, trace=None) == UNSHAPED
    assert outcome(REPRODUCED, trace=TRACED.trace) == BITS_RULE
    assert outcome(TRACED, extrapolated=1) == (INCONCLUSIVE, "extrapolated")


def test_only_weights_of_float32_precision_need_their_bits() -> None:
    assert outcome(FLOAT32) == (INCONCLUSIVE, "extrapolated")
    assert decide(FLOAT32).parent is None
    assert outcome(FLOAT32, short=True) == EXACT_RULE
    assert outcome(FLOAT32, interior=True) == TRAINED_RULE
    assert outcome(FLOAT32, bit_equal=1.0, missed=0) == BITS_RULE
    assert "beyond a parent" in (decide(FLOAT32).reason or "")
