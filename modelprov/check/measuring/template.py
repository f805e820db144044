"""What the chat templates add unasked, and whether that says who the model is. Templates are rendered in a sandbox."""

from __future__ import annotations

import re
from pathlib import Path

from modelprov.behavior.probing.hidden_prompts import examine
from modelprov.behavior.probing.template_files import added_tokens, read_templates, special_tokens
from modelprov.behavior.templates.rendering import Renderer
from modelprov.check.interface import HiddenPrompt

IDENTITY = re.compile(
    r"\b(?:you are|you're|i am|i'm) (?!an? |the |not |now )|\b(?:your|my) name is\b|\bnamed \w|\bcalled \w"
    r"|\b(?:created|developed|trained|made|built) by\b"
    r"|\bvoc[êe] é (?!uma? |o |a )|\b(?:seu|meu) nome é\b|\beu sou (?!uma? )"
    r"|\b(?:criad|desenvolvid|treinad|feit)[oa] (?:por|pel[oa])\b"
    r"|[你您我]是(?!一[个名位款])|[你您]叫|名叫|名为|(?:开发|训练|创建|研发)的",
    re.IGNORECASE,
)
"""Words that make an instruction one about who the model is; only ever applied to text that was found by rendering."""


def hidden_prompts(folder: Path) -> tuple[tuple[HiddenPrompt, ...], str | None]:
    """Instructions that the templates add, and why a template could not be examined (None: all could).

    Raises `InvalidCheckpointError` for template files that cannot be read.
    """
    found, failed, renderer = [], [], Renderer()
    special, markup = special_tokens(folder), added_tokens(folder)
    for number, template in enumerate(read_templates(folder)):
        seen = examine(template, special, markup, used=number == 0, renderer=renderer)
        if seen.seen.error is not None:
            failed.append(f"{template.source}: {seen.seen.error}")
        texts = dict.fromkeys(one.text for one in seen.hidden)
        found += [HiddenPrompt(text, template.source, bool(IDENTITY.search(text))) for text in texts]
    return tuple(found), "; ".join(failed) or None
