"""Reads YAML as hostile input, with the line of every value. Knows no keys; says what is wrong in place of raising."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import yaml

from modelprov.check.interface import Problem
from modelprov.check.results import Location
from modelprov.check.shortened import shortened

SHOWN = 80  # characters of foreign text in a problem
MAX_VALUES = 200_000
"""Values of a document, each alias counted with everything it stands for."""
MAX_DEPTH = 60
MAX_OPEN_BRACKETS = 500
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
SCALARS = {f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float")}
PLAIN = "tag:yaml.org,2002:"
KNOWN = SCALARS | {PLAIN + kind for kind in ("str", "seq", "map", "timestamp", "binary", "value")}
OTHER_BREAKS = str.maketrans("\x85\u2028\u2029", "   ")  # line ends for YAML, but for no editor


@dataclass(frozen=True)
class Value:
    """A value as plain data, and where it stands (from 1); `entries` of a mapping, `items` of a list."""

    data: Any
    line: int
    column: int
    entries: Mapping[str, Value] = field(default_factory=lambda: MappingProxyType({}))
    items: tuple[Value, ...] = ()

    def at(self, file: str) -> Location:
        """Its place in `file`."""
        return Location(file=file, line=self.line, column=self.column)


class _TooLargeError(Exception):
    """The document is more than a card or a recipe ever is."""


def read_yaml(text: str, file: str, first_line: int = 1) -> tuple[Value | None, tuple[Problem, ...]]:
    """The one document in `text`, whose first line is line `first_line` of `file`; None where there is none.

    Nothing is constructed but text, numbers, truth values, null, lists and mappings; dates stay text. Of a key that is
    given twice the last counts, as for most readers, and a problem says so.
    """
    try:
        if _open_brackets(text) > MAX_OPEN_BRACKETS:
            raise _TooLargeError("is nested too deeply")
        node = yaml.compose(text.translate(OTHER_BREAKS), Loader=LOADER)
        if node is None:
            return None, ()
        reader = _Reader(file, first_line)
        value, _ = reader.read(node, 0)
    except yaml.MarkedYAMLError as error:
        unclosed = "end of stream" in (error.problem or "")  # what is not closed matters where it was opened
        mark = (error.context_mark if unclosed else None) or error.problem_mark or error.context_mark
        last = text.rstrip().count("\n")  # a parser also complains of the line after the last
        line = first_line + (min(mark.line, last) if mark is not None else 0)
        column = mark.column + 1 if mark is not None else None
        what = error.problem or error.context or "unknown mistake"
        return None, (_problem(f"not valid YAML: {shortened(what, SHOWN)}", file, line, column, "not YAML"),)
    except (yaml.YAMLError, ValueError) as error:
        what = str(error).splitlines()[0] if str(error) else type(error).__name__
        return None, (_problem(f"not valid YAML: {shortened(what, SHOWN)}", file, first_line, None, "not YAML"),)
    except (_TooLargeError, RecursionError) as error:
        words = str(error) if isinstance(error, _TooLargeError) else "is nested too deeply"
        return None, (_problem(f"the YAML {words}; it was not read", file, first_line, None, "too large"),)
    return value, tuple(reader.problems)


class _Reader:
    """Turns composed nodes into values; remembers shared ones, so that aliases cost what they are."""

    def __init__(self, file: str, first_line: int) -> None:
        self.file = file
        self.first_line = first_line
        self.problems: list[Problem] = []
        self.known: dict[int, tuple[Value, int]] = {}
        self.open: set[int] = set()
        self.scalars = yaml.SafeLoader("")

    def read(self, node: yaml.Node, depth: int) -> tuple[Value, int]:
        """The value of a node, and how many values it stands for."""
        if id(node) in self.known:
            return self.known[id(node)]
        if id(node) in self.open:
            raise _TooLargeError("holds itself (an alias inside its own anchor)")
        if depth > MAX_DEPTH:
            raise _TooLargeError("is nested too deeply")
        self.open.add(id(node))
        made = self._mapping(node, depth) if isinstance(node, yaml.MappingNode) else self._other(node, depth)
        self.open.discard(id(node))
        if made[1] > MAX_VALUES:
            raise _TooLargeError(f"stands for more than {MAX_VALUES:,} values")
        self.known[id(node)] = made
        return made

    def _place(self, node: yaml.Node) -> tuple[int, int]:
        return self.first_line + node.start_mark.line, node.start_mark.column + 1

    def _mapping(self, node: yaml.MappingNode, depth: int) -> tuple[Value, int]:
        entries: dict[str, Value] = {}
        total = 1
        for key, content in node.value:
            line, column = self._place(key)
            if not isinstance(key, yaml.ScalarNode):
                self.problems.append(_problem("a key is not text", self.file, line, column, "key"))
                continue
            name = key.value
            if key.tag == PLAIN + "merge":
                message = "merge keys (<<) are not read; write the keys out"
                self.problems.append(_problem(message, self.file, line, column, "merge key"))
                continue
            if name in entries:
                message = f"the key {shortened(name, SHOWN)!r} is given twice; the last one is read here"
                self.problems.append(_problem(message, self.file, line, column, f"twice {shortened(name, SHOWN)}"))
            entries[name], size = self.read(content, depth + 1)
            total += size
        data = {name: value.data for name, value in entries.items()}
        return Value(data, *self._place(node), entries=MappingProxyType(entries)), total

    def _other(self, node: yaml.Node, depth: int) -> tuple[Value, int]:
        line, column = self._place(node)
        if node.tag not in KNOWN:
            message = f"the tag {shortened(node.tag, SHOWN)} is not read; the value counts as plain data"
            self.problems.append(_problem(message, self.file, line, column, "tag"))
        if isinstance(node, yaml.SequenceNode):
            read = [self.read(one, depth + 1) for one in node.value]
            items = tuple(value for value, _ in read)
            return Value([one.data for one in items], line, column, items=items), 1 + sum(size for _, size in read)
        data: Any = node.value
        if node.tag in SCALARS:
            try:
                data = self.scalars.construct_object(node)
            except (ValueError, yaml.YAMLError, OverflowError, KeyError):
                data = node.value  # such as a number of 5,000 digits
        return Value(data, line, column), 1


def _open_brackets(text: str) -> int:
    """An upper bound of how deeply brackets nest: composing deep ones needs a deep stack."""
    depth = deepest = 0
    for found in re.finditer(r"[\[\]{}]", text):
        depth = depth + 1 if found.group() in "[{" else max(0, depth - 1)
        deepest = max(deepest, depth)
    return deepest


def _problem(message: str, file: str, line: int, column: int | None, about: str) -> Problem:
    return Problem(f"{file}: {message}", Location(file=file, line=line, column=column), about=about)
