"""What every job asks of its arguments, before anything is opened. Pure checks; `UsageError` says what is wrong."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

from modelprov.errors import UsageError

Location = str | os.PathLike[str]

DEVICES: Final = ("auto", "cpu", "cuda")
MISSING: Final = ("base", "copy", "drop", "error")
READINGS: Final = ("auto", "map", "direct", "buffered")


def refuse_other(name: str, value: str, known: Sequence[str]) -> None:
    """Refuse a value that is none of the known; `name` is what the reader calls the argument."""
    if value not in known:
        raise UsageError(f"{name} is {', '.join(known[:-1])} or {known[-1]}, not {value!r}")


def refuse_below(name: str, value: int | None, least: int) -> None:
    """Refuse a number that is too small; None is the default and passes."""
    if value is not None and value < least:
        raise UsageError(f"{name} is at least {least}, not {value}")


def place(location: str) -> str:
    """The same text for the same file or folder, however it is written; never fails (links may go in circles)."""
    return os.path.realpath(os.path.expanduser(location))


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
            "Usage: modelprov compare SUSPECT PARENT [PARENT ...]; see `modelprov compare --help`.",
        )
    suspect, *parents = checkpoints
    if reference is None:
        return [suspect, *parents]
    if place(reference) == place(suspect):
        raise UsageError("the suspect cannot be its own reference", "Name one of the parents.")
    others = [parent for parent in parents if place(parent) != place(reference)]
    return [suspect, *others, next((parent for parent in parents if parent not in others), reference)]
