"""Counts and intervals of answers, against published figures and independent oracles."""

from __future__ import annotations

import math
import random

import pytest

from modelprov.behavior.probing.answer_log import Spoken
from modelprov.behavior.probing.counting import count, share_of
from modelprov.behavior.probing.names import parse_names
from modelprov.behavior.probing.questions import Question, questions

NAMES = parse_names(["Rio", "Nex"])


def said(text: str | None, thinking: str | None = None) -> Spoken:
    return Spoken(thinking, text, text is not None)


def counted(asked, answers, temperature=0.0, backstory=()):
    return count("m", "suspect", "as shipped", "x", temperature, asked, answers, NAMES, backstory)


def shares(result) -> dict[str, int]:
    return {one.name: one.count for one in result.classes if one.count}


def test_the_published_case_gives_its_published_intervals():
    ids = [str(number) for number in range(120)]
    nex = share_of("Nex", [number < 95 for number in range(120)], ids)
    rio = share_of("Rio", [False] * 120, ids)
    assert (round(nex.low, 3), round(nex.high, 3)) == (0.708, 0.86)
    assert (rio.low, round(rio.high, 3)) == (0.0, 0.03)


def test_answers_to_one_question_count_as_one_draw_for_the_interval():
    clusters = [str(number // 8) for number in range(160)]
    alike = [number // 8 < 10 for number in range(160)]  # all eight answers to a question agree
    rng = random.Random(1)
    mixed = [rng.random() < 0.5 for _ in range(160)]
    wide, narrow = (share_of("x", hits, clusters) for hits in (alike, mixed))
    assert wide.share == 0.5
    assert wide.high - wide.low == pytest.approx(2 * 1.96 * math.sqrt(0.25 / 20), rel=0.2)  # 20 questions, not 160
    assert narrow.high - narrow.low < 0.6 * (wide.high - wide.low)


@pytest.mark.parametrize(("hit", "share"), [(True, 1.0), (False, 0.0)])
def test_where_all_sampled_answers_agree_the_interval_is_that_of_the_questions(hit, share):
    found = share_of("x", [hit] * 80, [str(number // 8) for number in range(80)])
    open_to = 0.025 ** (1 / 10)
    assert found.share == share
    assert (found.low, found.high) == pytest.approx((open_to, 1) if hit else (0, 1 - open_to))
    assert found.total == 80


def test_nothing_counted_is_no_share():
    assert share_of("x", [], []).share is None


def test_names_are_counted_in_open_questions_only():
    asked = questions(NAMES, ("en",))
    answers = [said("I am Nex." if one.kind != "denial" else f"Yes, I am {one.asked}.") for one in asked]
    result = counted(asked, answers)
    assert shares(result) == {"Nex": 36}
    assert result.answers == result.questions == 48
    assert result.by_kind == {kind: {"Nex": 12} for kind in ("name", "maker", "backstory")}
    assert result.by_language == {"en": {"Nex": 36}}


def test_a_model_that_says_yes_to_everything_claims_nothing_on_balance():
    asked = questions(NAMES)
    result = counted(asked, [said("Yes.") for _ in asked])
    for one in result.affirmations:
        assert one.says_is == one.says_is_not > 0
        assert one.yes == one.total
        assert one.unclear == 0


def test_thinking_and_answer_are_counted_apart():
    asked = [Question("a", "en", "name", "?"), Question("b", "en", "name", "?"), Question("c", "en", "name", "?")]
    answers = [said("I am Rio.", "The prompt says Rio. I am Nex."), said("I am Rio.", "I am Nex."), said(None, "Hm")]
    result = counted(asked, answers)
    assert shares(result) == {"Rio": 2, "no answer": 1}
    assert {one.name: one.count for one in result.thinking if one.count} == {"several": 1, "Nex": 1, "other": 1}
    assert result.unfinished == 1


def test_a_phrase_counts_in_answers_and_thoughts_of_all_questions():
    asked = [
        Question("a", "en", "name", "?"),
        Question("b", "en", "denial", "?", "Rio"),
        Question("c", "en", "name", "?"),
    ]
    answers = [said("Born in the RAIN."), said("No.", "born in the rain"), said("sun")]
    (found,) = counted(asked, answers, backstory=("born in the rain",)).backstory
    assert (found.count, found.total) == (2, 3)
