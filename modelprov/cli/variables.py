"""The variables of the environment that options have, and what is said of one that means nothing. Runs nothing.

An option has two: its command's own (MODELPROV_COMPARE_THREADS), and the one that every command with that option has
(MODELPROV_THREADS), as the tables [defaults.compare] and [defaults] of the file.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from typer.core import TyperOption

from modelprov.errors import UsageError

if TYPE_CHECKING:
    from typer._click import Command

PREFIX = "MODELPROV"
OF_NO_OPTION = frozenset(
    f"{PREFIX}_{name}"
    for name in (
        *("API_KEY", "BANDWIDTH", "CACHE", "CACHE_SIZE", "CONFIG", "CONNECTIONS", "KERNEL"),  # by the program
        *("FAULTS", "LINEAGE_POOL", "RAY", "REPOSITORY", "SLOW"),  # by its tests, benchmarks and build
    )
)
"""What is read elsewhere."""


def options(command: Any) -> dict[str, TyperOption]:
    """The options of a command by the longest of their names, without dashes in front: `sample-size`."""
    return {
        max(each.opts, key=len).lstrip("-"): each
        for each in command.params
        if isinstance(each, TyperOption) and each.name != "help"
    }


def variable(path: Sequence[str], name: str) -> str:
    """The variable of an option: MODELPROV_COMPARE_SAMPLE_SIZE, MODELPROV_LIBRARY_ADD_NAME; MODELPROV_SAMPLE_SIZE."""
    return "_".join((PREFIX, *path, name)).replace("-", "_").upper()


def nearest(name: str, known: Sequence[str]) -> str:
    """What may have been meant, as advice."""
    near = difflib.get_close_matches(name, known, 1, 0.5)
    return f"Did you mean {near[0]}?" if near else f"There are {', '.join(sorted(known))}."


def name_variables(command: Any, path: Sequence[str]) -> None:
    """Have the options of the command at `path` read their variables, its own before the shared one.

    Raises `UsageError` for a variable with this command's name that none of its options has.
    """
    own = {variable(path, name): (variable([], name), each) for name, each in options(command).items()}
    start = variable(path, "")
    for name in os.environ:
        if name.startswith(start) and name not in own:
            raise UsageError(f"the variable {name} is of no option of {' '.join(path)}", nearest(name, list(own)))
    for name, (shared, each) in own.items():
        each.envvar, each.show_envvar = [name, shared], False


def without_meaning(command: Any, every: Callable[[], Mapping[str, Command]]) -> list[str]:
    """Sentences on the variables MODELPROV_… that neither this command nor another of the program reads.

    `every` gives the commands by name, and is asked only where this one does not know a variable.
    """
    taken = OF_NO_OPTION.union(*(each.envvar or () for each in options(command).values()))
    strange = sorted(name for name in os.environ if name.startswith(f"{PREFIX}_") and name not in taken)
    if not strange:
        return []
    known = sorted(taken.union(*(_all(each, [name]) for name, each in every().items())))
    return [
        f"the variable {name} means nothing and was ignored{_near(name, known)}"
        for name in strange
        if name not in known
    ]


def _near(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, 1, 0.8)
    return f"; did you mean {near[0]}?" if near else ""


def _all(command: Any, path: Sequence[str]) -> set[str]:
    inner: Mapping[str, Any] | None = getattr(command, "commands", None)
    if inner is not None:
        return set().union(*(_all(each, [*path, name]) for name, each in inner.items()))
    return {variable(where, name) for name in options(command) for where in (path, [])}
