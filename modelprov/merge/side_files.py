"""The files beside the weights: config, tokenizer, chat template, generation config. Reads and hands on; runs nothing.

Only files of a model's own folder: a link out of it could bring any file of this machine into what is published.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from modelprov.checkpoints.files import Folder, read_small_file
from modelprov.checkpoints.json_files import read_json_object
from modelprov.checkpoints.layouts.side_files import (
    CONFIG,
    GENERATION,
    PROCESSORS,
    TEMPLATE,
    TOKENIZER,
    TOKENIZER_SETTINGS,
    VOCABULARY,
)
from modelprov.checkpoints.sources.local import LocalFiles
from modelprov.checkpoints.types import Checkpoint
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
        _found(_home(checkpoint), (VOCABULARY,))


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
    tokenizer, layout = _home(_tokenizer_model(plan)), _home(plan.checkpoints[plan.layout])
    template = template_text(plan.recipe)
    copied = _found(tokenizer, TOKENIZER) | _found(layout, OTHERS)
    for name, path in copied.items():
        if name == TEMPLATE and template is not None:
            continue
        if name == TOKENIZER_SETTINGS and template is not None:
            write(name, as_json({**read_json_object(path), "chat_template": template}))
        else:
            write(name, read_small_file(path, MAX_BYTES))
    if template is not None:
        write(TEMPLATE, template.encode())
    if not any(name in copied for name in TOKENIZER):
        notes.append("no tokenizer files were found to copy")
    notes += _other_vocabularies(plan, tokenizer)
    code = sorted(path.name for path in layout.path.glob("*.py")) if layout is not None else []
    if code:
        notes.append(f"code was not copied: {', '.join(code)} (config.json may ask for it)")
    return notes


def _home(checkpoint: Checkpoint) -> Folder | None:
    """The folder of a checkpoint that is on disk, links not followed (a cache keeps side files beside its links)."""
    if checkpoint.folder is None or not isinstance(checkpoint.source, LocalFiles):
        return None
    return Folder.of(checkpoint.folder)


def _found(home: Folder | None, names: Iterable[str]) -> dict[str, Path]:
    """Those of the files that are there, by name, each a regular file of the folder."""
    found = {} if home is None else {name: home.path / name for name in names if os.path.lexists(home.path / name)}
    for path in found.values():
        home.check(path)  # type: ignore[union-attr]
    return found


def _tokenizer_model(plan: MergePlan) -> Checkpoint:
    source = tokenizer_location(plan.recipe)
    return plan.checkpoints[plan.layout if source is None else plan.recipe.locations.index(source)]


def _other_vocabularies(plan: MergePlan, chosen: Folder | None) -> list[str]:
    """Models whose tokenizer.json is not the chosen one: row i of their embeddings may mean another token."""
    own = _vocabulary(chosen)
    if chosen is None or own is None or plan.recipe.tokenizer_source is not None:
        return []
    others = []
    for checkpoint in plan.checkpoints:
        home = _home(checkpoint)
        if home is not None and home.path != chosen.path and _vocabulary(home) not in (None, own):
            others.append(checkpoint.label)
    return [f"the tokenizer of {', '.join(others)} has another vocabulary than the one copied"] if others else []


def _vocabulary(home: Folder | None) -> object:
    """What a tokenizer.json says of tokens; None where there is none."""
    path = _found(home, (VOCABULARY,)).get(VOCABULARY)
    if path is None:
        return None
    document = read_json_object(path)
    model = document.get("model")
    return (model.get("vocab") if isinstance(model, dict) else None, document.get("added_tokens"))
