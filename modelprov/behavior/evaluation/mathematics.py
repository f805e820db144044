r"""Whether an answer is the expected one as mathematics: what of a text is compared, as which LaTeX, in a process.

math-verify reads LaTeX between delimiters and else looks for any number in a text: an expected `3\sqrt{13}` without
dollar signs became a 3. So what is compared is delimited here, and read as a whole.
"""

from __future__ import annotations

import re
import threading
from pathlib import Path

from modelprov.behavior.evaluation.answer_text import last_boxed
from modelprov.behavior.evaluation.numbers_said import LOOKED_BACK, NEGATED, number_in, settled_number
from modelprov.behavior.evaluation.units_said import without_unit
from modelprov.behavior.evaluation.words_said import MARK, TWO, usual_width, without_doubts
from modelprov.behavior.extra import require
from modelprov.foreign.limited_process import EndedError, LimitedProcess

CHILD = Path(__file__).with_name("mathematics_child.py")
MEMORY = 3 << 30
SECONDS = 20.0
"""Of one comparison; the process is ended then and the answer counts as not equal. The library's limits of 5 s each do
not hold while it computes with huge numbers."""

DELIMITERS = (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"))
SEGMENT = re.compile(
    r"(?<!\\)(?:\$\$([^$]+)\$\$|\$((?:[^$\\]|\\.)+)\$|\\\(((?:[^\\]|\\[^)])+)\\\)|\\\[((?:[^\\]|\\[^]])+)\\\])"
)
DELIMITED = re.compile(r"(?<!\\)\$|\\\(|\\\[|\\begin\{(?:equation|align|gather)")
LETTERS = re.compile(r"\\(?:text|textbf|textit|textrm|mathrm|mathbf|mbox|operatorname)\s?\{([^{}]*)\}")
LAYOUT = re.compile(r"\\[,;:! ]|~|\\(?:left|right|displaystyle)(?![A-Za-z])|\s")
NO_WORDS = (  # possessive: what is foreign and long must not be tried again in other ways
    r"(?:\\[A-Za-z]++(?:\s?\{[A-Za-z ]+\})?+|\\[^A-Za-z\n]|[^A-Za-z\\\n]|(?<![A-Za-z])[A-Za-z](?![A-Za-z]))++"
)
AFTER_MARK = re.compile(NO_WORDS)
AT_THE_END = re.compile(NO_WORDS + r"\Z")
LONGEST_LOOKED_AT = 5000
"""Characters of an answer without a box in which we look for its end ourselves."""

LONGEST_ALONE = 500
"""Characters of an answer without a box or delimiters that may be LaTeX."""

WORDS = re.compile(r"[^\W\d_]{2,}(?:[\s-][^\W\d_]+)*")
BASE = re.compile(r"_\{?\s*(?:\\text\s?\{)?(\d+)[\s}]*$")


def equal_as_mathematics(expected: str, text: str) -> bool:
    """Whether what the text answers is the whole of what is expected; what cannot be read is not equal."""
    wanted = _inside(expected)
    if last_boxed(text) is None:
        text, refused = without_doubts(usual_width(text))
        if not _settled(text) or (refused and MARK.search(text) is None):
            return False
        number = number_in(wanted)
        if number is not None and "\\" not in text:
            return settled_number(text) == number
    said, free = _answered(text)
    if not free and _plain(said) == _plain(wanted):
        return bool(_plain(wanted))
    word = LETTERS.sub(r"\1", wanted).strip()
    if WORDS.fullmatch(word):  # a product of letters to the library: any anagram would do
        return not free and _plain(said).casefold() == _plain(wanted).casefold()
    wanted, unit = without_unit(wanted)
    bare, said_unit = without_unit(said.rstrip(" .\n"))
    if None not in (unit, said_unit) and unit != said_unit:  # the library leaves units out
        return False
    if not free and _other_base(wanted, bare):
        return False
    return _process.equal(wanted, said if free else bare, free=free)


def _settled(text: str) -> bool:
    """Whether the last delimited piece of an answer is neither denied nor one of two ("$17$ or $18$")."""
    pieces = list(SEGMENT.finditer(text)) if len(text) <= LONGEST_LOOKED_AT else []
    if not pieces:
        return True
    last = pieces[-1]
    between = text[pieces[-2].end() : last.start()] if len(pieces) > 1 else ""
    two = between and len(between) <= LOOKED_BACK and TWO.search(between)
    return not two and NEGATED.search(text[max(0, last.start() - LOOKED_BACK) : last.start()]) is None


def _inside(text: str) -> str:
    """What stands in the last box, without delimiters around it."""
    boxed = last_boxed(text)
    return _bare(text if boxed is None else boxed)


def _bare(text: str) -> str:
    """The text without one pair of delimiters around it and the full stop of its sentence."""
    inner = text.strip()
    inner = inner[:-1].rstrip() if inner.endswith(".") and not inner.endswith("..") else inner
    for opening, closing in DELIMITERS:
        if inner.startswith(opening) and inner.endswith(closing) and len(inner) > len(opening + closing):
            return inner[len(opening) : -len(closing)].strip()
    return inner


def _answered(text: str) -> tuple[str, bool]:
    """What a text answers, and whether that is prose, to be looked through by the library.

    The last box; else the only piece between delimiters, or the last one where it follows "answer is"; else, where
    nothing is delimited, a text without words, what follows "answer is", or the end of one with LaTeX that has none.
    """
    if last_boxed(text) is not None:
        return _inside(text), False
    if len(text) > LONGEST_LOOKED_AT:
        return text, True
    marks = list(MARK.finditer(text))
    if DELIMITED.search(text):
        pieces = list(SEGMENT.finditer(text))
        if len(pieces) == 1 or (pieces and marks and not text[marks[-1].end() : pieces[-1].start()].strip(" :*\n")):
            return next(each for each in pieces[-1].groups() if each is not None).strip(), False
        return text, True
    alone = _bare(text)
    if not marks and len(alone) <= LONGEST_ALONE and (AFTER_MARK.fullmatch(alone) or WORDS.fullmatch(alone)):
        return alone, False
    end = text.rstrip(" .\n")[-LONGEST_ALONE:]
    after = AFTER_MARK.match(text, marks[-1].end(), marks[-1].end() + LONGEST_ALONE) if marks else None
    found = after or (AT_THE_END.search(end) if "\\" in end else None)
    if found is not None and "\\" in found[0]:
        return found[0].strip(" .:,=*\n"), False
    if marks and WORDS.fullmatch(rest := text[marks[-1].end() : marks[-1].end() + LONGEST_ALONE].strip(" .:*\n")):
        return rest, False
    return text, True


def _plain(text: str) -> str:
    """The text without what changes only its looks."""
    plain = LAYOUT.sub("", LETTERS.sub(r"\1", text))
    for name, usual in (("\\dfrac", "\\frac"), ("\\tfrac", "\\frac"), ("\\varnothing", "\\emptyset")):
        plain = plain.replace(name, usual)
    return plain


def _other_base(wanted: str, said: str) -> bool:
    """Whether both numbers name a base of their own and these differ; the library does not look at it."""
    one, two = BASE.search(wanted), BASE.search(said)
    return one is not None and two is not None and one[1] != two[1]


class _Process:
    """The child, started when it is first needed and anew when it had to be ended."""

    def __init__(self) -> None:
        self._running: LimitedProcess | None = None
        self._lock = threading.Lock()

    def equal(self, expected: str, said: str, *, free: bool) -> bool:
        """What the child says; not equal where it has to be ended."""
        require("the grader math-verify")
        with self._lock:
            try:
                if self._running is None:
                    self._running = LimitedProcess(CHILD, "comparing answers", MEMORY)
                [answer] = self._running.ask({"expected": expected, "said": said, "free": free}, 1, SECONDS)
            except (EndedError, TimeoutError):
                self._stop()
                return False
            except BaseException:
                self._stop()
                raise
        return bool(answer["equal"])

    def _stop(self) -> None:
        if self._running is not None:
            self._running.end()
            self._running = None


_process = _Process()
