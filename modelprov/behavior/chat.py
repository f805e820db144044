"""Turns messages into the text and the token ids of a prompt, with a model's chat template or another one.

Generates nothing. Templates are rendered by the model's own `Renderer`, in a process with limits, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from modelprov.behavior.loading import LocalModel
from modelprov.behavior.templates.rendering import TemplateFailedError
from modelprov.called import called
from modelprov.errors import UsageError

Messages = Sequence[Mapping[str, Any]]
REASONING = ("reasoning_content", "thinking", "reasoning")
"""Names under which messages carry thoughts; templates read the first, that of gpt-oss the second."""

CUT_HERE = "MODELPROV-CUT-HERE-83QX "


def render(model: LocalModel, messages: Messages, template: str | None = None, **variables: Any) -> list[int]:
    """Token ids of a conversation, ready for the model's answer; see `render_text`."""
    text = render_text(model, messages, template, **variables)
    return [int(token) for token in model.tokenizer(text, add_special_tokens=False)["input_ids"]]


def render_text(
    model: LocalModel, messages: Messages, template: str | None = None, *, begun: bool = False, **variables: Any
) -> str:
    """A conversation as the model reads it, as transformers' `apply_chat_template` gives it.

    It is ready for the model's answer; where `begun`, the last message is that answer's beginning and is left open.
    `template` stands for the model's own; `variables` reach it (`enable_thinking`, ...). Raises `UsageError` when there
    is no template or it refuses these messages, `TemplateFailedError` when it runs or grows without end.
    """
    used = template if template is not None else model.template
    if used is None:
        raise UsageError(
            f"{model.label} has no chat template", f"Give one with {called('chat_template')}, or use completions."
        )
    told = [_message(message) for message in messages]
    if begun:
        told[-1] = told[-1] | {"content": str(told[-1].get("content", "")) + CUT_HERE}
    job = {
        "messages": told, "tools": None, "documents": None, "add_generation_prompt": not begun,
        **model.tokenizer.special_tokens_map, **variables,
    }  # fmt: skip
    [found] = model.renderer.render(used, [job], now=datetime.now())
    if found.text is None or (begun and CUT_HERE.strip() not in found.text):
        why = found.error or "it does not show the beginning of the answer"
        kind = TemplateFailedError if found.beyond else UsageError
        raise kind(f"the chat template of {model.label} fails: {why}", "Check the template.")
    return _until_cut(found.text) if begun else found.text


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    """As transformers tells a template: without what is None, thoughts under each of their names."""
    told = {key: value for key, value in message.items() if value is not None}
    thought = next((told[name] for name in REASONING if name in told), None)
    return told if thought is None else {"thinking": thought, **told, REASONING[0]: thought}


def _until_cut(text: str) -> str:
    """The text before the mark; a template that trimmed the mark trims what stood before it, too."""
    at = text.rindex(CUT_HERE.strip())
    return text[:at] if text[at:].startswith(CUT_HERE) else text[:at].rstrip()
