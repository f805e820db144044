"""Tasks: questions with their answers, from a JSONL file or shipped with the package. Grades nothing, runs nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, NoReturn

from modelprov.behavior.evaluation.expected_answers import check_answers
from modelprov.behavior.evaluation.numbers_said import number_in
from modelprov.behavior.evaluation.question import LETTERS, Question
from modelprov.behavior.records import digest
from modelprov.errors import UnreadableFileError, UsageError
from modelprov.foreign.json_text import JsonError, parse_json
from modelprov.foreign.shown import quoted

GRADERS = ("exact", "numeric", "math-verify", "regex", "choice")
KEYS = {"id", "question", "answer", "grader", "choices", "system"}
LARGEST = 256 << 20  # bytes of a task file
FORMAT = (
    "Each line is a JSON object with `question`, `answer` and `grader` (exact, numeric, math-verify, regex, choice)."
)


@dataclass(frozen=True)
class Task:
    """Questions in the order of their file; `digest` covers all that is asked and expected, not the name."""

    name: str
    location: str
    questions: tuple[Question, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of the questions."""
        return digest([one.as_dict() for one in self.questions])


def shipped() -> tuple[str, ...]:
    """Names of the tasks that come with the package."""
    folder = files("modelprov.behavior.evaluation") / "shipped"
    return tuple(sorted(one.name.removesuffix(".jsonl") for one in folder.iterdir() if one.name.endswith(".jsonl")))


def load_task(where: str, limit: int | None = None) -> Task:
    """The task in the file `where`, or the shipped one of that name; at most its first `limit` questions.

    Raises `UsageError` naming file and line for anything that is no task, or naming the question whose expected answer
    its own grader rejects; `UnreadableFileError` when it cannot be read.
    """
    path = Path(where).expanduser()
    if where in shipped() and not path.is_file():
        text = (files("modelprov.behavior.evaluation") / "shipped" / f"{where}.jsonl").read_text(encoding="utf-8")
        name, shown = where, f"{where} (shipped with modelprov)"
    else:
        text, name, shown = _read(path, where), path.stem, where
    questions = tuple(_questions(text, shown))[:limit]
    if not questions:
        raise UsageError(f"{shown} holds no questions", FORMAT)
    check_answers(questions, shown)
    return Task(name, where, questions)


def _read(path: Path, where: str) -> str:
    names = ", ".join(shipped())
    if not path.is_file():
        raise UsageError(
            f"there is no task {where!r}", f"Give a JSONL file, the name of a shipped task ({names}), or lm-eval:NAME."
        )
    try:
        if path.stat().st_size > LARGEST:
            raise UsageError(f"{where} is larger than {LARGEST >> 20} MB", "Split the task.")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{where} is no text in UTF-8 (byte {error.start})", FORMAT) from error
    except OSError as error:
        raise UnreadableFileError(
            f"could not read {where}: {error.strerror}", "Check the path and permissions."
        ) from error


def _questions(text: str, shown: str) -> Iterator[Question]:
    seen: dict[str, int] = {}
    # Only line feeds end a line of JSONL: str.splitlines would also cut at characters that JSON allows in a string.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        found = _question(line, number, f"{shown}, line {number}")
        if found.id in seen:
            _refuse(f"{shown}, line {number}", f"the id {quoted(found.id)} is that of line {seen[found.id]} already")
        seen[found.id] = number
        yield found


def _question(line: str, number: int, place: str) -> Question:
    try:
        data = parse_json(line)
    except JsonError as error:
        _refuse(place, f"this is not JSON: {error}")
    if not isinstance(data, dict):
        _refuse(place, "this is no JSON object")
    if unknown := set(data) - KEYS:
        _refuse(place, f"unknown key {quoted(sorted(unknown)[0])}; known are {', '.join(sorted(KEYS))}")
    if absent := {"question", "answer", "grader"} - set(data):
        _refuse(place, f"{sorted(absent)[0]!r} is missing")
    question, grader, system = data["question"], data["grader"], data.get("system")
    if not isinstance(question, str) or not question.strip():
        _refuse(place, "`question` must be a text that is not empty")
    if not (system is None or isinstance(system, str)):
        _refuse(place, "`system` must be a text")
    if grader not in GRADERS:
        _refuse(place, f"`grader` must be one of {', '.join(GRADERS)}, not {quoted(grader)}")
    answer, choices = _answer(data["answer"], grader, data.get("choices"), place)
    return Question(_identifier(data.get("id"), number, place), question, answer, grader, choices, system)


def _identifier(given: Any, number: int, place: str) -> str:
    if given is None:
        return str(number)
    if isinstance(given, bool) or not isinstance(given, str | int) or not str(given).strip():
        _refuse(place, "`id` must be a text or a whole number")
    return str(given)


def _answer(given: Any, grader: str, options: Any, place: str) -> tuple[str, tuple[str, ...]]:
    """The answer as text, and the choices; checked for what the grader needs."""
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        _refuse(place, "`answer` must be a text or a number")
    answer = str(given).strip()
    if not answer:
        _refuse(place, "`answer` is empty")
    if (grader == "choice") != (options is not None):
        _refuse(place, "`choices` and the grader `choice` belong together")
    if grader == "choice":
        return _choice(answer, options, place)
    if grader == "numeric" and number_in(answer) is None:
        _refuse(place, f"the answer {quoted(answer)} is no number")
    if grader == "regex":
        try:
            re.compile(answer)
        except (re.error, RecursionError, OverflowError) as error:
            _refuse(place, f"the answer is no regular expression: {error}")
    return answer, ()


def _choice(answer: str, options: Any, place: str) -> tuple[str, tuple[str, ...]]:
    if not isinstance(options, list) or not all(isinstance(one, str) and one.strip() for one in options):
        _refuse(place, "`choices` must be a list of texts")
    if not 2 <= len(options) <= len(LETTERS) or len(set(options)) < len(options):
        _refuse(place, f"`choices` must be 2 to {len(LETTERS)} different texts")
    letters = LETTERS[: len(options)]
    if answer in options:
        return letters[options.index(answer)], tuple(options)
    if answer.upper() in letters and len(answer) == 1:
        return answer.upper(), tuple(options)
    return _refuse(place, f"the answer {quoted(answer)} is neither one of the choices nor one of their letters")


def _refuse(place: str, why: str) -> NoReturn:
    raise UsageError(f"{place}: {why}", FORMAT)
