"""Graders against the answers judged by hand in `benchmarks/graders/answers.tsv`. No library to compare with here."""

from __future__ import annotations

import json

import pytest

from benchmarks.graders import rates
from modelprov.behavior.evaluation.letters_said import chosen_letter
from modelprov.behavior.evaluation.numbers_said import settled_number

JUDGED = rates.read_answers()


@pytest.mark.parametrize("language", ["en", "pt", "es", "zh", "ja", "ko", "ru", "de", "fr"])
@pytest.mark.parametrize("kind", ["numeric", "choice"])
def test_no_judged_answer_is_graded_otherwise(kind, language):
    answers = [one for one in JUDGED if (one.grader, one.language) == (kind, language)]
    assert len(answers) >= 10
    assert {one.right for one in answers} == {True, False}
    assert [one.answer for one in answers if rates.ours(one) != one.right] == []


def test_the_second_readers_answers_are_graded_as_judged_since_the_rules_were_mended():
    answers = rates.read_answers(rates.UNSEEN)
    assert len(answers) >= 60
    assert len({one.language for one in answers}) == 9
    assert [one.answer for one in answers if rates.ours(one) != one.right] == []


@pytest.mark.parametrize(
    ("expected", "answer", "is_right"),
    [
        ("17", "My best guess is 17.", True),
        ("17", "My first guess was 18, but it is 17.", True),
        ("18", "My first guess was 18, but it is 17.", False),
        ("17", "数据不足,但答案是17。", True),
        ("17", "Недостаточно данных, чтобы назвать 17.", False),
        ("B", "B it is not.", False),
        ("C", "Alles außer C.", False),
        ("C", "Ich schwanke zwischen B und C.", False),
    ],
)
def test_guesses_missing_data_and_exceptions_are_told_from_answers(expected, answer, is_right):
    grader = "choice" if expected.isalpha() else "numeric"
    assert rates.ours(rates.Judged(0, grader, "", "", expected, is_right, answer)) == is_right


def test_two_readers_disagree_on_what_is_kept_with_both():
    rows = [line.split("\t") for line in rates.SECOND.read_text(encoding="utf-8").splitlines()[1:]]
    judged = {one.number: one.right for one in JUDGED}
    assert len(rows) >= 150
    assert all(judged[int(line)] == (first == "1") for line, first, _ in rows)
    assert [int(line) for line, first, second in rows if first != second] == [74]  # a minus that was overlooked


def test_a_text_without_an_answer_gives_none_in_any_language():
    for one in JUDGED:
        if one.kind == "refusal" and not one.right:
            said = settled_number(one.answer) if one.grader == "numeric" else chosen_letter(one.answer, 4)
            assert one.grader == "math" or said is None, one.answer


def test_the_table_in_the_docs_is_that_of_the_results():
    text = (rates.HERE.parents[1] / "docs" / "eval.md").read_text(encoding="utf-8")
    results = json.loads((rates.HERE.parent / "results" / "graders.json").read_text(encoding="utf-8"))
    assert sum(row["answers"] for row in results if row["grader"] == "ours") == len(JUDGED)
    for name, grader in (("modelprov", "ours"), ("math-verify", "math-verify"), ("lm-eval", "lm-eval")):
        line = next(line for line in text.splitlines() if line.startswith(f"| {name} ") and " of " in line)
        for row in results:
            if row["grader"] == grader:
                assert (
                    f"{row['wrongly_right']} of {row['of_wrong']} | {row['wrongly_wrong']} of {row['of_right']}" in line
                )


@pytest.mark.parametrize(
    "unit",
    [
        "答案是",
        "我不知道",
        "17か",
        "不是17",
        "1万",
        "3 \\times 10^",
        "I don't know ",
        "Bです",
        "sino ",
        "1,7 é ",
        "选",
        "10^{",
    ],
)
def test_long_texts_in_other_languages_are_graded_without_running_away(unit):
    text = unit * (10_000 // len(unit))
    settled_number(text)
    chosen_letter(text, 4)
