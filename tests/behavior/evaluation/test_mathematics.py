"""Right answers are right and parts of them are not: the grader math-verify against an oracle, and hostile texts."""

from __future__ import annotations

import json
import threading
import time

import pytest

from modelprov.behavior.evaluation import mathematics
from modelprov.behavior.evaluation.expected_answers import RejectedAnswerError
from modelprov.behavior.evaluation.mathematics import equal_as_mathematics
from modelprov.behavior.evaluation.tasks import load_task
from modelprov.errors import UsageError
from tests.behavior.evaluation.mathematics_oracle import ORACLE

pytest.importorskip("math_verify")

SAID = {"boxed": "So the answer is \\boxed{{{}}}.", "between dollars": "The answer is ${}$.", "alone": "{}"}


def test_the_oracle_is_large_and_has_near_misses():
    assert len(ORACLE) >= 60
    assert all(right and wrong for _, right, wrong in ORACLE)


@pytest.mark.parametrize("expected", [each[0] for each in ORACLE])
def test_every_right_answer_is_right_and_every_near_miss_is_wrong(expected):
    _, right, wrong = next(each for each in ORACLE if each[0] == expected)
    for name, form in SAID.items():
        for said in (expected, *right):
            assert equal_as_mathematics(expected, form.format(said) if "$" not in said.replace("\\$", "") else said), (
                name,
                said,
            )
        for said in wrong:
            assert not equal_as_mathematics(expected, form.format(said)), (name, said)


@pytest.mark.parametrize("wrapped", ["${}$", "$${}$$", "\\({}\\)", "\\[{}\\]", "\\boxed{{{}}}", " {} ", "{}."])
def test_delimiters_around_an_expected_answer_change_nothing(wrapped):
    expected = wrapped.format("3\\sqrt{13}")
    assert equal_as_mathematics(expected, "\\boxed{3\\sqrt{13}}")
    assert not equal_as_mathematics(expected, "\\boxed{3}")


@pytest.mark.parametrize(
    ("text", "expected", "equal"),
    [
        ("First $x = 3$, then the answer is $2\\sqrt{3}$.", "2\\sqrt{3}", True),
        ("so x equals 2\\sqrt{3}", "2\\sqrt{3}", True),
        ("so x equals 2\\sqrt{3}", "3", False),
        ("The answer is 2\\sqrt{3}, since 4 \\cdot 3 = 12", "12", False),
        ("\\boxed{3} was wrong; it is \\boxed{2\\sqrt{3}}", "2\\sqrt{3}", True),
        ("\\boxed{3} was wrong; it is \\boxed{2\\sqrt{3}}", "3", False),
        ("\\boxed{$\\frac{1}{2}$}", "\\frac{1}{2}", True),
        ("**Answer:** $\\frac{1}{2}$", "\\frac{1}{2}", True),
        ("Therefore x = 17.", "17", True),
    ],
)
def test_what_a_text_answers_is_found_whole(text, expected, equal):
    assert equal_as_mathematics(expected, text) is equal


HOSTILE = {
    "a huge power": "10^{10^{10}}",
    "a tower": "2^{2^{2^{2^{2^{2}}}}}",
    "a factorial": "(10^9)!",
    "brackets": "(" * 5000,
    "fractions": "\\frac{" * 3000,
    "digits": "9" * 90_000,
    "a sum": "\\sum_{i=1}^{10^9} i^i",
    "dollars": "$" * 90_000,
    "delimiters": "\\(" * 45_000,
    "commands": "\\abc {x} " * 9000 + "word",
    "numbers": "1 " * 45_000 + "word",
    "blanks": " " * 90_000 + "x",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_text_ends_within_the_limit_on_either_side(name):
    began = time.monotonic()
    assert not equal_as_mathematics("12", f"\\boxed{{{HOSTILE[name]}}}")
    assert not equal_as_mathematics(HOSTILE[name], "\\boxed{12}")
    assert time.monotonic() - began < 2 * (mathematics.SECONDS + 10)
    assert equal_as_mathematics("12", "\\boxed{12}"), "the next answer is graded as ever"


def test_a_comparison_that_does_not_end_is_ended_and_the_next_one_starts_anew(tmp_path, monkeypatch):
    silent = tmp_path / "silent.py"
    silent.write_text("import sys, time\nsys.stdin.readline(), print('{}', flush=True)\ntime.sleep(600)\n")
    monkeypatch.setattr(mathematics, "_process", mathematics._Process())
    monkeypatch.setattr(mathematics, "SECONDS", 0.1)
    with monkeypatch.context() as patched:
        patched.setattr(mathematics, "CHILD", silent)
        assert not equal_as_mathematics("x+1", "\\boxed{1+x}")
    monkeypatch.setattr(mathematics, "SECONDS", 60.0)
    assert equal_as_mathematics("x+1", "\\boxed{1+x}")


def test_the_limit_holds_in_every_thread():
    found: list[bool] = []
    thread = threading.Thread(target=lambda: found.append(equal_as_mathematics("x+1", "\\boxed{(10^9)!}")))
    thread.start()
    thread.join(mathematics.SECONDS + 15)
    assert found == [False]


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ({"answer": "\\frac{1}{", "grader": "math-verify"}, "math-verify"),
        ({"answer": "\\boxed{4}", "grader": "exact"}, "exact"),
    ],
)
def test_an_expected_answer_that_its_own_grader_rejects_is_refused_when_the_task_is_loaded(tmp_path, line, word):
    good = {"question": "?", "answer": "4", "grader": "numeric"}
    path = tmp_path / "task.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in (good, {"question": "?", "id": "bad one"} | line)))
    with pytest.raises(RejectedAnswerError, match="question 'bad one'") as refused:
        load_task(str(path))
    assert isinstance(refused.value, UsageError)
    assert word in refused.value.message
    assert refused.value.advice
    assert len(load_task(str(path), 1).questions) == 1, "only what is asked is checked"


def test_answers_as_public_tasks_write_them_are_accepted_when_the_task_is_loaded(tmp_path):
    lines = [{"question": "?", "answer": expected, "grader": "math-verify"} for expected, _, _ in ORACLE]
    path = tmp_path / "task.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert len(load_task(str(path)).questions) == len(ORACLE)
