"""The local side of counting tokens: a folder's chat template, sandboxed, and its tokenizer. Runs no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from modelprov.behavior.extra import require
from modelprov.behavior.probing.template_files import DEFAULT, read_templates, special_tokens
from modelprov.behavior.probing.token_counts import Local, Messages
from modelprov.behavior.templates.rendering import Renderer
from modelprov.called import called
from modelprov.errors import InvalidCheckpointError, UsageError


def local_side(
    folder: Path, template: str | None = None, renderer: Renderer | None = None,
    variables: Mapping[str, Any] | None = None,
) -> Local:  # fmt: skip
    """Template and tokenizer of a checkpoint's folder (weights need not be there); `template` replaces its own.

    `renderer` is that of the folder, where it has one already; `variables` what the server's template is given besides.

    Raises `UsageError` when there is no template or it refuses a conversation, `InvalidCheckpointError` when the
    tokenizer cannot be loaded without running code of the checkpoint.
    """
    require("counting tokens")
    from transformers import AutoTokenizer

    if template is None:
        shipped = [one for one in read_templates(folder) if one.name == DEFAULT]
        if not shipped:
            raise UsageError(f"{folder} has no chat template", f"Give one with {called('chat_template')}.")
        template = shipped[0].text
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise InvalidCheckpointError(
            f"the tokenizer in {folder} cannot be loaded: {(str(error).splitlines() or [''])[0][:300]}",
            "It needs tokenizer files that the installed transformers knows; code of a checkpoint is never run.",
        ) from error
    used, given, renderer = template, {**special_tokens(folder), **(variables or {})}, renderer or Renderer()

    def render(conversations: Sequence[Messages]) -> list[str]:
        jobs: list[dict[str, Any]] = [
            {"messages": [dict(one) for one in each], "add_generation_prompt": True} for each in conversations
        ]
        texts = []
        for one in renderer.render(used, jobs, given, now=datetime.now(UTC)):  # the server renders today's date
            if one.text is None:
                raise UsageError(
                    f"the chat template of {folder} fails: {one.error}", f"Give one with {called('chat_template')}."
                )
            texts.append(one.text)
        return texts

    return Local(
        render=render,
        count=lambda text: len(tokenizer(text, add_special_tokens=False)["input_ids"]),
        count_raw=lambda text: len(tokenizer(text)["input_ids"]),
    )
