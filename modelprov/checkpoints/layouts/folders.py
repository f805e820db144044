"""Which folders are the model, where a folder holds several: sentence-transformers' modules, diffusers' pipelines.

Looks at names, `modules.json` and `model_index.json`; opens no weights. A part is never chosen where several could be
meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from modelprov.checkpoints.homes import Home, json_in
from modelprov.checkpoints.json_files import MAX_JSON_BYTES, json_value
from modelprov.checkpoints.layouts.files import PICKLES, WEIGHTS, few, is_training_state
from modelprov.errors import InvalidCheckpointError, UnsupportedFormatError
from modelprov.foreign.shown import quoted

PIPELINE = "model_index.json"
MODULES = "modules.json"
SHOWN = 12


@dataclass(frozen=True, slots=True)
class Part:
    """A folder of a model ("" is the model's own) and what stands before the names of its tensors in the whole."""

    folder: str
    prefix: str


def model_parts(home: Home, notes: list[str]) -> list[Part]:
    """The folders in which the model of a folder lies, mostly itself alone; what is left out is added to `notes`.

    A pipeline of diffusers is all of its models; a model of sentence-transformers its transformer, under its own names,
    and the other modules that have weights. Raises `UnsupportedFormatError` where several could be meant,
    `InvalidCheckpointError` for a `modules.json` or `model_index.json` that is none or leads elsewhere.
    """
    others = folders_with_weights(home)
    if others and home.has(PIPELINE):
        return _pipeline(home, others, notes)
    if not home.has(MODULES):
        if others:
            notes.append(f"weights in sub-folders, not read: {few(others, SHOWN)}")
        return [Part("", "")]
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
    more = [name for name in others if name in modules]
    if more:
        notes.append(f"read with the modules {few(more, SHOWN)}, as {MODULES} says")
    if rest := [name for name in others if name not in modules]:
        notes.append(f"weights in sub-folders, not read: {few(rest, SHOWN)}")
    return [Part(chosen, ""), *(Part(name, f"{name}.") for name in more)]


def _pipeline(home: Home, others: list[str], notes: list[str]) -> list[Part]:
    """The models that a pipeline names and that have weights, in the order of their names."""
    index = json_in(home, PIPELINE)
    named = [name for name in others if isinstance(index.get(name), list) and any(index[name])]
    if home.folder is None:  # files of torch.save are read on this machine alone: the other parts are worth reading
        plain = folders_with_weights(home, (WEIGHTS,))
        if plain and (pickled := [name for name in named if name not in plain]):
            notes.append(f"parts in files of torch.save, which are not read from elsewhere: {few(pickled, SHOWN)}")
            named = [name for name in named if name in plain]
            others = [name for name in others if name not in pickled]
    if not named:
        raise UnsupportedFormatError(
            f"{home.place()} holds several models, each in its sub-folder, and {PIPELINE} names none of them: "
            f"{few(others, SHOWN)}",
            f"Give the folder of one of them, e.g. {home.place(others[0])}.",
        )
    notes.append(f"a pipeline of {few(named, SHOWN)}, each read under its name, as {PIPELINE} says")
    if rest := [name for name in others if name not in named]:
        notes.append(f"weights in sub-folders that {PIPELINE} does not name, not read: {few(rest, SHOWN)}")
    if beside := [name for name in home.names() if name.endswith(WEIGHTS)]:
        notes.append(f"weights beside the pipeline, not read: {few(beside, SHOWN)}; give the path of the one you mean")
    return [Part(name, f"{name}.") for name in named]


def folders_with_weights(home: Home, endings: tuple[str, ...] = (WEIGHTS, *PICKLES)) -> list[str]:
    """The sub-folders in which weights lie, by name; links are not followed, and what cannot be read has none.

    The state of a training run is none.
    """
    return [
        name
        for name, inside in home.folders().items()
        if any(each.endswith(endings) and not is_training_state(each) for each in inside)
    ]


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
