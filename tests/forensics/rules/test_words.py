"""What a verdict says in its summary: places and shares, never an act or an order; and of how much it speaks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelprov.forensics.judging.facts import Facts
from modelprov.forensics.judging.verdict import decide, held
from modelprov.forensics.judging.wording import verdict
from modelprov.forensics.mixing import Mixing, Reproduction
from modelprov.forensics.results import AfterMerge, Verdict
from tests.forensics.rules.facts import EXACT, REPRODUCED, SIBLING, TRAINED, outcome

LABELS = ("S", "A", "B")
COPIED = replace(SIBLING, identical=(2,))


def said(facts: Facts, labels: tuple[str, ...] = LABELS, after: AfterMerge | None = None) -> Verdict:
    return verdict(decide(facts), facts, Mixing(), Reproduction(), after or AfterMerge(), labels, ())


@pytest.mark.parametrize(
    ("beside", "words"), [(0.0087, "0.87 % of their distance"), (0.0, "no more than rounding"), (None, "a little")]
)
def test_a_place_on_a_line_is_said_with_what_lies_beside_it(beside: float | None, words: str) -> None:
    found = said(TRAINED, after=AfterMerge(sigma_relative=beside)).summary
    assert f"S lies on the line between A and B, at 0.600 × A + 0.400 × B, with {words} beside it." in found
    assert "models that nobody merged" in found


def test_three_parents_span_a_plane() -> None:
    facts = replace(TRAINED, weights=(0.5, 0.3, 0.2), parents=3)
    assert "the plane through A and B and C" in said(facts, ("S", "A", "B", "C")).summary


def test_the_share_is_that_of_what_was_compared_and_holds() -> None:
    for facts, share in (
        (COPIED, 1.0),
        (replace(COPIED, compared=0.95), 0.95),
        (replace(COPIED, compared=0.95, alike=0.6), 0.57),
        (replace(COPIED, finite=0.75), 0.75),
        (replace(REPRODUCED, compared=0.8, explained=0.75), 0.6),
        (replace(TRAINED, explained=0.7), 1.0),
        (replace(SIBLING, alike=0.3), 1.0),
    ):
        assert said(facts).share == pytest.approx(share)
        assert held(decide(facts), facts) == pytest.approx(share / facts.compared)


@pytest.mark.parametrize("facts", [replace(REPRODUCED, explained=0.7), replace(EXACT, explained=0.7)])
def test_a_class_that_holds_in_less_than_half_of_the_weights_is_none(facts: Facts) -> None:
    assert outcome(facts, compared_decisive=0.72) == ("merge", "partly-exact")
    assert outcome(facts, compared_decisive=0.7) == ("inconclusive", "partial")
    assert "70% of those would be called merge" in said(replace(facts, compared_decisive=0.7)).summary


def test_a_copy_whose_norms_differ_says_how_much_of_it_is_one() -> None:
    found = said(replace(COPIED, alike=0.995))
    assert (str(found.class_), found.parent) == ("copy", "B")
    assert "99.50 % of the weights compared" in found.summary
    assert outcome(replace(COPIED, alike=0.49)) == ("inconclusive", "partial")


def test_a_copy_of_what_several_have_names_all_of_them() -> None:
    assert "The matrices of A are the same ones" in said(replace(COPIED, identical=(2, 1))).summary
    assert "the same ones" not in said(COPIED).summary


def test_kin_that_is_mostly_the_very_same_says_so() -> None:
    assert (
        "99.98 % of the matrix weights compared are those of B, bit for bit"
        in said(replace(SIBLING, equal=(0.1, 0.9998))).summary
    )
    assert "bit for bit" not in said(replace(SIBLING, equal=(0.9, 0.49))).summary


def test_no_weight_in_the_best_fit_is_no_denial() -> None:
    assert "gives no weight to A; methods that pick weights can hide one" in said(SIBLING).summary
