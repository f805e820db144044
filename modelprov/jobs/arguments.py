"""What every job asks of its arguments, before anything is opened. Pure checks; `UsageError` says what is wrong."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from modelprov.called import called
from modelprov.checkpoints.remote.locations import canonical, without_secrets
from modelprov.errors import UsageError
from modelprov.foreign.json_text import JsonError, parse_json

Location = str | os.PathLike[str]

FORMATS: Final = ("in-toto", "cyclonedx", "spdx")
"""Of evidence that `attest` writes."""
DTYPES: Final = ("auto", "float32", "bfloat16", "float16")
MISSING: Final = ("base", "copy", "drop", "error")
READINGS: Final = ("auto", "map", "direct", "buffered")
WHERE: Final = (
    "Give a folder, a .safetensors file, org/name, an address, BASE+ADAPTER, or a recipe; a saved report by its file."
)


def refuse_below(least: int, **given: int | None) -> None:
    """Refuse numbers that are too small; None is the default and passes."""
    for name, value in given.items():
        if value is not None and not isinstance(value, int | float):
            raise UsageError(f"{called(name)} is a number, not {value!r:.60}")
        if value is not None and value < least:
            raise UsageError(f"{called(name)} is at least {least}, not {value}")


def text_of(given: Location) -> str:
    """A location as text; `UsageError` for what is none."""
    if not isinstance(given, str | os.PathLike) or not os.fspath(given):
        raise UsageError(f"a location is text or a path, not {type(given).__name__} {given!r:.60}", WHERE)
    return os.fspath(given)


def path_of(given: Location) -> Path:
    """A location on this machine, with `~` as the home that it stands for; `UsageError` for what is none."""
    return Path(os.path.expanduser(text_of(given)))


def several(given: Location | Iterable[Location]) -> list[str]:
    """One location or several, as text; `UsageError` for what is none."""
    if isinstance(given, str | os.PathLike):
        return [text_of(given)]
    if not isinstance(given, Iterable):
        raise UsageError(f"locations are text or paths, not {given!r:.60}", WHERE)
    return [text_of(each) for each in given]


def place(location: str) -> str:
    """The same text for the same file, folder or address, however it is written; never fails (links may go round)."""
    path = os.path.expanduser(location)
    return canonical(location) if not os.path.exists(path) else os.path.realpath(path)


def refuse_repeated(locations: Sequence[str]) -> None:
    """A checkpoint has one role: a control that is the suspect, or a parent given twice, would only mislead."""
    seen: dict[str, str] = {}
    for location in locations:
        where = place(location)
        if where in seen:
            also = f" (as {seen[where]!r} and {location!r})" if seen[where] != location else ""
            raise UsageError(f"the same checkpoint is given twice{also}", "Name every checkpoint once.")
        seen[where] = location


def with_reference_last(checkpoints: Sequence[str], reference: str | None) -> list[str]:
    """The suspect, then its parents in their order with the reference last: the one named, else the last given."""
    if len(checkpoints) < 2:
        raise UsageError(
            "compare needs a suspect and at least one parent",
            "Give the suspect first, then its possible parents; the last is the reference, usually the common base.",
        )
    suspect, *parents = checkpoints
    if reference is None:
        return [suspect, *parents]
    if place(reference) == place(suspect):
        raise UsageError("the suspect cannot be its own reference", "Name one of the parents.")
    others = [parent for parent in parents if place(parent) != place(reference)]
    return [suspect, *others, next((parent for parent in parents if parent not in others), reference)]


def command_line(job: str, words: Iterable[str], options: Iterable[tuple[str, object, object]]) -> str:
    """The command that does the same, from (option, value, default); what is the default is left out.

    True is the option alone; several values repeat it.
    """
    line = ["modelprov", job, *words]
    for option, value, default in options:
        if value == default:
            continue
        for each in value if isinstance(value, list | tuple) else (value,):
            line += (
                [option] if each is True else [option, os.fspath(each) if isinstance(each, os.PathLike) else str(each)]
            )
    return shlex.join(map(without_secrets, line))


def extra_fields(thinking: str | None, extra_body: str | None, endpoint: str | None) -> dict[str, Any]:
    """What every request to an endpoint says besides; raises `UsageError` where there is none, or it is no object.

    Templates call the switch `enable_thinking` (Qwen3, GLM) or `thinking` (DeepSeek, Granite): both are set.
    """
    if endpoint is None and not (thinking is None and extra_body is None):
        name = called("extra_body") if thinking is None else called("thinking")
        raise UsageError(f"{name} is for {called('endpoint')}", f"Give {called('endpoint')}, or leave it out.")
    if thinking not in (None, "on", "off"):
        raise UsageError(
            f"{called('thinking')} is on or off, not {thinking!r}", "Leave it out for the template's own way."
        )
    try:
        found = {} if extra_body is None else parse_json(extra_body, unique=True, finite=True)
    except JsonError as error:
        raise UsageError(f"{called('extra_body')} is no JSON: {error}", "Write it like '{\"top_k\": 20}'.") from error
    if not isinstance(found, dict):
        raise UsageError(f"{called('extra_body')} is no JSON object", "Write it like '{\"top_k\": 20}'.")
    if thinking is not None:
        given = found.get("chat_template_kwargs")
        switch = dict.fromkeys(("enable_thinking", "thinking"), thinking == "on")
        found["chat_template_kwargs"] = {**(given if isinstance(given, dict) else {}), **switch}
    return found
