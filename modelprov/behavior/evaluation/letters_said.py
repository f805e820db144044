"""The letter that an answer to a question with choices settles on. No question and no model is known here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from modelprov.behavior.evaluation.answer_text import last_boxed
from modelprov.behavior.evaluation.letters_abroad import claims_abroad, without_denials
from modelprov.behavior.evaluation.question import LETTERS
from modelprov.behavior.evaluation.words_said import LISTED, TAKEN_BACK, usual_width, without_doubts

WRONG = r"[)*.\"”\s]{0,4}(?:is|was|are|would be|looks)\s+(?:\w+\s+)?(?:not\b|wrong|incorrect|false|mistaken)"
HEDGED = re.compile(
    r"(?i)(?:(?:\bnot|n['’]t|\bif|\bwhether|\bneither|\bnor|\bunless|\bdoubt)\b[^.!?:;,\n]*|\b(?:or|and)\W*)$"
)
LOOK_ALIKE = {"А": "A", "В": "B", "С": "C", "Е": "E"}
"""Cyrillic letters that are taken for the Latin ones of an option list, which is always Latin here."""

EXCEPT = r"(?:every|any|all)(?:thing|\sof\sthem)?\s(?:but|except)"
LEAD = 60  # characters before "B is right" in which it may be hedged
DOUBTED = re.compile(r"[)*\s]*\?")


@dataclass(frozen=True)
class Patterns:
    """What speaks of one of the first letters, compiled for one number of choices."""

    claim: re.Pattern[str]
    pair: re.Pattern[str]
    alone: re.Pattern[str]
    denied: re.Pattern[str]
    mention: re.Pattern[str]


def chosen_letter(text: str, count: int) -> str | None:
    """The letter that an answer settles on, or None.

    The boxed one; else the last that is said to be it ("the answer is", "I choose", "B is right", "No, B", and their
    like in eight other languages); else the only letter that stands alone. None where two stand side by side ("A or
    B"), where it is only asked ("A?"), where it is taken back and another letter follows that is not said to be it, or
    where the text refuses.
    """
    letters = LETTERS[:count]
    boxed = last_boxed(text)
    if boxed is not None:
        return _boxed(boxed, letters)
    text, refused = without_doubts(usual_width(text))
    text = without_denials(text, letters)
    known = _patterns(letters)
    claims = [
        (next(one.start(name) for name in one.groupdict() if one[name]), one.end())
        for one in known.claim.finditer(text)
        if not one["right"] or not HEDGED.search(text[max(0, one.start() - LEAD) : one.start()])
    ]
    claims = sorted([*claims, *claims_abroad(text, letters)])
    if claims:
        at, end = claims[-1]
        letter = LOOK_ALIKE.get(text[at], text[at]).upper()
        beside = any(
            pair.start() <= at < pair.end() for pair in known.pair.finditer(text, max(0, at - LEAD), at + LEAD)
        )
        if beside or DOUBTED.match(text, end):
            return None
        taken_back = TAKEN_BACK.search(text, end)
        others = {found[0] for found in known.mention.finditer(text, taken_back.end())} if taken_back else set()
        return None if others - {letter} else letter
    if refused:
        return None
    whole = text.strip(" ().*$\n").upper()
    if len(whole) == 1:
        return whole if whole in letters else None
    if known.pair.search(text):
        return None
    alone = {found[1] for found in known.alone.finditer(known.denied.sub(" ", text))}
    return str(alone.pop()) if len(alone) == 1 else None


def _boxed(boxed: str, letters: str) -> str | None:
    """B, (b), B., or B with the option's words after it, where no other letter stands beside."""
    inside = re.sub(r"\\(?:text|textbf|mathrm|mathbf)\s?\{([^{}]*)\}", r"\1", boxed).strip(" ().*$:")
    if len(inside) == 1:
        return inside.upper() if inside.upper() in letters else None
    led = re.match(rf"\(?([{letters}])[).:]+\s", inside)
    if led is None or re.search(rf"(?<![A-Za-z0-9'’])[{letters}](?![A-Za-z0-9'’])", inside[led.end() :]):
        return None
    return led[1]


@cache
def _patterns(letters: str) -> Patterns:
    # A small letter counts only where it ends the answer: "the answer is a cat" chooses nothing.
    one = rf"(?:[{letters}]|[{letters.lower()}](?=[).*\s]*$))"
    free, ends = r"(?<![A-Za-z0-9'’])", r"(?![A-Za-z0-9'’])"
    option = r"(?:(?i:option|choice|answer|letter)\s+)?"
    instead = rf"(?:not\W{{1,4}}{option}\(?[{letters}]\)?\W{{0,4}}but\W{{1,4}}{option})?"
    wrong = rf"(?!{WRONG})"
    claim = re.compile(
        rf"(?:(?i:answer)\W{{0,6}}(?i:is|:)?\W{{0,6}}{instead}{option}\(?(?P<is>{one}){ends}{wrong}"
        rf"|\b(?i:(?:correct|right|best)\s+(?:option|choice|one|letter)\s+is)\W{{1,6}}{instead}(?P<best>{one}){ends}{wrong}"
        rf"|\bI(?i:\s+(?:would\s+|will\s+|must\s+)?|['’](?:d|ll)\s+)(?i:choose|chose|pick|select|go\s+with)\W{{1,4}}"
        rf"{option}\(?(?P<choose>{one}){ends}{wrong}"
        rf"|(?:\b(?i:no|wait|yes|correction)\s?[,.:;!\u2014\u2013-]|\b(?i:actually|rather),?)\W{{1,4}}"
        rf"(?:(?i:it(?:\s+is|['’]s)|I\s+mean)\W{{1,4}})?{option}\(?(?P<instead>{one})(?=\W*(?:$|[.,;:!\n])){wrong}"
        rf"|\b(?i:so|hence|therefore|thus|(?:it\s+)?(?:must|has\s+to)\s+be)\b,?\s{{1,2}}{option}\(?(?P<so>{one})\)?"
        rf"(?=\W*(?:$|[.\n])){wrong}"
        rf"|{free}\(?(?P<itis>[{letters}])\)?\s(?i:it\sis)\b(?!\s(?:not|\w+\snot)\b)"
        rf"|{free}\(?(?P<right>[{letters}])[)*\"”]{{0,3}}\s+is\s+(?:the\s+)?(?i:right|correct|best)\b)"
    )
    joined = (
        rf"[)*\"”]{{0,3}}[^\s\w]?(?:[^\W\x00-\u2fff]{{0,2}})?\s?"
        rf"(?:/|,?\s?{LISTED})\s?(?:(?:or|and|maybe|perhaps)\s)?{option}[(*\"“]{{0,3}}"
    )
    return Patterns(
        claim,
        re.compile(rf"{free}[{letters}]{joined}[{letters}]{ends}{wrong}"),
        re.compile(rf"{free}([{letters}])[)*.:]+(?![A-Za-z0-9])"),
        re.compile(
            rf"(?:\b(?i:not|never|neither|nor|no(?=\s)|{EXCEPT})|n['’]t)\W{{1,4}}(?:be\W{{1,3}})?{option}\(?[{letters}]{ends}"
            rf"|{free}\(?[{letters}]{ends}{WRONG}"
        ),
        re.compile(rf"{free}[{letters}]{ends}"),
    )
