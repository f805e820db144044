"""Finds what a chat template adds by itself, by rendering marked messages under many conditions and comparing.

No pattern of known prompts is searched for. What precedes, replaces or follows a message whose text we know is what the
template put there; markup (the tokenizer's added tokens, tags, names of roles) is peeled off its ends.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modelprov.behavior.probing.results import HiddenPrompt, TemplateSeen
from modelprov.behavior.probing.template_files import TemplateFile
from modelprov.behavior.templates.rendering import A_DAY, USUAL, Limits, Rendered, Renderer, TemplateFailedError

SYSTEM, USER, REPLY, LATER = "MPSYS83QX", "MPUSER41QX", "MPREPLY52QX", "MPLATER67QX"
TOOL = {
    "type": "function",
    "function": {
        "name": "mptool29qx",
        "description": "MPTOOL29QX",
        "parameters": {
            "type": "object",
            "properties": {"x": {"type": "string", "description": "x"}},
            "required": ["x"],
        },
    },
}
ROLES = r"(?:system|user|assistant|human|ai|bot|model|developer|tool|tools|instruction|response|question|answer|end)"
TAG = r"<<[^<>\n]{1,30}>>|<[^<>\n]{0,60}>|\[[^\[\]\n]{1,24}\]|\#{1,6}(?=\s)"
CONDITIONS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "thinking on": {"enable_thinking": True},
    "thinking off": {"enable_thinking": False},
    "with tools": {"tools": [TOOL]},
    "with tools, thinking on": {"tools": [TOOL], "enable_thinking": True},
    "with tools, thinking off": {"tools": [TOOL], "enable_thinking": False},
}
GIVEN = frozenset(
    [
        "messages",
        "tools",
        "documents",
        "add_generation_prompt",
        "enable_thinking",
        "raise_exception",
        "strftime_now",
        "namespace",
        "range",
        "dict",
        "cycler",
        "joiner",
        "lipsum",
        "loop",
        "bos_token",
        "eos_token",
        "pad_token",
        "unk_token",
        "sep_token",
        "cls_token",
        "mask_token",
    ]
)
"""Names that are given anyhow, or by every program that renders."""

MOST_VARIED = 40
"""Values of a template's own variables that are tried; the rest is named."""

SYSTEMS: dict[str, list[dict[str, str]]] = {
    "no system": [],
    "empty system": [{"role": "system", "content": ""}],
    "user's system": [{"role": "system", "content": SYSTEM}],
}


@dataclass(frozen=True)
class Frame:
    """What stands before and after one user message, ready for the answer."""

    before: str
    after: str

    def around(self, text: str) -> str:
        """The whole prompt."""
        return self.before + text + self.after

    def as_template(self) -> str:
        """The frame as a Jinja template that shows the last message and nothing else of the conversation."""
        literals = [json.dumps(part, ensure_ascii=False) for part in (self.before, self.after)]
        return f"{{{{ {literals[0]} }}}}{{{{ messages[-1]['content'] }}}}{{{{ {literals[1]} }}}}"


@dataclass(frozen=True)
class Examined:
    """What one template does: `shipped` frames a lone user message as it is, `stripped` without what was added."""

    seen: TemplateSeen
    hidden: tuple[HiddenPrompt, ...] = ()
    shipped: Frame | None = None
    stripped: Frame | None = None


@dataclass(frozen=True)
class _Turns:
    """The parts of a longer conversation: what opens a user's message after an answer."""

    opening: str


def examine(
    template: TemplateFile, special: Mapping[str, str], markup: Sequence[str], *, used: bool,
    renderer: Renderer | None = None, limits: Limits = USUAL,
) -> Examined:  # fmt: skip
    """Render the template with marked messages and tell what it adds.

    `renderer` is that of the checkpoint, whose budget all its templates share (else one of `limits` for this template
    alone). A template that loops, grows or fails in every condition is an `Examined` whose `seen.error` says so.
    """
    digest = hashlib.sha256(template.text.encode("utf-8", "backslashreplace")).hexdigest()
    about: dict[str, Any] = {"source": template.source, "name": template.name, "digest": digest, "used": used}
    try:
        renderer = renderer or Renderer(limits)
        try:
            varied, left_out = _varied(renderer.variables(template.text))
        except TemplateFailedError as error:  # the template itself may render
            varied, left_out = {}, error.message
        texts, refusals = _render(template.text, special, renderer, varied)
        unknown = (f"not tried: {left_out}",) if left_out else ()
        [other_day] = renderer.render(template.text, [_job([], {})], special, now=A_DAY.replace(year=2038, month=2))
    except TemplateFailedError as error:
        return Examined(TemplateSeen(**about, error=error.message))
    plain = texts.get(("no system", "as it is"))
    if plain is None or plain.count(USER) != 1:
        why = "; ".join(refusals[:1]) or "it does not show the user's message exactly once"
        return Examined(TemplateSeen(**about, refuses=refusals, error=why))
    peel = _Peel(markup)
    turns = _turns(texts)
    hidden = _hidden(template, texts, peel, turns, [*CONDITIONS, *varied])
    before, _, after = plain.partition(USER)
    shipped = Frame(before, after)
    now = [one.text for one in hidden if "as it is" in one.conditions]
    seen = TemplateSeen(
        **about, refuses=(*unknown, *refusals), depends_on_date=other_day.text is not None and other_day.text != plain,
        empty_system=_empty_system(texts, bool(now)),
    )  # fmt: skip
    return Examined(seen, hidden, shipped, _stripped(shipped, now, turns, special) if now else shipped)


def _job(messages: Sequence[Mapping[str, str]], extra: Mapping[str, Any], *, more: bool = True) -> dict[str, Any]:
    told = [*messages, {"role": "user", "content": USER}] if more else list(messages)
    return {"messages": told, "tools": None, "documents": None, "add_generation_prompt": True, **extra}


def _varied(variables: Mapping[str, Sequence[Any]]) -> tuple[dict[str, dict[str, Any]], str]:
    """A condition for each value of each variable of the template's own, by its words; and which are not tried."""
    found: dict[str, dict[str, Any]] = {}
    left_out = []
    for name, constants in variables.items():
        if name in GIVEN:
            continue
        for value in (*constants, *([] if any(isinstance(one, str) for one in constants) else [True, False])):
            if len(found) < MOST_VARIED:
                found[f"{name}={value!r}"] = {name: value}
            else:
                left_out.append(f"{name}={value!r}")
    return found, ", ".join(left_out)


def _render(
    template: str, special: Mapping[str, str], renderer: Renderer, varied: Mapping[str, Mapping[str, Any]]
) -> tuple[dict[tuple[str, str], str], tuple[str, ...]]:
    """Texts by (system, condition), and those of the longer conversation; what was refused, in words."""
    keys, jobs = [], []
    for system, messages in SYSTEMS.items():
        for condition, extra in {**CONDITIONS, **varied}.items():
            keys.append((system, condition))
            jobs.append(_job(messages, extra))
    turns = [{"role": "user", "content": USER}, {"role": "assistant", "content": REPLY}]
    keys += [("turns", "closed"), ("turns", "going on")]
    jobs.append(_job(turns, {"add_generation_prompt": False}, more=False))
    jobs.append(_job([*turns, {"role": "user", "content": LATER}], {}, more=False))
    answers: list[Rendered] = renderer.render(template, jobs, special)
    texts = {key: one.text for key, one in zip(keys, answers, strict=True) if one.text is not None}
    refusals = [
        f"{key[0]}, {key[1]}: {one.error}" for key, one in zip(keys, answers, strict=True) if one.error is not None
    ]
    marked = texts.get(("user's system", "as it is"))
    if marked is not None and SYSTEM not in marked:
        refusals.append("a user's system prompt is left out without a word")
    return texts, tuple(refusals)


def _turns(texts: Mapping[tuple[str, str], str]) -> _Turns | None:
    """What opens a later user message: the text between answer and message, less what closes an answer."""
    closed, longer = texts.get(("turns", "closed")), texts.get(("turns", "going on"))
    if closed is None or longer is None or any(mark not in longer for mark in (REPLY, LATER)) or REPLY not in closed:
        return None
    closing = closed.partition(REPLY)[2]
    between = longer.partition(REPLY)[2].partition(LATER)[0]
    return _Turns(between.removeprefix(closing)) if between.startswith(closing) else None


class _Peel:
    """Takes markup off the ends of a text."""

    def __init__(self, markup: Sequence[str]) -> None:
        tokens = [re.escape(one) for one in sorted(markup, key=len, reverse=True) if not one.isalnum()]
        one = "|".join([*tokens, TAG, r"\s+"])
        label = rf"(?:(?-i:[A-Z0-9])[\w.-]{{0,20}}[ ]){{1,3}}{ROLES}\s?[:：]"
        self._head = re.compile(rf"(?:{one}|{label}|{ROLES}\s*(?=[:：\n<\[]|$)[:：]?)+", re.IGNORECASE)
        self._tail = re.compile(rf"(?:{one}|(?<![^\n>\]]){label}|(?<![^\n>\]]){ROLES}[:：]?)+$", re.IGNORECASE)

    def __call__(self, text: str) -> str:
        """What is left between the markup of both ends; empty where nothing is a word."""
        while True:
            shorter = text[match.end() :] if (match := self._head.match(text)) else text
            shorter = shorter[: match.start()] if (match := self._tail.search(shorter)) else shorter
            if shorter == text:
                return text if any(letter.isalnum() for letter in text) else ""
            text = shorter


def _hidden(
    template: TemplateFile,
    texts: Mapping[tuple[str, str], str],
    peel: _Peel,
    turns: _Turns | None,
    conditions: Sequence[str],
) -> tuple[HiddenPrompt, ...]:
    """Every text that was added, with the conditions it was seen in."""
    found: dict[tuple[str, str], list[str]] = {}
    for condition in conditions:
        plain, marked = texts.get(("no system", condition)), texts.get(("user's system", condition))
        if plain is None or plain.count(USER) != 1:
            continue
        before, _, after = plain.partition(USER)
        pieces = [("after the message", peel(after))]
        if marked is not None and marked.count(SYSTEM) == 1 and USER in marked.partition(SYSTEM)[2]:
            ahead, _, rest = marked.partition(SYSTEM)
            behind = rest.partition(USER)[0]
            middle = _between(before, ahead, behind)
            pieces += [("instead of a system prompt", peel(middle)), ("always", peel(ahead)), ("always", peel(behind))]
        else:  # no user's system prompt can be given
            opening = turns.opening if turns is not None and before.endswith(turns.opening) else ""
            pieces += [("always", peel(before.removesuffix(opening)))]
        for where, text in pieces:
            if text:
                found.setdefault((where, text), []).append(condition)
    return tuple(
        HiddenPrompt(
            source=template.source, template=template.name, text=text, where=where, conditions=tuple(seen),
        )
        for (where, text), seen in found.items()
    )  # fmt: skip


def _between(text: str, head: str, tail: str) -> str:
    """The middle of `text` once its longest common end with `tail` and start with `head` are gone; from a line's start.

    Half a line is shown whole: two prompts may begin with the same words.
    """
    left = text[: len(text) - _alike(text[::-1], tail[::-1])]
    start = _alike(left, head)
    if not left[start:].strip():
        return ""
    return left[left.rfind("\n", 0, start) + 1 :]


def _alike(one: str, other: str) -> int:
    """How many first characters two texts share."""
    shortest = min(len(one), len(other))
    return next((at for at in range(shortest) if one[at] != other[at]), shortest)


def _empty_system(texts: Mapping[tuple[str, str], str], hides: bool) -> str | None:
    """What an empty system message does to the prompt."""
    none, empty, marked = (texts.get((system, "as it is")) for system in SYSTEMS)
    if empty is None:
        return "refused" if none is not None else None
    if empty == none:
        return "changes nothing" + ("; the hidden prompt stays" if hides else "")
    if marked is not None and SYSTEM in marked and empty == marked.replace(SYSTEM, ""):
        return "gives an empty system prompt" + (", which removes what stands in its place otherwise" if hides else "")
    return "gives another prompt than none"


def _stripped(shipped: Frame, hidden: Sequence[str], turns: _Turns | None, special: Mapping[str, str]) -> Frame:
    """The frame without what was added: a user's message as it opens later in a conversation, or the texts cut out."""
    before, after = shipped.before, shipped.after
    opening = turns.opening if turns is not None else ""
    if opening and (before.endswith(opening) or before.startswith(opening)):
        start = special.get("bos_token", "")
        before = (start if start and before.startswith(start) else "") + opening.removeprefix(start)
    for text in sorted(hidden, key=len, reverse=True):
        before, after = before.replace(text, ""), after.replace(text, "")
    return Frame(before, after)
