"""Finds what a chat template adds by itself, by rendering marked messages under many conditions and comparing.

No pattern of known prompts is searched for. What precedes, replaces or follows a message whose text we know is what the
template put there. What the caller's tools and documents or a role explain is told apart.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modelprov.behavior.probing.added_texts import TURNS_CLOSED, TURNS_ON, Turns, told_apart, turns_of
from modelprov.behavior.probing.peeling import Peel
from modelprov.behavior.probing.results import ExplainedText, HiddenPrompt, TemplateSeen
from modelprov.behavior.probing.template_conditions import (
    CONDITIONS,
    EMPTY_SYSTEM,
    FURTHER,
    LATER,
    NO_SYSTEM,
    OWN_SYSTEM,
    REPLY,
    SYSTEM,
    USER,
    Key,
    job,
    jobs,
    shown_raw,
    varied,
)
from modelprov.behavior.probing.template_files import TemplateFile
from modelprov.behavior.templates.rendering import A_DAY, USUAL, Limits, Rendered, Renderer, TemplateFailedError


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
    """What one template does: `shipped` frames a lone user message as it is, `stripped` without what was hidden.

    `explained` are texts beside the hidden ones, which the caller's own tools or documents or a role explain.
    """

    seen: TemplateSeen
    hidden: tuple[HiddenPrompt, ...] = ()
    shipped: Frame | None = None
    stripped: Frame | None = None
    explained: tuple[ExplainedText, ...] = ()


def examine(
    template: TemplateFile, special: Mapping[str, str], markup: Sequence[str], *, used: bool,
    renderer: Renderer | None = None, limits: Limits = USUAL,
) -> Examined:  # fmt: skip
    """Render the template with marked messages and tell what it adds.

    `renderer` is that of the checkpoint, whose budget all its templates share (else one of `limits` for this template
    alone). A template that loops, grows or fails in every condition is an `Examined` whose `seen.error` says so; one
    that fails without tools or documents is examined with them, and has no frame.
    """
    digest = hashlib.sha256(template.text.encode("utf-8", "backslashreplace")).hexdigest()
    about: dict[str, Any] = {"source": template.source, "name": template.name, "digest": digest, "used": used}
    try:
        renderer = renderer or Renderer(limits)
        try:
            tried, left_out = varied(renderer.variables(template.text))
        except TemplateFailedError as error:  # the template itself may render
            tried, left_out = {}, error.message
        texts, refusals = _render(template.text, special, renderer, tried)
        unknown = (f"not tried: {left_out}",) if left_out else ()
        again = job([{"role": "user", "content": USER}], {})
        [other_day] = renderer.render(template.text, [again], special, now=A_DAY.replace(year=2038, month=2))
    except TemplateFailedError as error:
        return Examined(TemplateSeen(**about, error=error.message))
    plain = texts.get((NO_SYSTEM, "as it is"))
    told = told_apart(texts, Peel(markup), turns := turns_of(texts), {**CONDITIONS, **tried, **FURTHER})
    hidden, explained = told.prompts(template), told.others(template)
    if plain is None or plain.count(USER) != 1:
        why = "; ".join(refusals[:1]) or "it does not show the user's message exactly once"
        return Examined(TemplateSeen(**about, refuses=refusals, error=why), hidden, explained=explained)
    before, _, after = plain.partition(USER)
    shipped = Frame(before, after)
    now = [one.text for one in hidden if "as it is" in one.conditions]
    seen = TemplateSeen(
        **about, refuses=(*unknown, *refusals), depends_on_date=other_day.text is not None and other_day.text != plain,
        empty_system=_empty_system(texts, bool(now)),
    )  # fmt: skip
    return Examined(seen, hidden, shipped, _stripped(shipped, now, turns, special) if now else shipped, explained)


def _render(
    template: str, special: Mapping[str, str], renderer: Renderer, tried: Mapping[str, Mapping[str, Any]]
) -> tuple[dict[Key, str], tuple[str, ...]]:
    """Texts by (system, condition), and those of the longer conversation; what was refused, in words."""
    asked = jobs(tried)
    turns = [{"role": "user", "content": USER}, {"role": "assistant", "content": REPLY}]
    asked[TURNS_CLOSED] = job(turns, {"add_generation_prompt": False})
    asked[TURNS_ON] = job([*turns, {"role": "user", "content": LATER}], {})
    answers: list[Rendered] = renderer.render(template, list(asked.values()), special)
    found = dict(zip(asked, answers, strict=True))
    texts, refusals = {}, []
    unknown: dict[str, dict[str, None]] = {}
    for key, one in found.items():
        system, condition = key
        if one.text is not None and condition in FURTHER and shown_raw(one.text):
            unknown.setdefault("the template does not know them", {})[condition] = None
        elif one.text is not None:
            texts[key] = one.text
        elif condition in FURTHER:
            unknown.setdefault(f"{one.error}", {})[condition] = None
        else:
            refusals.append(f"{system}, {condition}: {one.error}")
    refusals += [f"not tried: {', '.join(conditions)} ({why})" for why, conditions in unknown.items()]
    marked = texts.get((OWN_SYSTEM, "as it is"))
    if marked is not None and SYSTEM not in marked:
        refusals.append("a user's system prompt is left out without a word")
    return texts, tuple(refusals)


def _empty_system(texts: Mapping[Key, str], hides: bool) -> str | None:
    """What an empty system message does to the prompt."""
    none, empty, marked = (texts.get((system, "as it is")) for system in (NO_SYSTEM, EMPTY_SYSTEM, OWN_SYSTEM))
    if empty is None:
        return "refused" if none is not None else None
    if empty == none:
        return "changes nothing" + ("; the hidden prompt stays" if hides else "")
    if marked is not None and SYSTEM in marked and empty == marked.replace(SYSTEM, ""):
        return "gives an empty system prompt" + (", which removes what stands in its place otherwise" if hides else "")
    return "gives another prompt than none"


def _stripped(shipped: Frame, hidden: Sequence[str], turns: Turns, special: Mapping[str, str]) -> Frame:
    """The frame without what was added: a user's message as it opens later in a conversation, or the texts cut out."""
    before, after = shipped.before, shipped.after
    opening = turns.opening
    if opening and (before.endswith(opening) or before.startswith(opening)):
        start = special.get("bos_token", "")
        before = (start if start and before.startswith(start) else "") + opening.removeprefix(start)
    for text in sorted(hidden, key=len, reverse=True):
        before, after = before.replace(text, ""), after.replace(text, "")
    return Frame(before, after)
