"""Which folder is the model, where a folder holds several parts: sentence-transformers' modules, diffusers' pipelines.

Looks at names and at `modules.json`; opens no weights. A part is never chosen where several could be meant.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from modelprov.checkpoints.homes import Home
from modelprov.checkpoints.json_files import MAX_JSON_BYTES, json_value
from modelprov.checkpoints.layouts.files import WEIGHTS, few
from modelprov.errors import InvalidCheckpointError, UnsupportedFormatError
from modelprov.foreign.shown import quoted

PIPELINE = "model_index.json"
MODULES = "modules.json"
SHOWN = 12


def model_home(home: Home, notes: list[str]) -> Home:
    """The folder in which the model of a folder lies, mostly itself; what is left out is added to `notes`.

    Raises `UnsupportedFormatError` for a pipeline of several models, `InvalidCheckpointError` for a `modules.json` that
    is none or leads elsewhere, `ForeignLinkError` for a sub-folder that does.
    """
    others = folders_with_weights(home)
    if others and home.has(PIPELINE):
        raise UnsupportedFormatError(
            f"{home.place()} holds a pipeline of several models ({PIPELINE}), each in its sub-folder: "
            f"{few(others, SHOWN)}",
            f"Give the folder of one of them, e.g. {home.place(others[0])}.",
        )
    if not home.has(MODULES):
        if others:
            notes.append(f"weights in sub-folders, not read: {few(others, SHOWN)}")
        return home
    modules = _modules(home)
    chosen = next((place for place, kind in modules.items() if kind.endswith("Transformer")), "")
    chosen = chosen if chosen and home.has(chosen) else ""
    if chosen and any(name.endswith(WEIGHTS) for name in home.names()):
        raise UnsupportedFormatError(
            f"{home.place()} holds weights itself, and {MODULES} names others in {chosen!r}: programs load either",
            f"Give the one you mean: {home.place(chosen)}, or a weights file of {home.place()}.",
        )
    if chosen:
        notes.append(f"read from the sub-folder {chosen!r}, as {MODULES} says")
    others = [name for name in others if name != chosen]
    if others:
        named = f", some of them modules of {MODULES}" if set(others) & set(modules) else ""
        notes.append(f"weights in sub-folders{named}, not read: {few(others, SHOWN)}")
    return home.sub(chosen) if chosen else home


def folders_with_weights(home: Home) -> list[str]:
    """The sub-folders in which weights lie, by name; links are not followed, and what cannot be read has none."""
    return [name for name, inside in home.folders().items() if any(each.endswith(WEIGHTS) for each in inside)]


def _modules(home: Home) -> dict[str, str]:
    """Type by place of the modules of a sentence-transformers model."""
    value: Any = json_value(home.read(MODULES, MAX_JSON_BYTES), home.place(MODULES))
    modules: dict[str, str] = {}
    for module in value if isinstance(value, list) else ():
        place, kind = (module.get("path"), module.get("type")) if isinstance(module, dict) else (None, None)
        if not isinstance(place, str) or not isinstance(kind, str):
            continue
        inside = PurePosixPath(place)
        if inside.is_absolute() or ".." in inside.parts or "\\" in place or not place.isprintable():
            raise InvalidCheckpointError(
                f"{home.place(MODULES)} names {quoted(place)}, which is outside the folder",
                "Do not trust this checkpoint.",
            )
        modules.setdefault(str(inside) if place else "", kind)
    return modules
