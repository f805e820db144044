"""Rows, paired tests and the curve: numbers that can be worked out by hand."""

from __future__ import annotations

import pytest

from modelprov.behavior.evaluation.log import Logged
from modelprov.behavior.evaluation.question import Question
from modelprov.behavior.evaluation.results import MethodRecord
from modelprov.behavior.evaluation.scoring import Scored, curve, judge, paired_tests, row
from modelprov.shares import wilson

QUESTION = Question("1", "?", "12", "numeric")


def answers(pattern: str, tokens: int = 10) -> list[Scored]:
    """One answer a letter: r right, w wrong, t thought unfinished, c cut; spaces separate questions."""
    words = {"r": "right", "w": "wrong", "t": "unfinished thought", "c": "cut answer"}
    return [Scored(place, words[one], tokens) for place, group in enumerate(pattern.split()) for one in group]


def of(pattern: str, model: str = "m", method: str = "cot", tokens: int = 10):
    return row(model, method, answers(pattern, tokens), len(pattern.split()), 0)


def method(name: str, budget: int | None = None) -> MethodRecord:
    label = name if budget is None else f"{name} @{budget}"
    return MethodRecord(label=label, name=name, budget=budget, samples=1, settings={})


@pytest.mark.parametrize(
    ("final", "finished", "outcome"),
    [
        ("\\boxed{12}", True, "right"),
        ("it is 13", True, "wrong"),
        (None, False, "unfinished thought"),
        (None, True, "unfinished thought"),
        ("so 7 + 5 = 12", False, "cut answer"),
        ("\\boxed{12}. That is", False, "right"),
        ("\\boxed{13}. That is", False, "wrong"),
        ("", True, "wrong"),
    ],
)
def test_only_what_came_to_an_end_is_graded(final, finished, outcome):
    assert judge(QUESTION, Logged("1", 0, "p", "12", "12", final, finished, 3)) == outcome


def test_one_answer_a_question_has_wilsons_interval():
    found, expected = of("r r w t c r w r"), wilson(4, 8)
    assert (found.right, found.answers, found.unfinished_thoughts, found.cut_answers) == (4, 8, 1, 1)
    assert found.interval == "Wilson"
    assert (found.accuracy.low, found.accuracy.high) == (expected.low, expected.high)
    assert found.tokens.value == 10
    assert found.tokens_per_right.value == 20


def test_several_answers_a_question_are_resampled_by_question_not_counted_as_independent():
    clustered, apart = of("rrrr wwww rrrr wwww"), of(" ".join("rrrrwwwwrrrrwwww"))
    assert clustered.interval == "cluster bootstrap"
    assert clustered.accuracy.value == apart.accuracy.value == 0.5
    assert clustered.accuracy.high - clustered.accuracy.low > apart.accuracy.high - apart.accuracy.low
    assert clustered.right_by_question == (4, 0, 4, 0)


@pytest.mark.parametrize(("pattern", "successes"), [("rr rr rr", 3), ("ww ww ww", 0)])
def test_no_spread_among_few_questions_is_no_certainty(pattern, successes):
    found, expected = of(pattern), wilson(successes, 3)
    assert found.interval == "Wilson over questions"
    assert (found.accuracy.low, found.accuracy.high) == (expected.low, expected.high)


def test_a_row_without_a_right_answer_has_no_tokens_per_right_answer():
    assert of("w w").tokens_per_right.value is None


def test_methods_are_paired_within_a_model_and_budget_and_models_within_a_method():
    methods = [method("cot", 8), method("swir", 8), method("cot", 16)]
    rows = [of("r w r", model, one.label) for model in ("a", "b") for one in methods]
    found = {
        (one.compared, one.first_model, one.first_method, one.second_model, one.second_method)
        for one in paired_tests(rows, methods, 0)
    }
    assert found == {
        ("methods", "a", "cot @8", "a", "swir @8"),
        ("methods", "b", "cot @8", "b", "swir @8"),
        ("models", "a", "cot @8", "b", "cot @8"),
        ("models", "a", "swir @8", "b", "swir @8"),
        ("models", "a", "cot @16", "b", "cot @16"),
    }


def test_a_difference_is_called_one_only_after_the_correction_for_all_tests():
    # Seven questions that only the first answers: p = 2/128 = 0.016; with four such tests, 0.0625 for the smallest.
    methods = [method("cot"), method("swir")]
    two = paired_tests([of("r " * 7), of("w " * 7, method="swir")], methods, 0)
    assert (two[0].p, two[0].adjusted, two[0].noise) == (pytest.approx(2 / 128), pytest.approx(2 / 128), False)
    assert two[0].difference.value == 1
    assert (two[0].only_first, two[0].only_second, two[0].test) == (7, 0, "McNemar, exact")
    rows = [of(p * 7, m, one) for m in "ab" for one, p in (("cot", "r "), ("swir", "w "))]
    four = paired_tests(rows, methods, 0)
    assert sorted(one.p for one in four) == pytest.approx([2 / 128, 2 / 128, 1, 1])
    assert all(one.noise for one in four)


def test_rows_that_never_differ_leave_open_what_so_few_questions_leave_open():
    found = paired_tests([of("r w r"), of("r w r", method="swir")], [method("cot"), method("swir")], 0)[0]
    assert found.p == 1
    assert -0.7 < found.difference.low < 0 < found.difference.high < 0.7
    several = paired_tests([of("rr ww rr"), of("rr ww rr", method="swir")], [method("cot"), method("swir")], 0)[0]
    assert several.difference.low == -several.difference.high == -wilson(0, 3).high


def test_several_samples_are_compared_by_their_share_in_each_question():
    found = paired_tests([of("rrww rrrr"), of("w r", method="swir")], [method("cot"), method("swir")], 0)[0]
    assert found.test == "paired randomisation"
    assert found.difference.value == 0.25
    assert found.p == 1


def test_the_curve_has_a_point_a_budget_and_marks_what_nothing_beats():
    methods = [method("cot", 8), method("swir", 8), method("cot", 16), method("swir", 16)]
    rows = [
        of("r w w w", method="cot @8", tokens=8),
        of("r r w w", method="swir @8", tokens=8),
        of("r r w w", method="cot @16", tokens=12),
        of("r r r w", method="swir @16", tokens=16),
        of("w w w w", "other", "cot @8", tokens=9),
    ]
    found = curve(rows, methods)
    assert [(one.model, one.method_name, one.budget) for one in found] == [
        ("m", "cot", 8), ("m", "cot", 16), ("m", "swir", 8), ("m", "swir", 16), ("other", "cot", 8),
    ]  # fmt: skip
    assert [one.on_front for one in found] == [False, False, True, True, True]


def test_without_budgets_there_is_no_curve():
    assert curve([of("r w")], [method("cot")]) == ()
