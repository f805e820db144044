"""Tells the texts that a template added apart: hidden prompts, and those that the caller or a role explains.

Each rendering is compared with the marks that were put into it; what stands between them is looked at without the
markup of its ends. Renders nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from modelprov.behavior.probing.peeling import LONGEST_LABEL, ROLES, Peel, alike, between, is_label
from modelprov.behavior.probing.results import ExplainedText, Explanation, HiddenPrompt, Place
from modelprov.behavior.probing.template_conditions import (
    AFTER_TOOL,
    BEFORE,
    DOCUMENT_MARK,
    FIRST,
    FURTHER,
    IMAGE,
    LATER,
    NO_SYSTEM,
    OWN_SYSTEM,
    REPLY,
    RESULT,
    SAID,
    SYSTEM,
    TOOL_MARK,
    USER,
    Key,
)
from modelprov.behavior.probing.template_files import TemplateFile

NAMES_ITSELF = re.compile(
    r"\b(?:[Yy]ou(?: a|')re|I(?: a|')m|[Nn]ame is|[Nn]amed|[Cc]alled|(?:created|developed|trained|made|built) by)"
    r" [A-Z0-9][^.!?\n]*[.!?]?|[你您我]是(?!一[个名位款])[^。！？\n]*。?|(?:名叫|名为)[^。！？\n]*。?"
)
"""Who the model is: what no tool or document of a caller explains, though it stands beside them."""

TURNS_CLOSED, TURNS_ON = ("turns", "closed"), ("turns", "going on")
_MARK = re.compile("|".join((SYSTEM, USER, FIRST, SAID, RESULT)))
_ROLE = re.compile(rf"(?<![^\W_]){ROLES}(?![^\W_])", re.IGNORECASE)
Texts = Mapping[Key, str]


@dataclass(frozen=True)
class Turns:
    """What stands before messages of a longer conversation: `opening` before a user's, `answering` before answers."""

    opening: str = ""
    answering: str = ""


@dataclass
class Told:
    """Added texts, each with the conditions it was seen in."""

    hidden: dict[tuple[Place, str], list[str]] = field(default_factory=dict)
    explained: dict[tuple[Explanation, str], list[str]] = field(default_factory=dict)

    def prompts(self, template: TemplateFile) -> tuple[HiddenPrompt, ...]:
        """The hidden ones, as records."""
        return tuple(
            HiddenPrompt(source=template.source, template=template.name, text=text, where=where, conditions=tuple(seen))
            for (where, text), seen in self.hidden.items()
        )

    def others(self, template: TemplateFile) -> tuple[ExplainedText, ...]:
        """Those that the caller or a role explains, as records."""
        return tuple(
            ExplainedText(source=template.source, template=template.name, text=text, why=why, conditions=tuple(seen))
            for (why, text), seen in self.explained.items()
        )


def turns_of(texts: Texts) -> Turns:
    """What opens later messages: the text between answer and message less what closes an answer, and before answers."""
    closed, longer = texts.get(TURNS_CLOSED), texts.get(TURNS_ON)
    if closed is None or longer is None or any(mark not in longer for mark in (REPLY, LATER)) or REPLY not in closed:
        return Turns()
    answering = closed.partition(USER)[2].partition(REPLY)[0]
    closing = closed.partition(REPLY)[2]
    middle = longer.partition(REPLY)[2].partition(LATER)[0]
    return Turns(middle.removeprefix(closing) if middle.startswith(closing) else "", answering)


def told_apart(texts: Texts, peel: Peel, turns: Turns, conditions: Mapping[str, Mapping[str, object]]) -> Told:
    """Every text that was added; `conditions` have the values that each gave to variables of the template."""
    found = Told()
    for condition, given in conditions.items():
        plain, marked = texts.get((NO_SYSTEM, condition)), texts.get((OWN_SYSTEM, condition))
        if plain is None or plain.count(USER) != 1:
            continue
        told = {str(value) for value in given.values() if isinstance(value, str | int | float)}
        for where, piece in _pieces(plain, marked, condition, turns, peel):
            text = peel("\n".join(line for line in peel(piece).split("\n") if line.strip() not in told))
            if condition in FURTHER:
                text = _less_known(text, found, condition, peel)
            if text:
                _put(found, where, text, piece, condition, turns, peel)
    return found


def _pieces(plain: str, marked: str | None, condition: str, turns: Turns, peel: Peel) -> Iterator[tuple[Place, str]]:
    """What stands before, between and after the marks of a rendering."""
    first = FIRST if condition in BEFORE else USER
    before = plain.partition(first)[0]
    yield "after the message", plain.partition(USER)[2]
    if marked is not None and marked.count(SYSTEM) == 1 and first in marked.partition(SYSTEM)[2]:
        ahead, _, rest = marked.partition(SYSTEM)
        behind = rest.partition(first)[0]
        yield "instead of a system prompt", between(before, ahead, behind)
        yield "always", ahead
        yield "always", _less_opening(behind, turns, peel)
    else:  # no user's system prompt can be given
        yield "always", _less_opening(before, turns, peel)
    if condition in BEFORE and first in plain:
        inner = plain[plain.index(first) : plain.index(USER)]
        for gap in _MARK.split(inner)[1:]:
            yield "between messages", _less_opening(gap, turns, peel)


def _less_opening(text: str, turns: Turns, peel: Peel) -> str:
    """The text without what opens a user's message, unless that is more than markup and a label."""
    opening = peel(turns.opening)
    plain = turns.opening and (not opening or is_label(opening, turns.opening))
    return text.removesuffix(turns.opening) if plain else text


def _less_known(text: str, found: Told, condition: str, peel: Peel) -> str:
    """The text without prompts that are there as it is, which are told of this condition, too."""
    for (_, other), seen in found.hidden.items():
        if other in text and "as it is" in seen:
            text = peel(text.replace(other, "\n"))
            seen.extend([condition] if condition not in seen else [])
    return text


def _put(found: Told, where: Place, text: str, piece: str, condition: str, turns: Turns, peel: Peel) -> None:
    why = _why(where, text, piece, condition, turns, peel)
    if why is None:
        found.hidden.setdefault((where, text), []).append(condition)
        return
    found.explained.setdefault((why, text), []).append(condition)
    known = [other for _, other in found.hidden]
    for match in NAMES_ITSELF.finditer(text):
        if not any(match[0] in other for other in known):
            found.hidden.setdefault((where, match[0]), [])
        seen = found.hidden.get((where, match[0]), [condition])
        seen += [condition] if condition not in seen else []


def _why(where: Place, text: str, piece: str, condition: str, turns: Turns, peel: Peel) -> Explanation | None:
    """What explains an added text, beside a hidden prompt."""
    if TOOL_MARK in text.casefold() or (condition == AFTER_TOOL and where == "between messages"):
        return "the caller's tools"
    if DOCUMENT_MARK in text.casefold():
        return "the caller's documents"
    if condition == IMAGE and len(text) <= LONGEST_LABEL and "image" in text.casefold():
        return "the caller's image"
    again = peel(piece[: alike(piece, turns.answering)])
    if where in ("after the message", "between messages") and text == again and is_label(text, piece + "\n"):
        return "the label of a role"
    if where == "always" and is_label(text, piece) and _ROLE.search(text):
        return "the label of a role"
    return None
