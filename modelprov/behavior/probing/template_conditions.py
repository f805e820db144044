"""The conditions in which a chat template is rendered, with marks in the place of every text that is the caller's.

What a template shows in one of them and no mark explains is its own. Renders nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

SYSTEM, USER, REPLY, LATER = "MPSYS83QX", "MPUSER41QX", "MPREPLY52QX", "MPLATER67QX"
FIRST, SAID, RESULT = "MPFIRST31QX", "MPSAID74QX", "MPRESULT95QX"
"""The first message of a longer conversation, the answer to it, and what a tool answered."""

TOOL_MARK, DOCUMENT_MARK = "mptool29qx", "mpdoc93qx"
TOOL = {
    "type": "function",
    "function": {
        "name": TOOL_MARK,
        "description": TOOL_MARK.upper(),
        "parameters": {
            "type": "object",
            "properties": {"x": {"type": "string", "description": "x"}},
            "required": ["x"],
        },
    },
}
DOCUMENT = {"doc_id": 1, "title": DOCUMENT_MARK, "text": DOCUMENT_MARK.upper(), "content": DOCUMENT_MARK.upper()}
CALL = {
    "role": "assistant", "content": "",
    "tool_calls": [
        {"id": "mpcall29q", "type": "function", "function": {"name": TOOL_MARK, "arguments": {"x": TOOL_MARK}}}
    ],
}  # fmt: skip
ANSWER = {"role": "tool", "name": TOOL_MARK, "tool_call_id": "mpcall29q", "content": RESULT}

CONDITIONS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "thinking on": {"enable_thinking": True},
    "thinking off": {"enable_thinking": False},
    "with tools": {"tools": [TOOL]},
    "with tools, thinking on": {"tools": [TOOL], "enable_thinking": True},
    "with tools, thinking off": {"tools": [TOOL], "enable_thinking": False},
}
PARTS, IMAGE, DEVELOPER = "content in parts", "an image beside the text", "a developer's message"
LONGER, AFTER_TOOL = "later in a conversation", "after a tool's answer"
FURTHER: dict[str, dict[str, Any]] = {
    "with documents": {"documents": [DOCUMENT]},
    "without a generation prompt": {"add_generation_prompt": False},
    PARTS: {},
    IMAGE: {},
    DEVELOPER: {},
    LONGER: {},
    AFTER_TOOL: {"tools": [TOOL]},
}
"""Conditions that a template need not know: one that fails in them says so once."""

BEFORE: dict[str, list[dict[str, Any]]] = {
    LONGER: [{"role": "user", "content": FIRST}, {"role": "assistant", "content": SAID}],
    AFTER_TOOL: [{"role": "user", "content": FIRST}, CALL, ANSWER],
}
"""What was said before the user's message."""

NO_SYSTEM, EMPTY_SYSTEM, OWN_SYSTEM = "no system", "empty system", "user's system"
SYSTEMS: dict[str, str | None] = {NO_SYSTEM: None, EMPTY_SYSTEM: "", OWN_SYSTEM: SYSTEM}

TOKENS = ("bos_token", "eos_token", "pad_token", "unk_token", "sep_token", "cls_token", "mask_token")
HELPERS = ("raise_exception", "strftime_now", "namespace", "range", "dict", "cycler", "joiner", "lipsum", "loop")
GIVEN = frozenset(("messages", "tools", "documents", "add_generation_prompt", "enable_thinking", *HELPERS, *TOKENS))
"""Names that are given anyhow, or by every program that renders."""

MOST_VARIED = 40
"""Values of a template's own variables that are tried; the rest is named."""

Key = tuple[str, str]
"""What system message, and which condition."""


def jobs(varied: Mapping[str, Mapping[str, Any]]) -> dict[Key, dict[str, Any]]:
    """Every rendering of a lone user message, or of one after others, that a template is asked for."""
    made = {
        (system, condition): job(conversation(condition, said), extra)
        for system, said in SYSTEMS.items()
        for condition, extra in {**CONDITIONS, **varied}.items()
    }
    for condition, extra in FURTHER.items():
        for system in (NO_SYSTEM, OWN_SYSTEM):
            made[system, condition] = job(conversation(condition, SYSTEMS[system]), extra)
    return made


def conversation(condition: str, system: str | None) -> list[dict[str, Any]]:
    """The messages of a condition, the user's last."""
    role = "developer" if condition == DEVELOPER else "system"
    told: list[dict[str, Any]] = [] if system is None else [{"role": role, "content": system}]
    told += [*BEFORE.get(condition, []), {"role": "user", "content": USER}]
    if condition in (PARTS, IMAGE):
        told = [{**one, "content": [{"type": "text", "text": one["content"]}]} for one in told]
    if condition == IMAGE:
        told[-1]["content"].insert(0, {"type": "image"})
    return told


def job(messages: Sequence[Mapping[str, Any]], extra: Mapping[str, Any]) -> dict[str, Any]:
    """One rendering, as transformers orders it."""
    return {"messages": list(messages), "tools": None, "documents": None, "add_generation_prompt": True, **extra}


def shown_raw(text: str) -> bool:
    """Whether a template shows parts as a program writes a list: it does not know what they are."""
    parts = [{"type": "text", "text": mark} for mark in (SYSTEM, USER)]
    return any(quoted in text for part in parts for quoted in (str(part), json.dumps(part)))


def varied(variables: Mapping[str, Sequence[Any]]) -> tuple[dict[str, dict[str, Any]], str]:
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
