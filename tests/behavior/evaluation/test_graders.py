"""Graders: what counts as the expected answer, grader by grader."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelprov.behavior.evaluation.graders import chosen_letter, last_boxed, number_in, numbers_in, right
from modelprov.behavior.evaluation.tasks import Question


def ask(grader: str, answer: str, choices: tuple[str, ...] = ()) -> Question:
    return Question("1", "?", answer, grader, choices)


@pytest.mark.parametrize(
    ("grader", "answer", "final", "expected"),
    [
        ("exact", "Paris", "  Paris\n", True),
        ("exact", "New York", "New  York", True),
        ("exact", "Paris", "It is Paris.", False),
        ("exact", "Paris", "paris", False),
        ("exact", "Paris", "It is \\boxed{Paris}.", True),
        ("exact", "{a}", "\\boxed{{a}}", True),
        ("numeric", "12", "7 + 5 is \\boxed{12}", True),
        ("numeric", "12", "7 + 5 = 12.", True),
        ("numeric", "12", "12 is 7 + 5", False),
        ("numeric", "0.5", "\\boxed{\\frac{1}{2}}", True),
        ("numeric", "1200", "It costs $1,200.", True),
        ("numeric", "-3", "so x = \u22123", True),
        ("numeric", "12", "\\boxed{13}, not 12", False),
        ("numeric", "12", "no idea", False),
        ("numeric", "12", "", False),
        ("math-verify", "1/2", "so it is $\\frac{2}{4}$", True),
        ("math-verify", "x+1", "\\boxed{1+x}", True),
        ("math-verify", "12", "13", False),
        ("math-verify", "12", "", False),
        ("regex", r"\b(Lima|LIM)\b", "fly to LIM", True),
        ("regex", r"\bLima\b", "Limassol", False),
    ],
)
def test_the_grader_decides(grader, answer, final, expected):
    assert right(ask(grader, answer), final) is expected


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("The answer is B.", "B"),
        ("answer: (b)", "B"),
        ("**Answer:** C", "C"),
        ("C", "C"),
        ("(c)", "C"),
        ("\\boxed{\\text{D}}", "D"),
        ("B) because A is wrong", "B"),
        ("First I thought the answer is A, but the answer is C", "C"),
        ("The answer is a cat", None),
        ("It is A. or it is B.", None),
        ("A cat sat there", None),
        ("E", None),
        ("\\boxed{A or B}", None),
        ("", None),
    ],
)
def test_a_choice_is_the_letter_that_the_answer_settles_on(text, letter):
    assert chosen_letter(text, 4) == letter
    assert right(ask("choice", "B", ("w", "x", "y", "z")), text) is (letter == "B")


@given(st.fractions(), st.text("abc ,;:", max_size=5))
def test_a_fraction_is_read_back_exactly_from_between_words(value, words):
    assert numbers_in(f"{words} {value} {words}") == [value]
    assert number_in(str(value)) == value


@given(st.integers(-(10**12), 10**12))
def test_commas_between_thousands_change_no_value(value):
    assert numbers_in(f"{value:,}") == [Fraction(value)]


@given(st.text("\\boxed{}12 ", max_size=40))
def test_a_boxed_answer_has_balanced_braces_and_stands_in_the_text(text):
    inside = last_boxed(text)
    if inside is None:
        return
    assert f"\\boxed{{{inside}}}" in text
    assert inside.count("{") == inside.count("}")


def test_the_last_complete_box_counts_and_a_hundred_thousand_open_ones_cost_nothing():
    assert last_boxed("\\boxed{1} \\boxed{2} \\boxed{3") == "2"
    assert last_boxed("\\boxed{\\frac{1}{2}}") == "\\frac{1}{2}"
    assert last_boxed("\\boxed{" * 100_000) is None
