"""Rules 8 to 10 on facts made by hand: where the suspect lies among its parents when nothing is exact."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelprov.forensics.judging.decision import Decision
from modelprov.forensics.judging.facts import Facts
from modelprov.forensics.judging.verdict import decide
from tests.forensics.rules.facts import SIBLING, TRAINED, outcome


def test_a_suspect_that_is_hardly_ever_strictly_between_is_no_trained_merge() -> None:
    assert outcome(TRAINED, roomy=499) == ("inconclusive", "shared-direction")
    assert outcome(TRAINED, strictly=0.79) == ("inconclusive", "shared-direction")
    assert outcome(TRAINED, strictly=0.8) == ("on-line", "near-the-line")


def test_a_second_direction_is_said_by_weight_or_by_where_small_differences_went() -> None:
    assert outcome(SIBLING, weights=(0.1, 0.95)) == ("inconclusive", "two-directions")
    assert decide(replace(SIBLING, weights=(0.1, 0.95))).parent == 1
    assert outcome(SIBLING, weights=(0.09, 0.95)) == ("same-origin", "near-one-parent")
    assert outcome(SIBLING, towards=(0.75, None)) == ("inconclusive", "two-directions")
    assert outcome(SIBLING, towards=(0.74, None)) == ("same-origin", "near-one-parent")


def test_with_one_parent_kinship_is_a_finetune() -> None:
    assert outcome(Facts(elements=5_000, parents=1, correlations=(0.9,))) == ("same-origin", "near-one-parent")


def test_near_the_line_with_even_weights_is_a_merge_that_was_trained() -> None:
    assert outcome(TRAINED) == ("on-line", "near-the-line")
    assert outcome(TRAINED, weights=(0.4, 0.3, 0.3), parents=3) == ("on-line", "near-the-line")


@pytest.mark.parametrize(
    "doubt",
    [
        {"straightness": 0.969},
        {"straightness": None},
        {"spread": 0.021},
        {"spread": None},
        {"weights": (1.06, -0.06)},
        {"weights": (0.951, 0.049)},
        {"weights": None},
    ],
    ids=str,
)
def test_each_doubt_alone_withholds_on_line(doubt: dict[str, object]) -> None:
    assert outcome(TRAINED, **doubt)[0] in ("inconclusive", "same-origin")


def test_a_stage_of_the_parents_training_is_no_merge_though_its_collinearity_is_high() -> None:
    """A random walk seen at 93 % of the way: collinearity 0.96, weight 0.93, and the angle at the suspect is right."""
    walk = replace(TRAINED, weights=(0.93, 0.07), collinearity=0.964, straightness=0.0, agreement=0.5)
    assert outcome(walk) == ("same-origin", "near-one-parent")
    assert outcome(walk, weights=(0.8, 0.2), collinearity=0.97) == ("inconclusive", "shared-direction")


def test_one_parents_weight_must_be_known_before_the_suspect_is_its_finetune() -> None:
    assert outcome(SIBLING, weight_error=0.06) == ("inconclusive", "shared-direction")
    assert outcome(SIBLING, weights=(1.6, -0.6)) == ("inconclusive", "shared-direction")
    assert decide(SIBLING) == Decision(decide(SIBLING).class_, "near-one-parent", 2)
