"""Whole evaluations: with known answers in place of a model, and with a real one that answers nonsense."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from modelprov.behavior.evaluation.answering import Asking
from modelprov.behavior.evaluation.choosing import choose_alpha
from modelprov.behavior.evaluation.methods import plan
from modelprov.behavior.evaluation.results import EvaluationReport
from modelprov.behavior.evaluation.run import Subject, evaluate
from modelprov.behavior.evaluation.tasks import load_task
from modelprov.errors import UsageError
from tests.behavior.evaluation.conftest import Calculator


class Silent:
    """Progress that only counts."""

    def __init__(self) -> None:
        self.answers = 0

    def stage(self, text: str, answers: int = 0) -> None:
        pass

    def advance(self, answers: int) -> None:
        self.answers += answers


@pytest.fixture
def run(loaded):
    def evaluated(
        generate=None, methods=("cot",), budgets=(), samples=1, limit=8, asking=None, settings=None, models=("tiny",)
    ):
        conditions, notes = plan(methods, budgets, samples, settings or {})
        subjects = [Subject(label, lambda: loaded) for label in models]
        task = load_task("sums", limit)
        return evaluate(subjects, task, conditions, asking or Asking(), Silent(), "modelprov eval", notes, generate)

    return evaluated


def test_a_calculator_is_always_right(run):
    report = run(Calculator(), ("cot-greedy", "swir"))
    assert [(row.method, row.right, row.answers) for row in report.rows] == [("cot-greedy", 8, 8), ("swir", 8, 8)]
    assert report.rows[1].latent_share == 0.4
    assert report.tests[0].noise
    assert report.task.graders == {"numeric": 8}
    assert report.graded == 16


def test_a_method_that_is_wrong_more_often_is_told_apart(run):
    worse = Calculator(lambda method, *_: method.name == "cot")
    report = run(worse, ("cot", "swir"), limit=20)
    assert [row.right for row in report.rows] == [0, 20]
    assert report.tests[0].difference.value == -1
    assert not report.tests[0].noise


def test_samples_of_a_question_draw_from_streams_of_their_own_which_all_methods_share(run):
    calculator = Calculator()
    report = run(calculator, ("cot", "cot-greedy"), samples=3, limit=4)
    assert [(row.answers, row.answers_by_question) for row in report.rows] == [(12, (3,) * 4), (4, (1,) * 4)]
    assert len(set(calculator.indices[:12])) == 12
    assert set(calculator.indices[12:]) <= set(calculator.indices[:12])
    assert any("asked once" in note for note in report.notes)


def test_swireasoning_under_budgets_never_goes_without_its_control(run):
    report = run(Calculator(), ("swir",), (64, 16))
    assert [row.method for row in report.rows] == ["swir @64", "cot-budget @64", "swir @16", "cot-budget @16"]
    assert any("cot-budget" in note and "added" in note for note in report.notes)
    settings = {one.label: one.settings for one in report.methods}
    assert {one["max_new_tokens"] for label, one in settings.items() if label.endswith("@64")} == {64}
    assert settings["cot-budget @64"]["thinking_budget"] == 48
    assert settings["cot-budget @16"]["thinking_budget"] == 12
    assert len(report.curve) == 4


def test_alpha_is_chosen_on_questions_of_its_own(loaded):
    whole = load_task("sums", 40)
    here, there = (replace(whole, questions=part) for part in (whole.questions[:20], whole.questions[20:]))
    answers = Calculator(lambda method, total, _: method.swir.alpha != 0.3 and total % 3 == 0)
    subject = Subject("tiny", lambda: loaded)
    best, told = choose_alpha(subject, there, here, {}, Asking(), Silent(), answers)
    assert best == 0.3
    assert "0.3 was chosen on 20 other questions" in told
    assert choose_alpha(subject, there, here, {}, Asking(), Silent(), Calculator())[0] == 1.0
    with pytest.raises(UsageError, match="also reported"):
        choose_alpha(subject, whole, here, {}, Asking(), Silent(), answers)


def test_the_control_keeps_as_many_tokens_for_its_answer_as_said():
    for given, left in ((None, 1024 - 32), (100, 924), (5000, 1)):
        (control,), _ = plan(("cot-budget",), (1024,), 1, {}, given)
        assert control.method.thinking_budget == left


def test_a_control_that_forcing_made_worse_is_said_to_be_weak(run):
    worse = Calculator(lambda method, *_: method.name == "cot-budget")
    report = run(worse, ("swir", "cot"), (64,), limit=20)
    assert any("weak control" in note for note in report.notes)
    worse = Calculator(lambda method, *_: method.name == "cot")
    assert not any("weak control" in note for note in run(worse, ("swir", "cot"), (64,), limit=20).notes)


def test_swireasoning_without_a_budget_is_reported_as_uncontrolled(run):
    assert any("without its control" in note for note in run(Calculator(), ("swir",)).notes)
    assert not run(Calculator(), ("cot",)).notes


def test_a_stopped_run_goes_on_with_the_answers_it_has(run, tmp_path):
    asking = Asking(batch_size=3, log=tmp_path / "log")
    first = Calculator(stop_after=6)
    with pytest.raises(KeyboardInterrupt):
        run(first, asking=asking)
    second = Calculator()
    report = run(second, asking=asking)
    assert (first.asked, second.asked, report.answers_reused) == (6, 2, 6)
    whole = run(Calculator(), asking=Asking())
    assert report.rows == whole.rows


def test_more_samples_and_more_questions_only_ask_what_is_new(run, tmp_path):
    asking = Asking(log=tmp_path)
    run(Calculator(), limit=4, asking=asking)
    more = Calculator()
    run(more, limit=6, samples=2, asking=asking)
    assert more.asked == 8


@pytest.mark.parametrize(
    "change",
    [
        {"asking": {"seed": 1}},
        {"settings": {"temperature": 0.9}},
        {"asking": {"system": "Be brief."}},
        {"methods": ("cot-greedy",)},
    ],
    ids=str,
)
def test_whatever_shapes_an_answer_makes_it_another_one(run, tmp_path, change):
    asking = Asking(log=tmp_path)
    run(Calculator(), asking=asking)
    other = Calculator()
    changed = {key: value for key, value in change.items() if key != "asking"}
    run(other, asking=replace(asking, **change.get("asking", {})), **changed)
    assert other.asked == 8


def test_grading_is_done_anew_so_a_corrected_answer_needs_no_new_run(loaded, tmp_path):
    path = tmp_path / "mine.jsonl"
    line = {"question": "What is 1 + 2?", "answer": "4", "grader": "numeric"}
    conditions, _ = plan(("cot",), (), 1, {})
    results = []
    calculator = Calculator()
    for answer in ("4", "3"):
        path.write_text(json.dumps(line | {"answer": answer}))
        asking = Asking(log=tmp_path / "log")
        subjects = [Subject("tiny", lambda: loaded)]
        results.append(evaluate(subjects, load_task(str(path)), conditions, asking, Silent(), "c", (), calculator))
    assert [one.rows[0].right for one in results] == [0, 1]
    assert calculator.asked == 1


def test_the_system_prompt_of_a_question_goes_before_the_general_one(loaded):
    from modelprov.behavior.evaluation.answering import prompt_ids
    from modelprov.behavior.evaluation.question import Question

    def shown(system, asking):
        return loaded.tokenizer.decode(prompt_ids(loaded, Question("1", "Q", "1", "exact", (), system), asking))

    assert shown(None, Asking()) == "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n"
    assert "system\ngeneral<" in shown(None, Asking(system="general"))
    assert "system\nown<" in shown("own", Asking(system="general"))
    assert "general" not in shown("own", Asking(system="general"))
    assert shown(None, Asking(raw=True)) == "Q"
    assert shown("own", Asking(raw=True)) == "own\n\nQ"


def test_unknown_methods_and_budgets_too_small_are_refused():
    with pytest.raises(UsageError, match="no method"):
        plan(("magic",), (), 1, {})
    with pytest.raises(UsageError, match="budget"):
        plan(("cot",), (1,), 1, {})


def test_a_real_model_is_asked_graded_and_its_answers_are_the_same_after_a_resumed_run(run, tmp_path):
    settings = {"max_new_tokens": 12}
    methods = ("cot", "cot-greedy", "swir")
    alone = run(None, methods, limit=5, settings=settings)
    assert all(row.answers == 5 and row.tokens.value <= 12 for row in alone.rows)
    assert alone.rows[2].latent_share > 0
    asking = Asking(batch_size=2, log=tmp_path)
    run(None, methods, limit=3, settings=settings, asking=asking)
    resumed = run(None, methods, limit=5, settings=settings, asking=asking)
    assert resumed.answers_reused == 9
    assert [row.right for row in resumed.rows] == [row.right for row in alone.rows]
    assert [row.tokens for row in resumed.rows] == [row.tokens for row in alone.rows]


def test_a_report_survives_json(run):
    report = run(Calculator(), ("swir",), (16, 32), models=("a", "b"))
    again = EvaluationReport.model_validate_json(report.model_dump_json())
    assert again == report
    assert again.schema_version == "1.0"
