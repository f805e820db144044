"""Reads a checkpoint's chat templates, special tokens and code files from its folder. Renders nothing, runs nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from modelprov.behavior.probing.results import CodeFound
from modelprov.checkpoints.json_files import read_json_object
from modelprov.checkpoints.layouts.side_files import (
    CONFIG,
    GENERATION,
    HOLD_TEMPLATES,
    MORE_TEMPLATES,
    TEMPLATE,
    TOKENIZER_SETTINGS,
    VOCABULARY,
)
from modelprov.errors import InvalidCheckpointError, ModelprovError

DEFAULT = "default"
SPECIAL = ("bos_token", "eos_token", "pad_token", "unk_token", "sep_token", "cls_token", "mask_token")
HOLD_CODE = (CONFIG, GENERATION, *HOLD_TEMPLATES)
PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt")
MOST_BYTES = 4_000_000
MOST_FILES, MOST_LOOKED_AT = 200, 50_000


@dataclass(frozen=True)
class TemplateFile:
    """One chat template: where it stands, the name it has there (`default` where it has none), its text."""

    source: str
    name: str
    text: str


def read_templates(folder: Path) -> list[TemplateFile]:
    """Every chat template in the folder, in the order in which transformers prefers them.

    A `chat_template.jinja` stands over the tokenizer's own; processors have theirs. Raises `InvalidCheckpointError`
    for a file that is no UTF-8, no JSON, or far too large.
    """
    found = []
    if (folder / TEMPLATE).is_file():
        found.append(TemplateFile(TEMPLATE, DEFAULT, _text(folder / TEMPLATE)))
    more = sorted((folder / MORE_TEMPLATES).glob("*.jinja"))
    found += [TemplateFile(f"{MORE_TEMPLATES}/{path.name}", path.stem, _text(path)) for path in more]
    for name in HOLD_TEMPLATES:
        if (folder / name).is_file():
            held = read_json_object(folder / name).get("chat_template")
            found += [TemplateFile(name, *pair) for pair in _pairs(held)]
    return found


def _pairs(held: Any) -> Iterator[tuple[str, str]]:
    if isinstance(held, str):
        yield DEFAULT, held
    elif isinstance(held, dict):
        yield from ((str(name), text) for name, text in held.items() if isinstance(text, str))
    elif isinstance(held, list):
        for one in held:
            if isinstance(one, dict) and isinstance(one.get("template"), str):
                yield str(one.get("name", DEFAULT)), one["template"]


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InvalidCheckpointError(f"{path} has more than {MOST_BYTES:,} bytes", "No chat template is so large.")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidCheckpointError(f"{path} cannot be read as text ({error})", "Download this file again.") from error


def special_tokens(folder: Path) -> dict[str, str]:
    """Special tokens by name (`bos_token`, ...), as templates are given them."""
    path = folder / TOKENIZER_SETTINGS
    config = read_json_object(path) if path.is_file() else {}
    found = {}
    for name in SPECIAL:
        value = config.get(name)
        value = value.get("content") if isinstance(value, dict) else value
        if isinstance(value, str):
            found[name] = value
    return found


def added_tokens(folder: Path) -> tuple[str, ...]:
    """Texts of the tokens that stand for markup (`<|im_start|>`, ...), from the tokenizer's files."""
    found = list(special_tokens(folder).values())
    for name in (VOCABULARY, TOKENIZER_SETTINGS):
        try:
            held = read_json_object(folder / name) if (folder / name).is_file() else {}
        except ModelprovError:
            continue
        listed = held.get("added_tokens") or held.get("added_tokens_decoder")
        values = listed.values() if isinstance(listed, dict) else listed if isinstance(listed, list) else ()
        found += [one["content"] for one in values if isinstance(one, dict) and isinstance(one.get("content"), str)]
    return tuple(dict.fromkeys(one for one in found if one.strip()))


def code_in(folder: Path) -> tuple[CodeFound, ...]:
    """Everything in the folder that would run if it were trusted. It is listed; it is never imported."""
    found = []
    for path in sorted(path for path in islice(folder.rglob("*"), MOST_LOOKED_AT) if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if name == "custom_generate/generate.py":
            found.append(CodeFound(file=name, what="replaces generation without a word where remote code is trusted"))
        elif path.suffix == ".py":
            found.append(CodeFound(file=name, what="Python code"))
        elif path.suffix in PICKLES:
            found.append(CodeFound(file=name, what="a pickle: loading one can run code"))
    for name in HOLD_CODE:
        if (folder / name).is_file():
            held = _config(folder / name)
            if held.get("auto_map"):
                classes = json.dumps(held["auto_map"], ensure_ascii=False)[:200]
                found.append(CodeFound(file=name, what=f"auto_map names code to load: {classes}"))
            if held.get("custom_generate"):
                found.append(CodeFound(file=name, what=f"custom_generate: {str(held['custom_generate'])[:200]}"))
    return tuple(found[:MOST_FILES])


def _config(path: Path) -> dict[str, Any]:
    try:
        return read_json_object(path)
    except ModelprovError:
        return {}
