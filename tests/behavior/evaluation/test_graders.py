"""Graders: what counts as the expected answer, grader by grader."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelprov.behavior.evaluation.answer_text import last_boxed
from modelprov.behavior.evaluation.graders import right
from modelprov.behavior.evaluation.letters_said import chosen_letter
from modelprov.behavior.evaluation.numbers_said import number_in, settled_number
from modelprov.behavior.evaluation.question import Question


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
    assert settled_number(f"{words} {value} {words}") == value
    assert number_in(str(value)) == value


@given(st.integers(-(10**12), 10**12))
def test_commas_between_thousands_change_no_value(value):
    assert number_in(f"{value:,}") == settled_number(f"so {value:,}.") == value


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


@pytest.mark.parametrize(
    ("final", "value"),
    [
        ("\\boxed{1{,}000}", "1000"),
        ("\\boxed{1\\,000}", "1000"),
        ("\\boxed{17 \\text{ cm}^2}", "17"),
        ("\\boxed{17\\,\\mathrm{m}^{3}}", "17"),
        ("17 cm^2", "17"),
        ("It is 1 000.", "1000"),
        ("It is 12\u202f345\u202f678.5", "12345678.5"),
        ("1\u00a0000", "1000"),
        ("1\u2009000", "1000"),
        ("1 1/2", "3/2"),
        ("-1 1/2", "-3/2"),
        ("$1\\frac{1}{2}$", "3/2"),
        ("1½", "3/2"),
        ("\\boxed{1\\frac12}", "3/2"),
        ("\\boxed{-\\tfrac{1}{2}}", "-1/2"),
        ("\\boxed{1\\ 000}", "1000"),
        ("Answer: 17.\n\nThere is 1 more question!", "17"),
        ("The answer is 17 because 10 and 7 are 2 numbers", "17"),
        ("**Answer:** 7 + 10 = 17, in 2 steps", "17"),
        ("The answer to question 3 is $x = 17$. Next: 4", "17"),
        ("The answer is 12. So no: the answer is 17. 1 more?", "17"),
        ("The answer is the sum of 7 and 10, which is 17", "17"),
        ("The answer is 12. Wait, I made an error: it is 17", "17"),
        ("The answer is 12? No, 17.", "17"),
        ("The answer is not 12 but 17", "17"),
        ("It is 17, not 12", "17"),
        ("1/2 or 0.5", "1/2"),
        ("= 10 - 27 = -17", "-17"),
        ("2^{4} + 1 = 17", "17"),
    ],
)
def test_a_number_is_found_however_it_is_written(final, value):
    assert right(ask("numeric", value), final)


@pytest.mark.parametrize(
    ("final", "wrong"),
    [
        ("17 or 18", "17 18"),
        ("\\boxed{17 \\text{ or } 18}", "17 18"),
        ("\\boxed{16, 17}", "16 17 1617"),
        ("The answer is 17 or 18. There are 17 items", "17 18"),
        ("Answer: 17, 18", "17 18"),
        ("x = 3 or x = 17", "3 17"),
        ("The answer is 8 5", "8 5 85"),
        ("not 17", "17"),
        ("It isn't 17", "17"),
        ("The answer is not 17.", "17"),
        ("neither 16 nor 17", "16 17"),
        ("It is not 16 or 17", "16 17"),
        ("x \\neq 17", "17"),
        ("The answer is \\neq 17", "17"),
        ("1,7", "1 7 17 1.7"),
        ("1.000,5", "1 5 1000.5 10005"),
        ("0,125", "125 0.125"),
        ("1,0000", "1 0 1000 10000"),
        ("17 00", "17 1700"),
        ("17 0000", "17 170000"),
        ("2024 300", "2024300"),
        ("1.2.3", "1.2 3 2.3"),
        ("2\\frac12", "2 12 1/2"),
        ("10^2", "10 2 102"),
        ("10 + 7", "10 7"),
        ("Answer: 10 + 7", "10 7"),
        ("\\boxed{10-17}", "10 17 -17"),
        ("17 ± 2", "17 2"),
        ("17/11/2024", "17 2024 17/11"),
        ("1 17/2", "1 9.5 17/2"),
        ("1e999999", "1 999999"),
        ("The answer is 17. Wait, it is 18.", "17"),
        ("The answer is 17? No, 18.", "17"),
        ("Answer: 17\nAnswer: 18", "17"),
        ("\\boxed{18} and so 17", "17"),
        ("\\boxed{18}. The answer is 17", "17"),
    ],
)
def test_a_number_that_is_not_settled_on_is_no_answer(final, wrong):
    for value in wrong.split():
        assert not right(ask("numeric", value), final), value


@given(st.integers(1000, 10**15), st.sampled_from([" ", "\u00a0", "\u2009", "\u202f", "\\,", "{,}"]))
def test_thousands_may_be_set_apart_by_any_usual_space(value, space):
    assert settled_number(f"It is {value:,}.".replace(",", space)) == value


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("The answer is A or B.", None),
        ("The answer is either A or B.", None),
        ("The answer is A and B", None),
        ("Answer: A, B", None),
        ("The answer is A/B", None),
        ("A or B is right", None),
        ("(A) or (B)", None),
        ("ADA or BCD: so (B)", "B"),
        ("The answer is A? No, B.", "B"),
        ("The answer is A? No. It is B).", "B"),
        ("The answer is A?", None),
        ("The answer is A. Wait, B.", "B"),
        ("The answer is A. Wait, I made an error: B is right.", "B"),
        ("The answer is A. Wait, I made an error. D fits better", None),
        ("The answer is B. Wait, let me check. Yes, B.", "B"),
        ("I choose B", "B"),
        ("I'd go with option (B)", "B"),
        ("I would not choose B", None),
        ("The correct option is B", "B"),
        ("The answer is not A but B", "B"),
        ("The answer is not B.", None),
        ("The answer isn't B.", None),
        ("Not B.", None),
        ("I think B. Not A.", "B"),
        ("(B) is wrong.", None),
        ("Answer B is wrong.", None),
        ("I don't think B is right.", None),
        ("If B is right, then pigs fly", None),
        ("There is no B.", None),
        ("No. B) stone C) pear", None),
        ("The answer is B, a pear.", "B"),
        ("The answer is B, C is wrong", "B"),
        ("The answer is B. No other option fits.", "B"),
        ("\\boxed{B. pear}", "B"),
        ("\\boxed{B) or C)}", None),
        ("\\boxed{Banana}", None),
    ],
)
def test_a_choice_between_two_is_none_and_a_correction_counts(text, letter):
    assert chosen_letter(text, 4) == letter


@pytest.mark.parametrize(
    "unit",
    [
        "\\text{",
        "answer: ",
        "1 000 ",
        "1,1",
        "not 1 ",
        "1+",
        "A or ",
        "No, B. ",
        "I choose ",
        "if A is right ",
        "if ",
        "\\frac{1}{2}^",
        " ",
        "(",
        "1/",
    ],
)
def test_a_hundred_thousand_characters_are_graded_without_running_away(unit):
    text = unit * (100_000 // len(unit))
    settled_number(text)
    chosen_letter(text, 4)
