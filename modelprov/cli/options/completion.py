"""What a shell offers as values of options. Nothing is imported before somebody presses the key."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import typer

ASKED = "_MODELPROV_COMPLETE"
"""Set by a shell that asks what could be typed."""
Offer = Callable[[str], list[str]]


def among(values: Sequence[str]) -> Offer:
    """Those of the values that begin as what was typed."""
    return lambda incomplete: [value for value in values if value.startswith(incomplete)]


def methods(incomplete: str) -> list[str]:
    """Ways to think, of `eval`."""
    from modelprov.behavior.generation.interface import METHODS

    return among(list(METHODS))(incomplete)


def arithmetics(incomplete: str) -> list[str]:
    """Named arithmetics of a merge."""
    from modelprov.recipes.arithmetics import DESCRIPTIONS

    return among([each.name for each in DESCRIPTIONS.values()])(incomplete)


def entries(context: typer.Context, incomplete: str) -> list[str]:
    """Names in the library that `--library` names; none where there is no library."""
    from modelprov.checkpoints.library_folder import read_library
    from modelprov.errors import ModelprovError

    folder = context.params.get("folder")
    try:
        return among([entry.name for entry in read_library(Path(folder)).entries])(incomplete) if folder else []
    except (ModelprovError, OSError):
        return []


def join_what_bash_parted() -> None:
    """Make `--device = c`, as which bash hands on `--device=c`, two words: an option and its value begun."""
    if not os.environ.get(ASKED, "").endswith("_bash"):
        return
    words, at = os.environ.get("COMP_WORDS", "").split("\n"), int(os.environ.get("COMP_CWORD", "0"))
    before = [word for last, word in pairwise(["", *words[:at]]) if word != "=" or not last.startswith("--")]
    os.environ["COMP_WORDS"] = "\n".join([*before, *words[at:]])
    os.environ["COMP_CWORD"] = str(at - len(words[:at]) + len(before))
