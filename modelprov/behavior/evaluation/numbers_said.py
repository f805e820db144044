"""The number that an answer settles on, in nine languages. No question and no model is known here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

from modelprov.behavior.evaluation.answer_text import last_boxed
from modelprov.behavior.evaluation.numbers_read import Said, numbers_in, plainly
from modelprov.behavior.evaluation.words_said import (
    AFTER_DENIED,
    BEFORE_DENIED,
    LISTED,
    MARK,
    TAKEN_BACK,
    TWO,
    without_doubts,
)

BRIDGE = re.compile(
    r"(?:[^\w\n.]|\n|\b(?:exactly|therefore|thus|simply|just|equal to|[A-Za-z](?= ?=)"
    r"|exata?mente|exactamente|exactement|genau|ровно|R(?=\$)|US(?=\$)|de|igual a|égale? à)\b)*"
)
NEGATED = re.compile(rf"(?i){BEFORE_DENIED}$")
DENIED = re.compile(rf"(?i){AFTER_DENIED}")
BETWEEN = re.compile(r"(?i)\b(?:between|from|entre|zwischen|между)\s$")
LABEL = re.compile(
    r"(?i)(?:\b(?:steps?|questions?|problem|rules?|case|chapter|page|figure|table|equation|lemma|passo|paso|etapa|étape|règle"
    r"|regra|regla|schritt|regel|frage|шаг|правил\w|вопрос)[\s(#]{1,3}|第\s?)$"
)
"""Before a number that names a place, not an amount."""

LIST = re.compile(rf"[\s$*]*{LISTED}[\s$*]*(?:\b(?:and|or)\b[\s$*]*)?|[ \t]+")
SENTENCE_END = re.compile(r"[.!?;]\s|\n")
OPERATOR = re.compile(
    r"[ (){}$]*(?:[-+\u2212×·÷/^=≈±~\u2013]|(?<!\*)\*(?!\*)|\\(?:times|cdot|div|pm|approx))[ (){}$\\]*[-+\u2212]?[ (]*"
)
DOUBTED = re.compile(r"[\s.$*)]*\?")
LONGEST_OR = 40  # characters between two numbers that an "or" may join
LOOKED_BACK = 40
LAST_LOOKED_AT = 64


def number_in(text: str) -> Fraction | None:
    """The number that the whole text is, or None."""
    plain = plainly(text.strip())
    said = numbers_in(plain)
    whole = len(said) == 1 and plain[: said[0].start] in ("", "-", "+", "\u2212") and said[0].end == len(plain)
    return said[0].value if whole else None


def settled_number(text: str) -> Fraction | None:
    """The number that an answer settles on, or None.

    The last one in the last box; without a box, the one after the last "answer is" or "answer:" unless it is taken
    back; else the last of the text. None where it is one of several ("17 or 18"), part of a sum without its result, or
    not to be read for certain ("1,7"). What is said not to be the answer ("not 17"), asked ("17?") or not known ("I
    don't know if it is 17") does not count; beside a refusal only what is announced as the answer does.
    """
    boxed = last_boxed(text)
    if boxed:
        plain = plainly(boxed)
        return _last(plain, _kept(plain, numbers_in(plain, about=text)), boxed=True)
    plain, refused = without_doubts(plainly(text))
    said = numbers_in(plain)
    explicit = _after_answer_is(plain, said)
    if explicit is None:
        return None if refused else _last(plain, _kept(plain, said), boxed=False)
    first, last = explicit
    if last + 1 < len(said) and _one_of_two(plain, said[last], said[last + 1], lists=True):
        return None
    result = said[last] if first == last else _result(plain, said[first : last + 1])
    return None if result is None else result.value


def _after_answer_is(text: str, said: Sequence[Said]) -> tuple[int, int] | None:
    """The first and the last number of what directly follows the last "answer is"; None where it was taken back."""
    marks = list(MARK.finditer(text))
    if not marks:
        return None
    after = marks[-1].end()
    bridge = BRIDGE.match(text, after)
    reached = bridge.end() if bridge else after
    first = next((n for n, one in enumerate(said) if one.start >= after), None)
    if first is None or said[first].start > reached or _denied(text, said[first]):
        return None
    last = first
    while last + 1 < len(said) and OPERATOR.fullmatch(text[said[last].end : said[last + 1].start]):
        last += 1
    rest = text[said[last].end :]
    taken_back = DOUBTED.match(rest) or TAKEN_BACK.search(rest)
    unfinished = first < last and _result(text, said[first : last + 1]) is None
    return None if taken_back or unfinished else (first, last)


def _result(text: str, said: Sequence[Said]) -> Said | None:
    """What 7 + 10 = 17, or 17 = 7 + 10, comes to as written; None without an equals sign at either end."""
    for one, other, result in ((-2, -1, -1), (0, 1, 0)):
        if "=" in text[said[one].end : said[other].start]:
            return said[result]
    return None


def _last(text: str, said: Sequence[Said], *, boxed: bool) -> Fraction | None:
    """The value of the last number, unless it belongs to the one before it."""
    if not said:
        return None
    if len(said) > 1:
        between = text[said[-2].end : said[-1].start]
        if OPERATOR.fullmatch(between) and not set("=≈") & set(between) and "approx" not in between:
            return None
        if _one_of_two(text, said[-2], said[-1], lists=boxed):
            return None
    return None if re.search(r"(?:\^\{?|±|\\pm)\s?$", text[: said[-1].start][-6:]) else said[-1].value


def _one_of_two(text: str, one: Said, other: Said, *, lists: bool) -> bool:
    """Whether two numbers stand side by side as different answers."""
    between = text[one.end : other.start]
    if one.value is not None and one.value == other.value:
        return False
    if BETWEEN.search(text, max(0, one.start - 12), one.start):
        return True
    if lists and LIST.fullmatch(between.rstrip("-+\u2212")):
        return True
    return len(between) <= LONGEST_OR and bool(TWO.search(between)) and not SENTENCE_END.search(between)


def _kept(text: str, said: Sequence[Said]) -> list[Said]:
    """The last numbers but for those that are said not to be it."""
    kept: list[Said] = []
    before: Said | None = None  # where it was denied: what is listed beside it is denied too
    for one in said[-LAST_LOOKED_AT:]:
        denied = _denied(text, one) or (before is not None and _one_of_two(text, before, one, lists=True))
        before = one if denied else None
        if not denied:
            kept.append(one)
    return kept


def _denied(text: str, one: Said) -> bool:
    """Whether it is said not to be the number, only asked, or names a step."""
    before = text[max(0, one.start - LOOKED_BACK) : one.start].rstrip("-+\u2212")
    rest = text[one.end : one.end + LOOKED_BACK]
    if NEGATED.search(before) or LABEL.search(before):
        return True
    return DENIED.match(rest) is not None or DOUBTED.match(rest) is not None
