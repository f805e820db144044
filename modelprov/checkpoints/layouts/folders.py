"""Which folder is the model, where a folder holds several parts: sentence-transformers' modules, diffusers' pipelines.

Looks at names and at `modules.json`; opens no weights. A part is never chosen where several could be meant.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from modelprov.checkpoints.files import Folder, unreadable
from modelprov.checkpoints.json_files import read_json
from modelprov.checkpoints.layouts.files import WEIGHTS, few
from modelprov.errors import InvalidCheckpointError, UnsupportedFormatError
from modelprov.foreign.shown import quoted

PIPELINE = "model_index.json"
MODULES = "modules.json"
SHOWN = 12


def model_folder(path: Path, notes: list[str]) -> Path:
    """The folder in which the model of a folder lies, mostly itself; what is left out is added to `notes`.

    Raises `UnsupportedFormatError` for a pipeline of several models, `InvalidCheckpointError` for a `modules.json` that
    is none or leads elsewhere.
    """
    others = folders_with_weights(path)
    if others and (path / PIPELINE).is_file():
        raise UnsupportedFormatError(
            f"{path} holds a pipeline of several models ({PIPELINE}), each in its sub-folder: {few(others, SHOWN)}",
            f"Give the folder of one of them, e.g. {path / others[0]}.",
        )
    if not (path / MODULES).is_file():
        if others:
            notes.append(f"weights in sub-folders, not read: {few(others, SHOWN)}")
        return path
    Folder.of(path).check(path / MODULES)
    modules = _modules(path)
    chosen = next((path / place for place, kind in modules.items() if kind.endswith("Transformer")), path)
    chosen = chosen if chosen.is_dir() else path
    if chosen != path and any(file.suffix == WEIGHTS for file in listed(path)):
        raise UnsupportedFormatError(
            f"{path} holds weights itself, and {MODULES} names others in {chosen.name!r}: programs load either",
            f"Give the one you mean: {chosen}, or a weights file of {path}.",
        )
    if chosen != path:
        notes.append(f"read from the sub-folder {chosen.name!r}, as {MODULES} says")
    others = [name for name in others if path / name != chosen]
    if others:
        named = f", some of them modules of {MODULES}" if set(others) & set(modules) else ""
        notes.append(f"weights in sub-folders{named}, not read: {few(others, SHOWN)}")
    return chosen


def folders_with_weights(folder: Path) -> list[str]:
    """The sub-folders in which weights lie, by name; links are not followed, and what cannot be read has none."""
    found = []
    for inside in listed(folder):
        with suppress(OSError):
            if not inside.is_symlink() and inside.is_dir() and any(file.suffix == WEIGHTS for file in inside.iterdir()):
                found.append(inside.name)
    return found


def listed(folder: Path) -> list[Path]:
    """What lies in a folder, by name; raises `UnreadableFileError`."""
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise unreadable(folder, error) from error


def _modules(folder: Path) -> dict[str, str]:
    """Type by place of the modules of a sentence-transformers model."""
    value: Any = read_json(folder / MODULES)
    modules: dict[str, str] = {}
    for module in value if isinstance(value, list) else ():
        place, kind = (module.get("path"), module.get("type")) if isinstance(module, dict) else (None, None)
        if not isinstance(place, str) or not isinstance(kind, str):
            continue
        inside = PurePosixPath(place)
        if inside.is_absolute() or ".." in inside.parts or "\\" in place or not place.isprintable():
            raise InvalidCheckpointError(
                f"{folder / MODULES} names {quoted(place)}, which is outside the folder",
                "Do not trust this checkpoint.",
            )
        modules.setdefault(str(inside) if place else "", kind)
    return modules
