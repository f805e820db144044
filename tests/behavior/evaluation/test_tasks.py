"""Tasks: what a file may hold, and how a bad line is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modelprov.behavior.evaluation.graders import right
from modelprov.behavior.evaluation.tasks import GRADERS, load_task, shipped
from modelprov.behavior.generation.interface import METHODS
from modelprov.errors import UsageError

GOOD = {"question": "2 + 2?", "answer": "4", "grader": "numeric"}


def write(folder: Path, *lines: object) -> str:
    path = folder / "task.jsonl"
    path.write_text("\n".join(one if isinstance(one, str) else json.dumps(one) for one in lines), encoding="utf-8")
    return str(path)


def test_a_task_is_read_in_its_order_with_line_numbers_as_ids(tmp_path):
    task = load_task(write(tmp_path, GOOD, "", GOOD | {"id": "b", "system": "Be brief."}, GOOD | {"answer": 4}))
    assert [one.id for one in task.questions] == ["1", "b", "4"]
    assert [one.system for one in task.questions] == [None, "Be brief.", None]
    assert task.questions[2].answer == "4"
    assert task.name == "task"


def test_a_limit_takes_the_first_questions(tmp_path):
    where = write(tmp_path, *(GOOD | {"id": name} for name in "abc"))
    assert [one.id for one in load_task(where, 2).questions] == ["a", "b"]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "no JSON object"),
        (GOOD | {"anwser": "4"}, "unknown key 'anwser'"),
        ({"question": "?", "grader": "exact"}, "'answer' is missing"),
        (GOOD | {"question": " "}, "`question` must be"),
        (GOOD | {"question": ["?"]}, "`question` must be"),
        (GOOD | {"grader": "llm"}, "`grader` must be one of"),
        (GOOD | {"grader": ["exact"]}, "`grader` must be one of"),
        (GOOD | {"answer": "four"}, "no number"),
        (GOOD | {"answer": ""}, "empty"),
        (GOOD | {"answer": True}, "`answer` must be"),
        (GOOD | {"answer": {"a": 1}}, "`answer` must be"),
        (GOOD | {"system": 3}, "`system` must be"),
        (GOOD | {"id": True}, "`id` must be"),
        (GOOD | {"id": "first"}, "is that of line 1 already"),
        (GOOD | {"grader": "regex", "answer": "("}, "no regular expression"),
        (GOOD | {"grader": "choice"}, "belong together"),
        (GOOD | {"choices": ["a", "b"]}, "belong together"),
        (GOOD | {"grader": "choice", "answer": "C", "choices": ["x", "y"]}, "neither one of the choices"),
        (GOOD | {"grader": "choice", "answer": "A", "choices": ["x", "x"]}, "different texts"),
        (GOOD | {"grader": "choice", "answer": "A", "choices": "xy"}, "list of texts"),
    ],
)
def test_a_bad_line_is_named_by_file_and_line(tmp_path, line, why):
    where = write(tmp_path, GOOD | {"id": "first"}, "", line)
    with pytest.raises(UsageError, match=r"task\.jsonl, line 3: ") as refused:
        load_task(where)
    assert why in refused.value.message
    assert refused.value.advice


def test_a_file_that_is_missing_empty_or_no_text_is_refused(tmp_path):
    with pytest.raises(UsageError, match="there is no task") as refused:
        load_task(str(tmp_path / "nothing.jsonl"))
    assert all(name in refused.value.advice for name in shipped())
    with pytest.raises(UsageError, match="holds no questions"):
        load_task(write(tmp_path, "", " "))
    (tmp_path / "task.jsonl").write_bytes(b"\xff\xfe{}")
    with pytest.raises(UsageError, match="UTF-8"):
        load_task(str(tmp_path / "task.jsonl"))


def test_a_choice_is_asked_with_letters_and_its_answer_may_be_the_text_or_the_letter(tmp_path):
    line = {"question": "Which is a fruit?", "grader": "choice", "choices": ["stone", "pear"]}
    by_text, by_letter = load_task(
        write(tmp_path, line | {"answer": "pear", "id": "a"}, line | {"answer": "b", "id": "b"})
    ).questions
    assert by_text.answer == by_letter.answer == "B"
    assert "A. stone\nB. pear" in by_text.prompt


def test_the_digest_follows_what_is_asked_and_nothing_else(tmp_path):
    where = write(tmp_path, GOOD)
    first = load_task(where).digest
    write(tmp_path, json.dumps(GOOD, indent=None, separators=(" , ", " : ")))
    assert load_task(where).digest == first
    for change in ({"question": "2+2?"}, {"answer": "5"}, {"grader": "exact"}, {"system": "s"}, {"id": "z"}):
        write(tmp_path, GOOD | change)
        assert load_task(where).digest != first, change


@pytest.mark.parametrize("name", shipped())
def test_shipped_tasks_load_and_their_own_answers_are_right(name):
    task = load_task(name)
    assert len(task.questions) >= 50
    assert all(right(one, f"So the answer is \\boxed{{{one.answer}}}.") for one in task.questions)
    assert len({one.question for one in task.questions}) == len(task.questions)


def test_the_document_shows_a_task_that_loads_and_names_every_method_and_grader(tmp_path):
    text = (Path(__file__).parents[3] / "docs" / "eval.md").read_text(encoding="utf-8")
    (tmp_path / "task.jsonl").write_text(text.split("```json\n", 1)[1].split("```", 1)[0], encoding="utf-8")
    assert [one.grader for one in load_task(str(tmp_path / "task.jsonl")).questions] == ["numeric", "regex", "choice"]
    first_cells = [line.split("|")[1].strip(" `") for line in text.splitlines() if line.startswith("| `")]
    assert first_cells == [*METHODS, *GRADERS]
