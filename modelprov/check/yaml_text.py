"""What the YAML reader finds wrong, as problems of a card or recipe file. Reads nothing by itself."""

from __future__ import annotations

from modelprov.check.interface import Problem
from modelprov.check.results import Location
from modelprov.foreign import yaml_text
from modelprov.foreign.yaml_text import Value


def read_yaml(text: str, file: str, first_line: int = 1) -> tuple[Value | None, tuple[Problem, ...]]:
    """The one document in `text`, whose first line is line `first_line` of `file`; None where there is none."""
    value, mistakes = yaml_text.read_yaml(text, first_line)
    return value, tuple(
        Problem(f"{file}: {one.message}", Location(file=file, line=one.line, column=one.column), about=one.about)
        for one in mistakes
    )


def place(value: Value, file: str) -> Location:
    """Where a value stands in `file`."""
    return Location(file=file, line=value.line, column=value.column)
