"""Graders: is this final answer the expected one? Pure functions of two texts; nothing of the model is known here."""

from __future__ import annotations

import re

from modelprov.behavior.evaluation.answer_text import last_boxed
from modelprov.behavior.evaluation.letters_said import chosen_letter
from modelprov.behavior.evaluation.mathematics import equal_as_mathematics
from modelprov.behavior.evaluation.numbers_said import number_in, settled_number
from modelprov.behavior.evaluation.question import Question

LONGEST = 100_000  # characters of an answer that are graded, the last ones


def right(question: Question, final: str) -> bool:
    r"""Whether `final` (the text after any thinking) answers the question.

    exact: the last `\boxed{...}`, or else all of it, is the answer but for spaces around and between words.
    numeric: the number it settles on (last in the last box, after "answer is", or last of all) has exactly the value.
    math-verify: equal to the answer as mathematics, judged by the math-verify library.
    regex: the answer, as a regular expression, is found in it. choice: the letter it settles on is the answer's.
    """
    text = final[-LONGEST:]
    if question.grader == "exact":
        given = last_boxed(text)
        return " ".join((text if given is None else given).split()) == " ".join(question.answer.split())
    if question.grader == "numeric":
        found = settled_number(text)
        return found is not None and found == number_in(question.answer)
    if question.grader == "regex":
        return re.search(question.answer, text) is not None
    if question.grader == "choice":
        return chosen_letter(text, len(question.choices)) == question.answer
    return equal_as_mathematics(question.answer, text)
