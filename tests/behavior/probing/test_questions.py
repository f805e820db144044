"""The questions that ship: how many, how balanced, none twice; names filled in fairly."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from modelprov.behavior.probing.names import parse_names
from modelprov.behavior.probing.questions import KINDS, LANGUAGES, digest_of, questions, shipped
from modelprov.errors import UsageError

NAMES = parse_names(["Rio", "Nex"])


def test_there_are_at_least_120_distinct_questions_in_three_languages():
    texts = [row["text"] for row in shipped()]
    assert len(texts) == len(set(texts)) >= 120
    assert {row["language"] for row in shipped()} == set(LANGUAGES) >= {"en", "pt", "zh"}
    assert len({row["id"] for row in shipped()}) == len(texts)


def test_every_language_has_as_many_questions_of_every_kind():
    counts = Counter((row["language"], row["kind"]) for row in shipped())
    assert set(counts) == {(language, kind) for language in LANGUAGES for kind in KINDS}
    assert len(set(counts.values())) == 1


def test_only_denial_questions_hold_a_name_and_half_of_them_ask_the_other_way_round():
    for row in shipped():
        assert ("{name}" in row["text"]) == (row["kind"] == "denial"), row
    senses = Counter((row["language"], row["inverted"]) for row in shipped() if row["kind"] == "denial")
    assert len(set(senses.values())) == 1


def test_chinese_questions_are_in_chinese_characters_and_the_others_are_not():
    for row in shipped():
        chinese = re.search(r"[\u4e00-\u9fff]", row["text"]) is not None
        assert chinese == (row["language"] == "zh"), row


@pytest.mark.parametrize("quick", [False, True])
def test_every_name_is_asked_about_equally_often_in_both_senses(quick):
    asked = [one for one in questions(NAMES, quick=quick) if one.kind == "denial"]
    counts = Counter((one.asked, one.inverted) for one in asked)
    assert set(counts) == {(name, sense) for name in ("Rio", "Nex", "Zorb") for sense in (True, False)}
    assert len(set(counts.values())) == 1
    assert all(one.asked in one.text for one in asked)


def test_quick_keeps_a_third_of_every_kind_in_every_language():
    whole = Counter((one.language, one.kind) for one in questions(NAMES))
    third = Counter((one.language, one.kind) for one in questions(NAMES, quick=True))
    assert {place: 3 * count for place, count in third.items()} == whole


def test_an_unknown_language_is_an_error_that_lists_the_known_ones():
    with pytest.raises(UsageError, match="'tlh'") as raised:
        questions(NAMES, ("en", "tlh"))
    assert "pt" in raised.value.advice


def test_the_digest_changes_with_a_name_and_with_a_language():
    digests = {
        digest_of(questions(NAMES)),
        digest_of(questions(parse_names(["Rio"]))),
        digest_of(questions(NAMES, ("en",))),
    }
    assert len(digests) == 3
