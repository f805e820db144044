"""Turns messages into the token ids of a prompt, with a model's chat template or another one. Generates nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from modelprov.behavior.loading import LocalModel
from modelprov.errors import UsageError

Messages = Sequence[Mapping[str, Any]]


def render(model: LocalModel, messages: Messages, template: str | None = None, **variables: Any) -> list[int]:
    """Token ids of a conversation, ready for the model's answer; `template` instead of the model's own.

    transformers renders templates in a sandbox; `variables` reach it (`enable_thinking`, ...). Raises `UsageError` when
    there is no template or it refuses these messages.
    """
    import jinja2

    if template is None and model.tokenizer.chat_template is None:
        raise UsageError(f"{model.label} has no chat template", "Give one with --chat-template, or use completions.")
    try:
        found = model.tokenizer.apply_chat_template(
            [dict(one) for one in messages],
            chat_template=template,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=False,
            **variables,
        )
    except (jinja2.TemplateError, TypeError, ValueError) as error:
        raise UsageError(f"the chat template of {model.label} fails: {error}", "Check the template.") from error
    return list(found)
