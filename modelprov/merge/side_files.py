"""The files beside the weights: config, tokenizer, chat template, generation config. Reads and hands on; runs nothing.

Only files of a model's own folder: a link out of it could bring any file of this machine into what is published.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from modelprov.checkpoints.homes import Home, json_in
from modelprov.checkpoints.layouts.side_files import (
    CONFIG,
    GENERATION,
    OTHER_VOCABULARIES,
    PROCESSORS,
    TEMPLATE,
    TOKENIZER,
    TOKENIZER_SETTINGS,
    VOCABULARY,
)
from modelprov.checkpoints.writing import as_json
from modelprov.merge.config import merged_config
from modelprov.merge.planned import MergePlan
from modelprov.recipes.chat_template import template_text
from modelprov.recipes.tokenizer_source import tokenizer_location

OTHERS = (GENERATION, *PROCESSORS)
MAX_BYTES = 1_000_000_000


def check_side_files(plan: MergePlan) -> None:
    """Raise, before any work, what writing them would raise, or for a foreign link in any of the models."""
    write_side_files(plan, lambda _name, _data: None)
    for checkpoint in plan.checkpoints:
        _found(checkpoint.files, (VOCABULARY,))


def write_side_files(plan: MergePlan, write: Callable[[str, bytes], None]) -> list[str]:
    """Hand all of them to `write`, by name; the sentences say what a user has to know.

    Raises `OSError` as `write` does, `ForeignLinkError`, and what reading raises.
    """
    notes: list[str] = []
    config = merged_config(plan)
    if config is None:
        notes.append(f"{plan.checkpoints[plan.layout].label} has no {CONFIG}, so the merge has none")
    else:
        write(CONFIG, as_json(config))
    tokenizer, layout = _tokenizer_home(plan), plan.checkpoints[plan.layout].files
    template = template_text(plan.recipe)
    copied = _found(tokenizer, TOKENIZER) | _found(layout, OTHERS)
    if plan.tokenizer is not None:
        copied = {name: home for name, home in copied.items() if name not in (VOCABULARY, *OTHER_VOCABULARIES)}
        write(VOCABULARY, as_json(plan.tokenizer))
    for name, home in copied.items():
        if name == TEMPLATE and template is not None:
            continue
        if name == TOKENIZER_SETTINGS and template is not None:
            write(name, as_json({**json_in(home, name), "chat_template": template}))
        else:
            write(name, home.read(name, MAX_BYTES))
    if template is not None:
        write(TEMPLATE, template.encode())
    if plan.tokenizer is None and not any(name in copied for name in TOKENIZER):
        notes.append("no tokenizer files were found to copy")
    notes += _other_vocabularies(plan, tokenizer)
    code = [name for name in layout.names() if name.endswith(".py")] if layout is not None else []
    if code:
        notes.append(f"code was not copied: {', '.join(code)} (config.json may ask for it)")
    return notes


def _found(home: Home | None, names: Iterable[str]) -> dict[str, Home]:
    """Those of the files that are there, by name, each a regular file of its home."""
    if home is None:
        return {}
    there = set(home.names())
    found = dict.fromkeys((name for name in names if name in there), home)
    for name in found:
        home.check(name)
    return found


def _tokenizer_home(plan: MergePlan) -> Home | None:
    source = tokenizer_location(plan.recipe)
    return plan.checkpoints[plan.layout if source is None else plan.recipe.locations.index(source)].files


def _other_vocabularies(plan: MergePlan, chosen: Home | None) -> list[str]:
    """Models whose tokenizer.json is not the chosen one: row i of their embeddings may mean another token."""
    own = _vocabulary(chosen)
    if chosen is None or own is None or plan.recipe.tokenizer_source is not None:
        return []
    others = []
    for checkpoint in plan.checkpoints:
        home = checkpoint.files
        if home is not None and home.place() != chosen.place() and _vocabulary(home) not in (None, own):
            others.append(checkpoint.label)
    return [f"the tokenizer of {', '.join(others)} has another vocabulary than the one copied"] if others else []


def _vocabulary(home: Home | None) -> object:
    """What a tokenizer.json says of tokens; None where there is none."""
    if home is None or not _found(home, (VOCABULARY,)):
        return None
    document = json_in(home, VOCABULARY)
    model = document.get("model")
    return (model.get("vocab") if isinstance(model, dict) else None, document.get("added_tokens"))
