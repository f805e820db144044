"""The file of defaults, `modelprov.toml`: what options are where nobody gave them. Reads and refuses; runs nothing.

Of the same file `check` reads its policy ([check], [rules]); defaults stand in [defaults], for every command that has
the option, and in [defaults.compare] and the like, for one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from modelprov.check.settings_file import DEFAULTS, FILE, MAX_BYTES, TABLES
from modelprov.checkpoints.files import read_small_file
from modelprov.cli.terminal import say
from modelprov.cli.variables import nearest, options
from modelprov.errors import UsageError
from modelprov.foreign.shown import shortened

VARIABLE = "MODELPROV_CONFIG"
SHOWN = 80  # characters of a key in a message
SEE = "docs/command-line.md says how the file is written."
OF_A_MODEL = ("config.json", "*.safetensors", "*.gguf", "*.bin")


def defaults_file() -> Path | None:
    """The file that `MODELPROV_CONFIG` names, or the one in the working directory; None where there is neither.

    One that lies beside weights is not taken by itself: a model must not bring the settings that it is judged by.
    """
    if named := os.environ.get(VARIABLE):
        return Path(named).expanduser()
    here = Path(FILE)
    if not here.is_file():
        return None
    if any(next(Path().glob(pattern), None) for pattern in OF_A_MODEL):
        say(f"{FILE} lies beside a model and was not read for defaults; {VARIABLE}={FILE} takes it")
        return None
    return here


def read_for(name: str, every: Mapping[str, Any], path: Path) -> dict[str | None, Any]:
    """What the file gives the command of this name, by what its function calls the options; `every`: all commands.

    Raises `UsageError` for a table, command or key that there is not. A key of [defaults] may be another command's.
    """
    found = _table(_document(path).get(DEFAULTS, {}), f"{path}: [{DEFAULTS}]")
    shared = {key: value for key, value in found.items() if key not in every}
    for key, value in shared.items():
        if isinstance(value, dict):
            raise UsageError(f"{path}: unknown command [{DEFAULTS}.{shortened(key, SHOWN)}]", nearest(key, list(every)))
    _refuse_others(shared, {each for every_one in every.values() for each in _all(every_one)}, f"{path}: [{DEFAULTS}]")
    where = f"{DEFAULTS}.{name}"
    own, command = _table(found.get(name, {}), f"{path}: [{where}]"), every[name]
    inner = getattr(command, "commands", None)
    if inner is None:
        return _values(command, shared, own, f"{path}: [{where}]")
    _refuse_others(own, inner, f"{path}: [{where}]")
    tables = {each: f"{path}: [{where}.{each}]" for each in inner}
    return {each: _values(inner[each], shared, _table(own.get(each, {}), at), at) for each, at in tables.items()}


def _document(path: Path) -> Mapping[str, Any]:
    import tomllib  # which a run without the file does without

    try:
        document = tomllib.loads(read_small_file(path, MAX_BYTES).decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise UsageError(f"{path} is not valid TOML: {shortened(str(error), 2 * SHOWN)}", SEE) from error
    for table in document:
        if table not in TABLES:
            raise UsageError(f"{path}: unknown table [{shortened(table, SHOWN)}]", nearest(table, TABLES))
    return document


def _table(found: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(found, dict):
        raise UsageError(f"{where} is a table", SEE)
    return found


def _all(command: Any) -> Iterable[str]:
    inner = getattr(command, "commands", None)
    return options(command) if inner is None else [name for each in inner.values() for name in _all(each)]


def _values(command: Any, shared: Mapping[str, Any], own: Mapping[str, Any], where: str) -> dict[str | None, Any]:
    """A command's own table and what it shares with others, by the names that its function has for the options."""
    known = options(command)
    _refuse_others(own, known, where)
    taken = {key: value for key, value in shared.items() if _spelt(key) in known} | dict(own)
    return {
        known[_spelt(key)].name: _checked(value, f"{where} {shortened(key, SHOWN)}") for key, value in taken.items()
    }


def _refuse_others(found: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    names = list(known)
    for key in found:
        if _spelt(key) not in names:
            raise UsageError(f"{where}: unknown key {shortened(key, SHOWN)}", nearest(_spelt(key), names))


def _spelt(key: str) -> str:
    return key.replace("_", "-")


def _checked(value: Any, where: str) -> Any:
    """A value that a command line could give too; numbers are read by the option, as words."""
    if isinstance(value, bool | int | float | str):
        return value if isinstance(value, bool) else str(value)
    if isinstance(value, list) and all(isinstance(each, int | float | str) for each in value):
        return [str(each) for each in value]
    raise UsageError(f"{where} is a word, a number, true, false, or a list of words", SEE)
