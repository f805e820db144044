"""Graders: is this final answer the expected one? Pure functions of two texts; nothing of the model is known here."""

from __future__ import annotations

import re
import threading
from fractions import Fraction

from modelprov.behavior.evaluation.tasks import LETTERS, Question

NUMBER = re.compile(r"(?<![\w.])[-+\u2212]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d+|(?<=\d))(?:[eE][-+]?\d{1,3})?(?:/\d+)?")
BRACE = re.compile(r"\\boxed\{|[{}]")
FRACTION = re.compile(r"\\[dt]?frac\{(-?\d+)\}\{(\d+)\}")
LONGEST = 100_000  # characters of an answer that are graded, the last ones


def right(question: Question, final: str) -> bool:
    r"""Whether `final` (the text after any thinking) answers the question.

    exact: the last `\boxed{...}`, or else all of it, is the answer but for spaces around and between words.
    numeric: the last boxed number, or else the last number, has exactly the answer's value.
    math-verify: equal to the answer as mathematics, judged by the math-verify library.
    regex: the answer, as a regular expression, is found in it. choice: the letter it settles on is the answer's.
    """
    text = final[-LONGEST:]
    if question.grader == "exact":
        given = last_boxed(text)
        return " ".join((text if given is None else given).split()) == " ".join(question.answer.split())
    if question.grader == "numeric":
        found = numbers_in(last_boxed(text) or text)
        return bool(found) and found[-1] == number_in(question.answer)
    if question.grader == "regex":
        return re.search(question.answer, text) is not None
    if question.grader == "choice":
        return chosen_letter(text, len(question.choices)) == question.answer
    return equal_as_mathematics(question.answer, text)


def last_boxed(text: str) -> str | None:
    r"""What stands in the last complete `\boxed{...}`, braces inside it balanced; None where there is none."""
    open_braces: list[int] = []
    best: tuple[int, int] | None = None
    for match in BRACE.finditer(text):
        if match[0] != "}":
            open_braces.append(match.end() if match[0] != "{" else -1)
        elif open_braces and (start := open_braces.pop()) >= 0 and (best is None or start > best[0]):
            best = (start, match.start())
    return text[slice(*best)] if best else None


def numbers_in(text: str) -> list[Fraction]:
    """Every number of the text in order: signs, thousands separated by commas, decimals, exponents, a/b."""
    found = []
    for match in NUMBER.finditer(FRACTION.sub(r"\1/\2", text)):
        try:
            found.append(Fraction(match[0].replace(",", "").replace("\u2212", "-")))
        except (ValueError, ZeroDivisionError):
            continue
    return found


def number_in(text: str) -> Fraction | None:
    """The number that the whole text is, or None."""
    stripped = text.strip()
    match = NUMBER.fullmatch(stripped)
    found = numbers_in(stripped)
    return found[0] if match and len(found) == 1 else None


def chosen_letter(text: str, count: int) -> str | None:
    """The letter that an answer settles on: the boxed one, else after "answer is", else a letter that stands alone.

    Where several letters stand alone and none is marked, nothing was chosen.
    """
    letters = LETTERS[:count]
    boxed = last_boxed(text)
    if boxed is not None:
        inside = re.sub(r"\\text\s*\{(.*)\}", r"\1", boxed).strip(" ().*$").upper()
        return inside if len(inside) == 1 and inside in letters else None
    # A small letter counts only where it ends the answer: "the answer is a cat" chooses nothing.
    small = rf"[{letters.lower()}](?=[).*\s]*$)"
    marked = re.findall(rf"(?i:answer)\W{{0,6}}(?i:is|:)?\W{{0,6}}([{letters}]|{small})(?![A-Za-z0-9'’])", text)
    if marked:
        return str(marked[-1]).upper()
    whole = text.strip(" ().*$\n").upper()
    if len(whole) == 1:
        return whole if whole in letters else None
    alone = set(re.findall(rf"(?<![A-Za-z0-9'’])[(*]*([{letters}])[)*.:]+(?![A-Za-z0-9])", text))
    return str(alone.pop()) if len(alone) == 1 else None


def equal_as_mathematics(answer: str, text: str) -> bool:
    """Whether math-verify finds the answer's value in the text; what it cannot read is not equal."""
    from math_verify import parse, verify

    # Its time limit uses an alarm signal, which only the main thread may set.
    seconds = 5 if threading.current_thread() is threading.main_thread() else None
    expected = parse(answer if "$" in answer or "\\" in answer else f"${answer}$", parsing_timeout=seconds)
    found = parse(text, parsing_timeout=seconds)
    return bool(expected) and bool(found) and bool(verify(expected, found, timeout_seconds=seconds))
