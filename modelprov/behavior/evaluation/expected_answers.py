"""Whether a task's expected answers are right to their own graders: nothing is generated before that is known."""

from __future__ import annotations

from collections.abc import Iterable

from modelprov.behavior.evaluation.graders import right
from modelprov.behavior.evaluation.question import Question
from modelprov.errors import UsageError
from modelprov.foreign.shown import quoted

LONGEST_SHOWN = 80
ADVICE = {
    "math-verify": "Write it as LaTeX that the library reads as a whole, or use the grader exact, numeric or regex.",
    "numeric": "Write it as one number, such as 17, -0.5 or 1/3, or use another grader.",
}


class RejectedAnswerError(UsageError):
    """An expected answer that its own grader calls wrong: every model would be wrong there."""


def check_answers(questions: Iterable[Question], shown: str) -> None:
    """Raise `RejectedAnswerError` for the first question whose answer, repeated word for word, is not right.

    A regular expression is no text and is not checked. `shown` names the task.
    """
    for question in questions:
        if question.grader == "regex":
            continue
        said = [question.answer]
        if question.grader in {"numeric", "math-verify"}:
            said.append(rf"The answer is \boxed{{{question.answer}}}.")
        if not all(right(question, text) for text in said):
            answer = question.answer
            answer = answer if len(answer) <= LONGEST_SHOWN else answer[:LONGEST_SHOWN] + "..."
            raise RejectedAnswerError(
                f"{shown}, question {quoted(question.id)}: its own grader ({question.grader}) does not accept the "
                f"expected answer {answer!r} when it is repeated",
                ADVICE.get(question.grader, "Write the answer as the grader reads it, or use another grader."),
            )
