"""Rules 5 to 7 on facts made by hand: what is exactly a mixture, and what may pass for one."""

from __future__ import annotations

from dataclasses import replace

from modelprov.forensics.judging.roles import Between
from modelprov.forensics.judging.verdict import decide
from tests.forensics.rules.facts import EXACT, REPRODUCED, SIBLING, TRAINED, outcome


def test_a_mixture_in_the_middle_of_the_cells_is_no_merge_whatever_the_bits_say() -> None:
    assert outcome(REPRODUCED, short=False, centred=1) == ("inconclusive", "extrapolated")
    assert outcome(REPRODUCED, short=False, extrapolated=1) == ("merge", "reproduced")
    assert outcome(REPRODUCED, short=True, extrapolated=1) == ("inconclusive", "extrapolated")
    assert outcome(TRAINED, centred=2) == ("inconclusive", "extrapolated")


def test_an_extrapolation_in_float32_needs_its_bits() -> None:
    beyond = replace(EXACT, interior=False, short=False, weights=(1.4, -0.4), straightness=None)
    assert outcome(beyond) == ("inconclusive", "extrapolated")
    assert outcome(beyond, short=True) == ("merge", "exact-to-rounding")
    assert outcome(beyond, bit_equal=1.0, missed=0) == ("merge", "reproduced")


def test_between_the_parents_too_float32_is_a_merge_by_its_bits_alone() -> None:
    """Float32 hardly rounds: an adapter at a third scale lies in every cell of a mixture of two others."""
    assert outcome(EXACT, short=False) == ("on-line", "near-the-line")
    assert outcome(EXACT, short=False, pieces=2, spread=0.1) == ("inconclusive", "shared-direction")
    assert outcome(EXACT, short=False, explained=0.7) == ("on-line", "near-the-line")
    assert outcome(REPRODUCED, short=False) == ("merge", "reproduced")


def test_ties_that_no_rounding_decided_are_no_exact_merge() -> None:
    uneven = {"ties": 50, "ties_even": 0.98, "ties_firm": True}
    assert outcome(EXACT, **uneven) == ("inconclusive", "ties")
    assert outcome(EXACT, **(uneven | {"ties": 49})) == ("merge", "exact-to-rounding")
    assert outcome(EXACT, **(uneven | {"ties_even": 0.99})) == ("merge", "exact-to-rounding")
    assert outcome(EXACT, **(uneven | {"ties_firm": False})) == ("merge", "exact-to-rounding")
    assert outcome(EXACT, **(uneven | {"ties_firm": False, "roomy": 499})) == ("inconclusive", "ties")
    assert outcome(EXACT, **(uneven | {"ties_firm": False, "slight": True})) == ("inconclusive", "ties")
    assert outcome(REPRODUCED, **uneven) == ("merge", "reproduced")  # every bit came out, the ties among them


def test_a_recipe_of_several_parents_that_gives_the_bits_is_a_merge() -> None:
    assert outcome(REPRODUCED) == ("merge", "reproduced")
    assert outcome(REPRODUCED, bit_equal=0.9999, missed=9) == ("merge", "reproduced")
    assert outcome(REPRODUCED, bit_equal=0.9998, missed=18) != ("merge", "reproduced")


def test_a_recipe_of_one_parent_is_no_merge() -> None:
    assert outcome(REPRODUCED, mixes=False, weights=(1.0, 0.0)) == ("same-origin", "near-one-parent")


def test_a_recipe_that_only_repeats_one_parents_bits_is_no_merge() -> None:
    """0.9999 of one parent and 0.0001 of another reproduces nearly any copy with a few changed elements."""
    near_copy = replace(REPRODUCED, weights=(0.9999, 0.0001), straightness=-0.2, bit_equal=0.99995)
    assert outcome(near_copy, distinct=499, missed=0) == ("same-origin", "near-one-parent")
    assert outcome(near_copy, distinct=2_000, missed=21) == ("same-origin", "near-one-parent")
    assert outcome(near_copy, distinct=2_000, missed=20) == ("merge", "reproduced")


def test_every_piece_of_a_recipe_needs_elements_of_its_own() -> None:
    assert outcome(REPRODUCED, pieces=40, distinct=3_999)[0] != "merge"
    assert outcome(REPRODUCED, pieces=40, distinct=4_000) == ("merge", "reproduced")


def test_one_weighting_in_every_rounding_cell_is_a_merge_only_with_full_agreement_and_betweenness() -> None:
    assert outcome(EXACT) == ("merge", "exact-to-rounding")
    assert outcome(EXACT, agreement=None) == ("merge", "exact-to-rounding")
    for hole in ({"agreement": 0.9998}, {"betweenness": 0.9998}, {"betweenness": None}, {"distinct": 499}):
        assert outcome(EXACT, **hole) != ("merge", "exact-to-rounding")


def test_an_exact_extrapolation_needs_agreement_but_cannot_lie_between() -> None:
    beyond = replace(EXACT, interior=False, betweenness=0.1, weights=(1.5, -0.5), straightness=None)
    assert outcome(beyond) == ("merge", "exact-to-rounding")
    assert outcome(beyond, agreement=0.9) != ("merge", "exact-to-rounding")


def test_what_is_exact_in_most_of_the_weights_only_was_changed_afterwards() -> None:
    assert outcome(REPRODUCED, explained=0.6) == ("merge", "partly-exact")
    assert outcome(EXACT, explained=0.6) == ("merge", "partly-exact")
    assert outcome(REPRODUCED, explained=0.4) == ("inconclusive", "partly-exact")


def test_an_argument_between_the_suspect_and_a_third_is_the_child() -> None:
    between = Between(child=1, first=0, second=2, cosine=-0.99, position=0.6)
    assert decide(replace(SIBLING, between=(between,))) == replace(
        decide(replace(SIBLING, between=(between,))), rule="other-child", parent=1
    )
    assert outcome(SIBLING, between=(between,)) == ("inconclusive", "other-child")
    assert outcome(TRAINED, other_exact=1) == ("inconclusive", "other-child")
    assert outcome(REPRODUCED, other_exact=1) == ("merge", "reproduced")
    assert outcome(REPRODUCED, other_exact=1, interior=False) == ("inconclusive", "other-child")


def test_parents_that_lie_on_a_line_among_themselves_say_nothing_of_the_suspect() -> None:
    apart = Between(child=2, first=1, second=3, cosine=-0.99, position=0.6)
    assert outcome(SIBLING, between=(apart,)) == ("same-origin", "near-one-parent")
