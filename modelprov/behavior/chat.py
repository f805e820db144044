"""Turns messages into the token ids of a prompt, with a model's chat template or another one. Generates nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from modelprov.behavior.loading import LocalModel
from modelprov.behavior.probing.rendering import TemplateFailedError, render_all
from modelprov.errors import UsageError

Messages = Sequence[Mapping[str, Any]]


def render(model: LocalModel, messages: Messages, template: str | None = None, **variables: Any) -> list[int]:
    """Token ids of a conversation, ready for the model's answer; `template` instead of the model's own.

    transformers renders templates in a sandbox, without limits: so a template is first rendered once in a process that
    has them. `variables` reach it (`enable_thinking`, ...). Raises `UsageError` when there is no template or it refuses
    these messages, `TemplateFailedError` when it runs or grows without end.
    """
    import jinja2

    if template is None and model.template is None:
        raise UsageError(f"{model.label} has no chat template", "Give one with --chat-template, or use completions.")
    used = template if template is not None else model.template
    _check_ends(used or "")
    try:
        found = model.tokenizer.apply_chat_template(
            [dict(one) for one in messages],
            chat_template=used,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=False,
            **variables,
        )
    except (jinja2.TemplateError, TypeError, ValueError, RecursionError, MemoryError) as error:
        raise UsageError(f"the chat template of {model.label} fails: {error}", "Check the template.") from error
    return list(found)


@lru_cache(maxsize=64)
def _check_ends(template: str) -> None:
    """Raise `TemplateFailedError` for a template that does not come to an end with a plain question.

    What it refuses is not told here: it may want other variables.
    """
    question = {"messages": [{"role": "user", "content": "Hello."}], "tools": None, "add_generation_prompt": True}
    found = render_all(template, [question])[0]
    if found.beyond:
        raise TemplateFailedError(f"the chat template cannot be used: {found.error}", "Look at the template.")
