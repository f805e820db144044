"""The names that were declared before the run, and where an answer holds them. Knows no model and no question."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from modelprov.behavior.probing.results import DeclaredName
from modelprov.called import called
from modelprov.errors import UsageError

DECOY = "Zorb"
"""A name that no model has: asked about, it measures how readily a model says yes; told, how readily it obeys."""

_JOINED = ("HAN", "CJK", "HIRAGANA", "KATAKANA", "HANGUL", "THAI", "LAO", "KHMER", "MYANMAR", "BOPOMOFO")


def parse_names(options: Sequence[str]) -> tuple[DeclaredName, ...]:
    """The names of `NAME`, `NAME=ALIAS,ALIAS` or `NAME=ALIAS,!PHRASE` (a phrase that is not it).

    A name is its own first alias. The decoy is added unless declared. Raises `UsageError` for a name given twice, an
    alias of two names, or nothing between the commas.
    """
    found: list[DeclaredName] = []
    taken: dict[str, str] = {}
    for option in options:
        name, equals, rest = (part.strip() for part in option.partition("="))
        listed = [part.strip().strip('"').strip() for part in rest.split(",")] if equals else []
        if not name or any(not part.lstrip("!").strip() for part in listed):
            raise UsageError(
                f"{called('name')} {option!r} is not NAME or NAME=ALIAS,ALIAS", 'Write it like Nex=Nex-AGI,"Nex AGI".'
            )
        aliases = dict.fromkeys([name, *(part for part in listed if not part.startswith("!"))])
        for alias in aliases:
            if not any(letter.isalnum() for letter in alias):
                raise UsageError(
                    f"{called('name')} {option!r}: {alias!r} has no letter", "Give a name made of letters."
                )
            other = taken.setdefault(folded(alias), name)
            if other != name or any(one.name == name for one in found):
                raise UsageError(f"{alias!r} is declared twice", "An alias stands for one name; give each name once.")
        excluded = tuple(part[1:].strip() for part in listed if part.startswith("!"))
        decoy = folded(name) == folded(DECOY)
        found.append(DeclaredName(name=name, aliases=tuple(aliases), excluded=excluded, decoy=decoy))
    if not any(one.decoy for one in found):
        found.append(DeclaredName(name=DECOY, aliases=(DECOY,), decoy=True))
    return tuple(found)


def folded(text: str) -> str:
    """Text in which equal words look equal: compatibility forms (NFKC) and case folded, spaces and hyphens alike."""
    text = unicodedata.normalize("NFKC", text).casefold()
    return re.sub(r"[\s\u2010-\u2015\u2212_-]+", " ", text).strip()


class Mention(NamedTuple):
    """A declared name where it stands in a folded text: `folded(text)[start:stop]`."""

    name: str
    start: int
    stop: int


def mentions(text: str, names: Sequence[DeclaredName]) -> tuple[Mention, ...]:
    """Every place where the text holds a name, in order.

    Where aliases overlap the longest counts ("Nex AGI" is no "Nex" if both are names), and a longer excluded phrase
    hides an alias. An alias stands at a word's boundary: no letter beside its own first and last letter, unless one of
    the two is of a script written without spaces. Digits may follow ("Qwen3"). Case is ignored.
    """
    body = folded(text)
    known: list[tuple[str, str | None]] = [(folded(alias), one.name) for one in names for alias in one.aliases]
    known += [(folded(phrase), None) for one in names for phrase in one.excluded]
    found, covered = [], [False] * len(body)
    for alias, name in sorted(known, key=lambda pair: -len(pair[0])):
        start = body.find(alias)
        while alias and start >= 0:
            stop = start + len(alias)
            if not any(covered[start:stop]) and _apart(body, start, stop):
                covered[start:stop] = [True] * len(alias)
                if name is not None:
                    found.append(Mention(name, start, stop))
            start = body.find(alias, start + 1)
    return tuple(sorted(found, key=lambda one: one.start))


def _apart(text: str, start: int, stop: int) -> bool:
    """Whether a word begins at `start` and ends at `stop`."""
    before = text[start - 1] if start else " "
    after = text[stop] if stop < len(text) else " "
    return not (_one_word(before, text[start]) or (before.isdigit() and text[start].isdigit())) and not _one_word(
        text[stop - 1], after
    )


def _one_word(left: str, right: str) -> bool:
    """Whether two characters belong to one word: both letters (or marks), and neither of a script without spaces."""
    return _letter(left) and _letter(right) and not (_joined(left) or _joined(right))


def _letter(character: str) -> bool:
    return unicodedata.category(character)[0] in "LM"


def _joined(character: str) -> bool:
    return unicodedata.name(character, "").startswith(_JOINED)
