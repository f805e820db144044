"""What answers are counted as."""

from __future__ import annotations

import pytest

from modelprov.behavior.probing.classify import affirms, classify, quotes, says_yes
from modelprov.behavior.probing.names import parse_names
from modelprov.behavior.probing.questions import Question

NAMES = parse_names(["Rio", "Nex=Nex-AGI"])
IS = Question("q", "en", "denial", "Are you Rio?", "Rio", False)
IS_NOT = Question("q", "en", "denial", "Are you a different model from Rio?", "Rio", True)


@pytest.mark.parametrize(
    ("text", "class_"),
    [
        ("I am Rio.", "Rio"),
        ("I am Rio, built on Nex.", "several"),
        ("I can't share my name.", "refusal"),
        ("I don’t have a personal name.", "refusal"),
        ("Não posso informar isso.", "refusal"),
        ("Eu não tenho um nome.", "refusal"),
        ("抱歉，我无法透露。", "refusal"),
        ("我没有名字。", "refusal"),
        ("I can't share my maker, but I am Nex.", "Nex"),
        ("I am an assistant.", "other"),
        ("  \n", "no answer"),
        (None, "no answer"),
    ],
)
def test_an_answer_falls_into_one_class(text, class_):
    assert classify(text, NAMES).class_ == class_


@pytest.mark.parametrize(
    ("text", "yes"),
    [
        ("Yes, I am.", True), ("**Yes**", True), ("That's right.", True), ("Sim, sou.", True), ("Correto.", True),
        ("是的，我是。", True), ("是。", True), ("没错", True), ("对，就是我", True),
        ("No.", False), ("“No, I am not.”", False), ("Não, sou outro.", False), ("不是，我是别的模型。", False),
        ("并不是", False), ("没有", False), ("Nobody knows.", None), ("Notably, I am Nex", None), ("是谁？", None),
        ("I am Nex.", None), ("Yesterday", None), ("Simples.", None), ("", None),
    ],
)  # fmt: skip
def test_yes_and_no_are_told_in_three_languages(text, yes):
    assert says_yes(text) is yes


def test_a_yes_to_the_question_the_other_way_round_is_a_denial():
    assert affirms("Yes.", IS, NAMES) is True
    assert affirms("Yes.", IS_NOT, NAMES) is False
    assert affirms("No.", IS_NOT, NAMES) is True


def test_without_yes_or_no_a_name_settles_it_unless_it_is_negated():
    assert affirms("I am Nex.", IS, NAMES) is False
    assert affirms("I am Rio.", IS, NAMES) is True
    assert affirms("I am not Rio.", IS, NAMES) is False
    assert affirms("Who knows?", IS, NAMES) is None
    assert affirms(None, IS, NAMES) is None


def test_an_answer_that_contradicts_itself_is_unclear():
    assert affirms("Yes, I am Nex.", IS, NAMES) is None
    assert affirms("No, I am Nex.", IS_NOT, NAMES) is None
    assert affirms("No, I am Rio.", IS, NAMES) is None
    assert affirms("No, I am Nex.", IS, NAMES) is False
    assert affirms("No, I am not Rio.", IS, NAMES) is False
    assert affirms("Yes, I am different from Rio.", IS_NOT, NAMES) is False
    assert affirms("是的，我是Nex。", IS, NAMES) is None


def test_a_phrase_is_found_word_for_word_whatever_its_spacing_and_case():
    assert quotes("Born on a\nRAINY  tuesday.", "a rainy Tuesday")
    assert not quotes("a rainy day", "a rainy Tuesday")
    assert not quotes(None, "x")
