"""The numbers that a text says, and the one that an answer settles on. No question and no model is known here."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from modelprov.behavior.evaluation.answer_text import TAKEN_BACK, last_boxed

SPACES = " \u00a0\u2009\u202f"
NUMBER = re.compile(
    rf"(?<![\w.])(?P<sign>[-+\u2212]?)"
    rf"(?P<body>(?<!\d[{SPACES}])(?!0)\d{{1,3}}(?P<gap>[{SPACES}])\d{{3}}(?:(?P=gap)\d{{3}})*(?![\d/])(?:\.\d+)?"
    rf"|\d+(?:[.,]\d+)*|\.\d+)"
    rf"(?P<exponent>[eE][-+]?\d{{1,3}}(?!\d))?(?P<part>/\d+|[ \u00a0]\d+/\d+)?(?P<rest>[.,/]?\d|[eE][-+]?\d)?"
)
READABLE = re.compile(r"\d+(?:\.\d+)?|\.\d+|(?!0)\d{1,3}(?:,\d{3})+(?:\.\d+)?")
FRACTION = re.compile(
    r"(?P<whole>(?<=\d)[ ]?)?\\[dt]?frac(?:\{(?P<upper>-?\d+)\}|(?P<digit>\d))(?:\{(?P<lower>\d+)\}|(?P<last>\d))"
)
SPACING = re.compile(r"\\[,;: ]")
WORDS = re.compile(r"\\(?:text|textbf|textrm|textit|mathrm|mathbf|mbox)\s?\{([^{}]*)\}")
UNIT_POWER = re.compile(r"(?<=[A-Za-z])[ ]?\^(?:\{-?\d+\}|-?\d+)")
VULGAR = str.maketrans({"½": " 1/2", "¼": " 1/4", "¾": " 3/4", "⅓": " 1/3", "⅔": " 2/3"})

MARK = re.compile(r"(?i)\banswer(?:\s(?:to|of|for)\s[^.\n]{0,40}?)?\W{0,4}(?:\bis\b|:|=)")
BRIDGE = re.compile(r"(?:[^\w\n.]|\n|\b(?:exactly|therefore|thus|simply|just|equal to|[A-Za-z](?= ?=))\b)*")
NEGATED = re.compile(
    r"(?i)(?:not|n['’]t|\bnever|\bneither|\bnor|≠|\\neq?|!=)[^\w.!?;:\n]{0,4}(?:(?:be|equal to|equals?)[^\w\n]{0,3})?$"
)
LIST = re.compile(r"[\s$*]*(?:[,;&]|\band\b|\bor\b|\bto\b)[\s$*]*(?:\b(?:and|or)\b[\s$*]*)?|[ \t]+")
OR = re.compile(r"(?i)\bor\b")
SENTENCE_END = re.compile(r"[.!?;]\s|\n")
OPERATOR = re.compile(
    r"[ (){}$]*(?:[-+\u2212×·÷/^=≈±]|(?<!\*)\*(?!\*)|\\(?:times|cdot|div|pm|approx))[ (){}$\\]*[-+\u2212]?[ (]*"
)
DOUBTED = re.compile(r"[\s.$*)]*\?")
LONGEST_OR = 40  # characters between two numbers that an "or" may join


@dataclass(frozen=True)
class Said:
    """A number in a text: where it stands (its sign apart), its value, None where it cannot be read for certain."""

    start: int
    end: int
    value: Fraction | None


def number_in(text: str) -> Fraction | None:
    """The number that the whole text is, or None."""
    plain = _plain(text.strip())
    said = _said(plain)
    whole = len(said) == 1 and plain[: said[0].start] in ("", "-", "+", "\u2212") and said[0].end == len(plain)
    return said[0].value if whole else None


def settled_number(text: str) -> Fraction | None:
    """The number that an answer settles on, or None.

    The last one in the last box; without a box, the one after the last "answer is" or "answer:" unless it is taken
    back; else the last of the text. None where it is one of several ("17 or 18"), part of a sum without its result, or
    not to be read for certain ("1,7"). What is said not to be the answer ("not 17") does not count.
    """
    boxed = last_boxed(text)
    if boxed:
        plain = _plain(boxed)
        return _last(plain, _kept(plain, _said(plain)), boxed=True)
    plain = _plain(text)
    said = _said(plain)
    explicit = _after_answer_is(plain, said)
    if explicit is None:
        return _last(plain, _kept(plain, said), boxed=False)
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
    if lists and LIST.fullmatch(between.rstrip("-+\u2212")):
        return True
    return len(between) <= LONGEST_OR and bool(OR.search(between)) and not SENTENCE_END.search(between)


def _kept(text: str, said: Sequence[Said]) -> list[Said]:
    """The numbers but for those that are said not to be it."""
    kept: list[Said] = []
    before: Said | None = None  # where it was denied: what is listed beside it is denied too
    for one in said:
        denied = _denied(text, one) or (before is not None and _one_of_two(text, before, one, lists=True))
        before = one if denied else None
        if not denied:
            kept.append(one)
    return kept


def _denied(text: str, one: Said) -> bool:
    return NEGATED.search(text[max(0, one.start - 24) : one.start].rstrip("-+\u2212")) is not None


def _plain(text: str) -> str:
    r"""The text with LaTeX's thousands, fractions, words and powers of units written plainly."""
    text = SPACING.sub("\u2009", text.translate(VULGAR).replace("{,}", ",").replace("\\!", ""))
    text = WORDS.sub(r" \1 ", text)
    text = FRACTION.sub(_fraction, text)
    return UNIT_POWER.sub("", text)


def _fraction(found: re.Match[str]) -> str:
    upper, lower = found["upper"] or found["digit"], found["lower"] or found["last"]
    return f"{'' if found['whole'] is None else ' '}{upper}/{lower}"


def _said(text: str) -> list[Said]:
    return [Said(found.start("body"), found.end(), _value(found)) for found in NUMBER.finditer(text)]


def _value(found: re.Match[str]) -> Fraction | None:
    body = found["body"].replace(found["gap"], ",") if found["gap"] else found["body"]
    if found["rest"] is not None or not READABLE.fullmatch(body):
        return None
    digits, part = body.replace(",", "") + (found["exponent"] or ""), found["part"] or ""
    try:
        if not part or part.startswith("/"):
            value = Fraction(digits + part)
        else:  # 1 1/2
            value, less_than_one = Fraction(int(digits)), Fraction(part[1:])
            if not 0 < less_than_one < 1:
                return None
            value += less_than_one
    except (ValueError, ZeroDivisionError):
        return None
    return -value if found["sign"] in ("-", "\u2212") else value
