"""How numbers are written: every number of a text with its exact value. Which of them is an answer is not asked here.

Thousands by commas, blanks or, in a text whose language writes decimals with a comma, by points; LaTeX; fractions;
powers and powers of ten; words such as million and 万.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from modelprov.behavior.evaluation.units_said import UNITS
from modelprov.behavior.evaluation.words_said import CJK, usual_width

SPACES = " \u00a0\u2009\u202f"
SCALES = {
    "thousand": 3, "mil": 3, "mille": 3, "tausend": 3, "тысяч": 3, "тысячи": 3, "тысяча": 3, "k": 3,
    "million": 6, "millions": 6, "milhão": 6, "milhões": 6, "millón": 6, "millones": 6, "millionen": 6,
    "миллион": 6, "миллиона": 6, "миллионов": 6,
    "billion": 9, "bilhão": 9, "bilhões": 9, "milliard": 9, "milliards": 9, "milliarde": 9, "milliarden": 9,
    "миллиард": 9, "миллиарда": 9, "миллиардов": 9, "trillion": 12, "billón": 12, "billones": 12, "billionen": 12,
    "万": 4, "萬": 4, "만": 4, "亿": 8, "億": 8, "억": 8, "千": 3, "천": 3,
}  # fmt: skip
"""Powers of ten by their names. A German "Billion" (10^12) is only known by its plural."""

_SCALE = "|".join(sorted((name for name in SCALES if name.isascii() or "\u0400" < name[0] < "\u0500" or "ã" in name
                          or "õ" in name or "ó" in name), key=len, reverse=True))  # fmt: skip
_CJK_SCALE = "".join(name for name in SCALES if name[0] > "\u3000")
NUMBER = re.compile(
    rf"(?<![^\W{CJK}])(?<!\.)(?P<sign>[-+\u2212]?)"
    rf"(?P<body>(?<!\d[{SPACES}])(?!0)\d{{1,3}}(?P<gap>[{SPACES}])\d{{3}}(?:(?P=gap)\d{{3}})*(?![\d/])(?:[.,]\d+(?!\d))?"
    rf"|\d+(?:[.,]\d+)*|\.\d+)"
    rf"(?P<exponent>[eE][-+]?\d{{1,3}}(?!\d))?(?P<power>[ ]?\^[ ]?(?:\{{[ ]?(?P<raised>-?\d{{1,3}})[ ]?\}}"
    rf"|(?P<high>-?\d{{1,3}})(?!\d)))?"
    rf"(?P<part>/\d+|[ \u00a0]\d+/\d+)?(?P<rest>[.,/]?\d|[eE][-+]?\d|\^)?"
    rf"(?P<scale>(?i:[{SPACES}-]?(?:{_SCALE})\b)|[ ]?[{_CJK_SCALE}](?P<more>\d)?)?"
    r"(?P<glued>[A-Za-zµ]+|[ $]?(?:\\(?:sqrt|pi|ln|log|cdot\s?\\pi|times\s?\\pi)\b|[√πτ∞])|(?=\([A-Za-z]))?"
)
ENGLISH = re.compile(r"\d+(?:\.\d+)?|\.\d+|(?!0)\d{1,3}(?:,\d{3})+(?:\.\d+)?")
WITH_COMMA = re.compile(r"\d+|\d+,(?:\d{1,2}|\d{4,})|0,\d+|\d+\.(?:\d{1,2}|\d{4,})|0\.\d+|(?!0)\d{1,3}(?:\.\d{3})+,\d+")
DOTTED = re.compile(r"(?!0)\d{1,3}(?:\.\d{3})+")
DECIMAL_POINT = re.compile(r"\d\.(?:\d{1,2}|\d{4,})(?!\d)")
WITH_POINTS = re.compile(
    r"(?i)\b(?:resposta|não|é|são|respuesta|es|el|los|las|una|antwort|ergebnis|ist|sind|der|die|das|und|mil|reais)\b"
)
"""Languages that write thousands with points: Portuguese, Spanish, German."""

WITH_COMMAS = re.compile(rf"{WITH_POINTS.pattern}|\b(?:réponse|est|le|les|sont|égale?)\b|[\u0400-\u04ff]{{2}}")
OTHERWISE = re.compile(r"(?i)\b(?:the|is|are|answer|and)\b")
ORDINALS = frozenset({"st", "nd", "rd", "th"})

FRACTION = re.compile(
    r"(?P<whole>(?<=\d)[ ]?)?\\[dt]?frac(?:\{(?P<upper>-?\d+)\}|(?P<digit>\d))(?:\{(?P<lower>\d+)\}|(?P<last>\d))"
)
SPACING = re.compile(r"\\[,;: ]")
WORDS = re.compile(r"\\(?:text|textbf|textrm|textit|mathrm|mathbf|mbox)\s?\{([^{}]*)\}")
UNIT_POWER = re.compile(r"(?<=[A-Za-z])[ ]?\^(?:\{-?\d+\}|-?\d+)|(?<=[A-Za-z])[²³]|\^\{?\\circ\}?")
VULGAR = str.maketrans({"½": " 1/2", "¼": " 1/4", "¾": " 3/4", "⅓": " 1/3", "⅔": " 2/3"})
RAISED = re.compile(r"(?<=\d)[⁻⁰¹²³⁴-⁹]{1,4}")
PLAIN_DIGITS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
TIMES = re.compile(r"[ ]?(?:×|\\times|\\cdot|·|\*|(?<=\d)[ ]?x)[ ]?")
POWER_OF_TEN = re.compile(r"10[ ]?\^")
HIGHEST, LONGEST_BASE = 400, 6


@dataclass(frozen=True)
class Said:
    """A number in a text: where it stands (its sign apart), its value, None where it cannot be read for certain."""

    start: int
    end: int
    value: Fraction | None


def plainly(text: str) -> str:
    r"""The text with LaTeX's thousands, fractions, words and powers of units written plainly, in usual width."""
    text = SPACING.sub("\u2009", usual_width(text).translate(VULGAR).replace("{,}", ",").replace("\\!", ""))
    text = WORDS.sub(r" \1 ", text)
    text = FRACTION.sub(_fraction, text)
    text = UNIT_POWER.sub("", text)
    return RAISED.sub(lambda found: "^{" + found[0].translate(PLAIN_DIGITS) + "}", text)


def numbers_in(text: str, about: str | None = None) -> list[Said]:
    """Every number of a text that is written plainly; a number times a power of ten is one number.

    `about` is the whole answer that the text is a part of: its language says how decimals are written.
    """
    readable = _readable(text if about is None else about)
    found: list[Said] = []
    for match in NUMBER.finditer(text):
        said = Said(match.start("body"), match.end(), _value(match, readable))
        before = found[-1] if found else None
        joined = before is not None and POWER_OF_TEN.match(text, said.start)
        if joined and before is not None and TIMES.fullmatch(text[before.end : said.start]):
            value = None if None in (before.value, said.value) else (before.value or 0) * (said.value or 0)
            found[-1] = Said(before.start, said.end, None if value is None else Fraction(value))
        else:
            found.append(said)
    return found


def _fraction(found: re.Match[str]) -> str:
    upper, lower = found["upper"] or found["digit"], found["lower"] or found["last"]
    return f"{'' if found['whole'] is None else ' '}{upper}/{lower}"


@dataclass(frozen=True)
class _Readable:
    """Which writing of digits is certain in a text, and whether a comma stands before decimals there."""

    body: re.Pattern[str]
    comma: bool
    points: bool

    def digits(self, body: str) -> str | None:
        """The digits as Python reads them, or None."""
        if self.points and DOTTED.fullmatch(body):
            return body.replace(".", "")
        if self.body.fullmatch(body) is None:
            return None
        if not self.comma:
            return body.replace(",", "")
        return body.replace(".", "").replace(",", ".") if "," in body else body


def _readable(text: str) -> _Readable:
    comma = WITH_COMMAS.search(text) is not None and OTHERWISE.search(text) is None
    points = comma and WITH_POINTS.search(text) is not None and DECIMAL_POINT.search(text) is None
    return _Readable(WITH_COMMA if comma else ENGLISH, comma, points)


def _value(found: re.Match[str], readable: _Readable) -> Fraction | None:
    body = found["body"]
    if found["gap"]:
        body = body.replace(found["gap"], "")
    digits = readable.digits(body)
    if digits is None or found["rest"] is not None or found["more"] is not None or not _unit(found["glued"]):
        return None
    power = found["raised"] or found["high"]
    part = found["part"] or ""
    try:
        if power is not None:
            if len(digits) > LONGEST_BASE or abs(int(power)) > HIGHEST or part or found["exponent"]:
                return None
            value = Fraction(digits) ** int(power)
        elif not part or part.startswith("/"):
            value = Fraction(digits + (found["exponent"] or "") + part)
        else:  # 1 1/2
            value, less_than_one = Fraction(int(digits)), Fraction(part[1:])
            if not 0 < less_than_one < 1:
                return None
            value += less_than_one
    except (ValueError, ZeroDivisionError):
        return None
    if found["scale"] is not None:
        value *= 10 ** SCALES[found["scale"].strip(SPACES + "-").casefold()]
    return -value if found["sign"] in ("-", "\u2212") else value


def _unit(glued: str | None) -> bool:
    """Whether what is written right behind a number leaves its value as it is: a unit does, a variable does not."""
    return glued is None or (glued in UNITS and glued != "K") or glued.casefold() in ORDINALS
