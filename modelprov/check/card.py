"""Takes a model card apart, front matter and body, and reads what the front matter declares. Opens no file.

Keys and values are those of the Hugging Face hub's model card documentation (`docs/hub/model-cards` of its docs).
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass

from modelprov.check.interface import Declared, Problem
from modelprov.check.results import Location
from modelprov.check.yaml_text import place, read_yaml
from modelprov.foreign.yaml_text import Value

MAX_FRONT = 1_000_000
MAX_BODY = 1_000_000
MAX_NAME = 300
RELATIONS = ("adapter", "finetune", "merge", "quantized")
"""The values of `base_model_relation` that the hub documents."""
WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
OPEN = re.compile(r"\A\ufeff?(\s*)---[ \t]*\n")
CLOSE = re.compile(r"^---[ \t]*$", re.MULTILINE)
KEY = re.compile(r"[A-Za-z_][\w-]*:(\s|\Z)")
HUB = re.compile(r"https?://(?:www\.)?(?:huggingface\.co|hf\.co)/([\w.-]+/[\w.-]+)(?:/tree/[^\s]*)?/?\Z")


@dataclass(frozen=True)
class Card:
    """A card in two parts: the front matter as read, and the body, whose first line is line `body_line` of `file`."""

    file: str
    front: Value | None
    body: str
    body_line: int
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class FrontClaims:
    """What the front matter declares; None or empty where it says nothing."""

    base_models: tuple[Declared, ...]
    relation: Declared | None
    license: Declared | None
    license_name: Declared | None
    license_link: Declared | None
    library: Declared | None
    tags: tuple[Declared, ...]
    problems: tuple[Problem, ...]


def take_apart(content: bytes, file: str) -> Card:
    """The card in `content`: UTF-8 with or without a mark, any line ends; what cannot be read is a problem."""
    problems: list[Problem] = []
    if content.startswith(WIDE_MARKS) or b"\0" in content:
        what = "is UTF-16 text; write it as UTF-8" if content.startswith(WIDE_MARKS) else "is no text (it holds NUL)"
        return Card(file, None, "", 1, (_problem(what, file, None, "encoding"),))
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        problems.append(_problem("is not UTF-8 text here; what could not be read was replaced", file, line, "encoding"))
        text = content.decode("utf-8", "replace")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    front_text, front_line, body, body_line = _split(text)
    if front_text is None and _looks_unclosed(text):
        problems.append(_problem("the front matter has no closing line of ---", file, 1, "not closed"))
    front: Value | None = None
    if front_text is not None and len(front_text) > MAX_FRONT:
        what = f"the front matter has more than {MAX_FRONT:,} characters; it was not read"
        problems.append(_problem(what, file, front_line, "large front matter"))
    elif front_text is not None:
        front, found = read_yaml(front_text, file, front_line)
        problems += found
    if front is not None and not isinstance(front.data, dict):
        problems.append(_problem("the front matter has no keys (`license: mit`)", file, front.line, "no mapping"))
        front = None
    if len(body) > MAX_BODY:
        what = f"only the first {MAX_BODY:,} characters of the text were read"
        problems.append(_problem(what, file, body_line, "large body"))
        body = body[:MAX_BODY]
    return Card(file, front, body, body_line, tuple(problems))


def front_claims(card: Card) -> FrontClaims:
    """The declarations in a card's front matter; a value of the wrong type is a problem, never a claim."""
    entries = card.front.entries if card.front is not None else {}
    problems: list[Problem] = []

    def several(key: str) -> tuple[Declared, ...]:
        return _texts(entries, key, card.file, problems)

    def one(key: str) -> Declared | None:
        found = several(key)
        if len(found) > 1:
            problems.append(_wrong(card.file, found[1].location, key, "has to be one text, not a list"))
        return found[0] if found else None

    bases: dict[str, Location] = {}
    for declared in several("base_model"):
        bases.setdefault(_hub_name(declared.value), declared.location)
    return FrontClaims(
        tuple(Declared(name, place) for name, place in bases.items()),
        _relation(one("base_model_relation"), card.file, problems),
        _joined(several("license")),
        one("license_name"),
        one("license_link"),
        one("library_name"),
        several("tags"),
        tuple(problems),
    )


def _split(text: str) -> tuple[str | None, int, str, int]:
    """Front matter (None: none) and its first line, body and its first line."""
    opening = OPEN.match(text)
    closing = CLOSE.search(text, opening.end()) if opening else None
    if opening is None or closing is None:
        return None, 1, text.removeprefix("\ufeff"), 1
    front = text[opening.end() : closing.start()]
    body = text[closing.end() :].removeprefix("\n")
    first = text.count("\n", 0, opening.end()) + 1
    return front, first, body, text.count("\n", 0, closing.end()) + 2


def _looks_unclosed(text: str) -> bool:
    opening = OPEN.match(text)
    return bool(opening and KEY.match(text, opening.end()))


def _texts(entries: Mapping[str, Value], key: str, file: str, problems: list[Problem]) -> tuple[Declared, ...]:
    """The text or texts of a key, each with its own line; null and empty text say nothing."""
    value = entries.get(key)
    found = []
    for one in value.items if value is not None and isinstance(value.data, list) else [value]:
        if one is None or one.data is None:
            continue
        if not isinstance(one.data, str):
            problems.append(_wrong(file, place(one, file), key, f"has to be text, not {_kind(one.data)}"))
        elif len(one.data) > MAX_NAME:
            problems.append(_wrong(file, place(one, file), key, f"has more than {MAX_NAME} characters"))
        elif one.data.strip():
            found.append(Declared(" ".join(one.data.split()), place(one, file)))
    return tuple(found)


def _relation(declared: Declared | None, file: str, problems: list[Problem]) -> Declared | None:
    if declared is None:
        return None
    value = declared.value.lower()
    if value in RELATIONS:
        return Declared(value, declared.location)
    problems.append(_wrong(file, declared.location, "base_model_relation", f"has to be one of {', '.join(RELATIONS)}"))
    return None


def _joined(declared: tuple[Declared, ...]) -> Declared | None:
    names = ", ".join(dict.fromkeys(one.value for one in declared))
    return Declared(names, declared[0].location) if declared else None


def _hub_name(value: str) -> str:
    """`org/name` of a link to the hub; anything else stays as written."""
    link = HUB.match(value)
    return link.group(1) if link else value


def _kind(data: object) -> str:
    if isinstance(data, bool):
        return "yes or no (put it in quotes)"
    return {int: "a number", float: "a number", list: "a list", dict: "a mapping"}.get(type(data), "something else")


def _wrong(file: str, location: Location, key: str, what: str) -> Problem:
    return Problem(f"{file}: {key} {what}", location, about=f"{key}: {what}")


def _problem(what: str, file: str, line: int | None, about: str) -> Problem:
    return Problem(f"{file}: {what}", Location(file=file, line=line), about=about)
