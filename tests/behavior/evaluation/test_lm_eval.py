"""Tasks of lm-evaluation-harness, run by the harness itself on a file of this machine."""

from __future__ import annotations

import json

import pytest

from modelprov.behavior.evaluation.answering import Asking
from modelprov.behavior.evaluation.lm_eval_task import evaluate_lm_eval
from modelprov.behavior.evaluation.methods import plan
from modelprov.behavior.evaluation.run import Subject, evaluate
from modelprov.behavior.evaluation.tasks import load_task
from modelprov.errors import UsageError
from tests.behavior.evaluation.conftest import Calculator
from tests.behavior.evaluation.test_run import Silent

pytest.importorskip("lm_eval")

TASK = """\
task: mysums
dataset_path: json
dataset_kwargs:
  data_files:
    test: {data}
test_split: test
output_type: generate_until
doc_to_text: "{{{{question}}}}"
doc_to_target: "{{{{answer}}}}"
generation_kwargs:
  until: ["\\n\\n\\n"]
filter_list:
- name: boxed
  filter: [{{function: regex, regex_pattern: "boxed\\\\{{(-?\\\\d+)\\\\}}"}}, {{function: take_first}}]
- name: never
  filter: [{{function: regex, regex_pattern: "never(x)"}}, {{function: take_first}}]
metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true}}]
"""
LIKELIHOOD = """\
task: mychoice
dataset_path: json
dataset_kwargs:
  data_files:
    test: {data}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{question}}}}"
doc_to_choice: ["3", "4"]
doc_to_target: 0
metric_list: [{{metric: acc, aggregation: mean, higher_is_better: true}}]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made, patch = tmp_path_factory.mktemp("lm-eval"), pytest.MonkeyPatch()
    lines = [
        {"question": one.question, "answer": one.answer, "grader": "numeric"}
        for one in load_task("sums", 6).questions
    ]  # fmt: skip
    data = made / "data.jsonl"
    data.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (made / "mysums.yaml").write_text(TASK.format(data=data))
    (made / "mychoice.yaml").write_text(LIKELIHOOD.format(data=data))
    import datasets

    patch.setattr(datasets.config, "HF_DATASETS_CACHE", made / "cache")
    yield made
    patch.undo()


def run(loaded, folder, generate=None, name="mysums", methods=("cot",), samples=1, settings=None, log=None):
    conditions, notes = plan(methods, (), samples, settings or {})
    subjects = [Subject("tiny", lambda: loaded)]
    asking = Asking(log=log)
    return evaluate_lm_eval(subjects, name, conditions, asking, Silent(), "c", notes, folder, None, generate)


def test_the_harness_asks_and_grades_and_the_statistics_are_ours(loaded, folder, tmp_path):
    worse = Calculator(lambda method, total, _: method.name == "cot" and total % 2 == 0)
    report = run(loaded, folder, worse, methods=("cot", "swir"), samples=2, log=tmp_path)
    answers = [int(one.answer) for one in load_task("sums", 6).questions]
    odd = sum(answer % 2 for answer in answers)
    assert [(row.right, row.answers) for row in report.rows] == [(2 * odd, 12), (12, 12)]
    assert report.rows[0].right_by_question == tuple(2 * (answer % 2) for answer in answers)
    assert report.task.source == "lm-evaluation-harness"
    assert report.task.graders == {"exact_match, boxed": 6}
    assert len(report.task.questions) == 6
    again = Calculator(stop_after=0)
    assert run(loaded, folder, again, methods=("cot", "swir"), samples=2, log=tmp_path).answers_reused == 24


def test_another_way_of_grading_can_be_named(loaded, folder):
    assert run(loaded, folder, Calculator(), "mysums:never").rows[0].right == 0
    with pytest.raises(UsageError, match="no filter") as refused:
        run(loaded, folder, Calculator(), "mysums:other")
    assert "boxed, never" in refused.value.advice


def test_a_real_model_gives_the_same_answers_as_to_the_same_questions_in_a_task_of_ours(loaded, folder):
    settings = {"max_new_tokens": 8}
    theirs = run(loaded, folder, settings=settings)
    conditions, _ = plan(("cot",), (), 1, settings)
    task = load_task(str(folder / "data.jsonl"))
    ours = evaluate([Subject("tiny", lambda: loaded)], task, conditions, Asking(), Silent(), "c")
    assert theirs.rows[0].tokens == ours.rows[0].tokens
    assert theirs.rows[0].latent_share == ours.rows[0].latent_share


def test_what_is_no_task_or_generates_nothing_is_refused(loaded, folder, tmp_path):
    with pytest.raises(UsageError, match="likelihood"):
        run(loaded, folder, name="mychoice")
    with pytest.raises(UsageError, match="no folder"):
        run(loaded, tmp_path / "nothing")
    (folder / "data-gone.yaml").write_text(TASK.format(data="/nowhere.jsonl").replace("mysums", "mygone"))
    with pytest.raises(UsageError, match="cannot run mygone"):
        run(loaded, folder, name="mygone")
