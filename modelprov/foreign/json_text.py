"""Reads JSON as hostile input: bounded depth, bounded numbers, and every fault a `JsonError` in words.

Python's own reader has three surprises: it gives up with `RecursionError`, refuses whole numbers of 4,301 digits with a
hint for programmers, and takes the last of two values that have one key.
"""

from __future__ import annotations

import json
import math
import re
from itertools import chain
from typing import Any

from modelprov.foreign.shown import quoted, shortened

MAX_DEPTH = 60
MOST_DIGITS = 300
"""Of a whole number: every shorter one is also a finite float64."""
LONG_NUMBER = re.compile(rf"[0-9]{{{MOST_DIGITS + 1}}}")
STEP = 10
MAYBE_LONG = re.compile(rf"[0-9]{{{(MOST_DIGITS + 1) // STEP}}}")
"""What every tenth character of a text with a long number holds too: ten times as fast to look for."""


class JsonError(ValueError):
    """The text is not JSON, or more than any file of a model holds; `line` says where, if that is known."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


def parse_json(text: str | bytes, *, unique: bool = False, finite: bool = False, stored: bool = False) -> Any:
    """The value of a JSON text; bytes are UTF-8, -16 or -32, with or without a mark.

    `unique` refuses a key that is given twice in one object, `finite` NaN, infinities and numbers beyond float64,
    `stored` text that no file can hold: half of a pair of surrogates. Raises `JsonError`.
    """
    try:
        decoded = text if isinstance(text, str) else text.decode(json.detect_encoding(text))
        hooks: dict[str, Any] = {"object_pairs_hook": _unique} if unique else {}
        if MAYBE_LONG.search(decoded[::STEP]) and LONG_NUMBER.search(decoded):
            hooks["parse_int"] = _whole
        if finite:
            hooks |= {"parse_constant": _constant, "parse_float": _float}
        value = json.loads(decoded.removeprefix("\ufeff"), **hooks)
    except JsonError:
        raise
    except RecursionError as error:
        raise JsonError("it is nested too deeply") from error
    except json.JSONDecodeError as error:
        raise JsonError(f"{error.msg}: line {error.lineno} column {error.colno}", error.lineno) from error
    except UnicodeDecodeError as error:
        raise JsonError(f"it is not {error.encoding} text ({error.reason} at byte {error.start})") from error
    except ValueError as error:
        raise JsonError(shortened(str(error), 80)) from error
    if not _within(value, MAX_DEPTH):
        raise JsonError("it is nested too deeply")
    if stored and ("\\ud" in decoded or "\\uD" in decoded) and not _encodes(value):
        raise JsonError("it holds half of a character (a lone surrogate)")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise JsonError(f"the name {quoted(twice)} appears twice")
    return made


def _encodes(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise JsonError(f"it holds a whole number of {len(digits):,} digits")
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise JsonError(f"it holds a number beyond float64 ({shortened(digits, 20)})")
    return value


def _constant(name: str) -> float:
    raise JsonError(f"{name} is not JSON")


def _within(value: Any, depth: int) -> bool:
    """Whether lists and objects nest at most `depth` deep; level by level, so that nothing recurses."""
    dicts: list[dict[str, Any]] = [value] if type(value) is dict else []
    lists: list[list[Any]] = [value] if type(value) is list else []
    while (dicts or lists) and depth:
        depth -= 1
        parts = [*chain.from_iterable(map(dict.values, dicts)), *chain.from_iterable(lists)]
        kinds = set(map(type, parts))
        dicts = [part for part in parts if type(part) is dict] if dict in kinds else []
        lists = [part for part in parts if type(part) is list] if list in kinds else []
    return not dicts and not lists
