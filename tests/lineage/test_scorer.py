"""The scorer: right, left open, wrong by question; what is false, apart; Wilson intervals."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.lineage.labels import COPY, KIN, MERGE, OPEN, RELATION, STRANGER, UNDONE, Answer, Label
from benchmarks.lineage.scorer import ABSTAINED, FALSE, RIGHT, WRONG, score, tally

MERGED = Label(True, MERGE, {1: 0.6, 2: 0.4}, frozenset({"linear"}), False, "suspect", merged=True)
TRAINED = Label(True, OPEN, {1: 0.6, 2: 0.4}, None, OPEN, OPEN, merged=True)
SIBLING = Label(True, KIN, direction=OPEN)
APART = Label(False, STRANGER)
EXACT = Answer(True, "merge", {1: 0.6, 2: 0.4}, "linear", False, "suspect")


def test_all_questions_of_an_exact_merge_can_be_right() -> None:
    assert set(score(MERGED, EXACT).outcomes.values()) == {RIGHT}
    assert len(score(MERGED, EXACT).outcomes) == 6
    assert score(MERGED, EXACT).false == ()


def test_silence_is_left_open_and_false_in_nothing() -> None:
    found = score(MERGED, Answer())
    assert set(found.outcomes.values()) == {ABSTAINED}
    assert found.false == ()


@pytest.mark.parametrize(("first", "outcome"), [(0.609, RIGHT), (0.61, RIGHT), (0.6101, WRONG), (0.58, WRONG)])
def test_shares_hold_within_a_hundredth(first: float, outcome: str) -> None:
    assert score(MERGED, Answer(shares={1: first, 2: 0.4})).outcomes["shares"] == outcome


def test_a_parent_without_a_share_counts_as_none() -> None:
    assert score(MERGED, Answer(shares={1: 0.6})).outcomes["shares"] == WRONG
    assert score(MERGED, Answer(shares={1: 0.6, 2: 0.4, 3: 0.3})).outcomes["shares"] == RIGHT


def test_an_open_question_is_right_when_left_open_and_wrong_when_answered() -> None:
    assert score(TRAINED, Answer()).outcomes["trained"] == RIGHT
    assert score(TRAINED, Answer(trained=True)).outcomes["trained"] == WRONG
    assert score(TRAINED, Answer(relation="merge")).outcomes["relation"] == WRONG
    assert score(SIBLING, Answer(direction="suspect")).outcomes["direction"] == WRONG


def test_a_doubted_relation_may_be_left_open_and_accuses_as_before() -> None:
    doubted = replace(SIBLING, doubted=RELATION)
    assert [score(label, Answer()).outcomes["relation"] for label in (SIBLING, doubted)] == [ABSTAINED, RIGHT]
    assert score(doubted, Answer(True, "same-origin")).outcomes["relation"] == RIGHT
    found = score(doubted, Answer(True, "merge"))
    assert (found.outcomes["relation"], found.false) == (WRONG, (FALSE[0],))
    assert "relation" in doubted.told()["undecidable"]
    decided = tally([(SIBLING, Answer()), (doubted, Answer())])["questions"]["relation"]["decided"]
    assert decided[ABSTAINED]["count"] == decided[ABSTAINED]["of"] == 1


def test_related_in_other_coordinates_is_a_common_origin_and_no_copy() -> None:
    said = Answer(True, UNDONE)
    assert score(SIBLING, said).outcomes["relation"] == RIGHT
    assert score(Label(True, COPY | KIN), said).outcomes["relation"] == RIGHT
    assert score(Label(True, COPY), said).outcomes["relation"] == ABSTAINED
    assert (score(MERGED, said).outcomes["relation"], score(MERGED, said).false) == (ABSTAINED, ())


def test_a_common_origin_is_less_than_a_copy_and_a_missed_merge() -> None:
    assert score(Label(True, COPY), Answer(True, "same-origin")).outcomes["relation"] == ABSTAINED
    found = score(MERGED, Answer(True, "same-origin"))
    assert (found.outcomes["relation"], found.false) == (WRONG, (FALSE[2],))
    assert score(TRAINED, Answer(True, "same-origin")).false == (FALSE[2],)


@pytest.mark.parametrize("label", [SIBLING, APART, Label(None, STRANGER)])
@pytest.mark.parametrize("said", ["copy", "merge"])
def test_an_act_that_was_none_is_a_wrong_accusation(label: Label, said: str) -> None:
    assert score(label, Answer(True, said)).false == (FALSE[0],)


def test_kinship_of_strangers_accuses_and_of_relatives_denied_is_a_false_all_clear() -> None:
    assert score(APART, Answer(related=True)).false == (FALSE[0],)
    assert score(SIBLING, Answer(True, "same-origin")).false == ()
    assert score(SIBLING, Answer(False, "stranger")).false == (FALSE[1],)


def test_an_act_that_a_limit_allows_is_no_accusation() -> None:
    assert score(Label(True, KIN | MERGE), Answer(True, "merge")).false == ()


def test_a_tally_counts_by_what_could_go_wrong_with_intervals() -> None:
    found = tally([(MERGED, EXACT), (MERGED, Answer(True, "same-origin")), (APART, Answer(True)), (SIBLING, Answer())])
    assert {name: (held["count"], held["of"]) for name, held in found["false"].items()} == {
        FALSE[0]: (1, 2), FALSE[1]: (0, 3), FALSE[2]: (1, 2),
    }  # fmt: skip
    shares = found["questions"]["shares"]
    assert [shares[name]["count"] for name in (RIGHT, ABSTAINED, WRONG)] == [1, 1, 0]
    assert shares[RIGHT]["low"] == pytest.approx(0.0945, abs=1e-3)
    assert shares[WRONG]["high"] == pytest.approx(0.6576, abs=1e-3)
