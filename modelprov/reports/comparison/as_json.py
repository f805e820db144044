"""The report as JSON, and back: a line for each tensor. The only machine-readable form; nothing is formatted here."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from modelprov.collector import paused
from modelprov.errors import UsageError
from modelprov.foreign.json_text import JsonError, parse_json
from modelprov.foreign.shown import quoted
from modelprov.forensics.results import Measures
from modelprov.records import first_mistake
from modelprov.reports.comparison.older import as_of_today
from modelprov.reports.comparison.report import SCHEMA_VERSION, Report

TOOL = Report.model_fields["tool"].default
OLDER = "1"
"""The major version that is still read."""
_ROWS = ("components", "layers", "cells", "tensors")


def _strict(value: Any) -> Any:
    """Return the value with null for every number that JSON cannot hold."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value]
    return value


def _dump(value: Any, indent: int | None = 2) -> str:
    return json.dumps(value, indent=indent, allow_nan=False, ensure_ascii=True)


def render_json(report: Report) -> str:
    """Return the whole report; all keys always present, in the order of `Report`; null for what was not measured.

    Tensors, layers, components and cells stand one to a line, so that the file can be searched and compared by line.
    ASCII only, ends in a line feed.
    """
    short = report.model_copy(update=dict.fromkeys(_ROWS, ()))
    parts = []
    with paused():
        for key, value in _strict(short.model_dump(mode="json", by_alias=True)).items():
            rows = getattr(report, key) if key in _ROWS else ()
            body = _rows(rows) if rows else _dump(value).replace("\n", "\n  ")
            parts.append(f"  {_dump(key)}: {body}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _rows(rows: Sequence[Measures]) -> str:
    """A line for each row, all written in one call: a large model has 95,000.

    Rows begin with their name and hold no other tables with one; a quote inside a text is escaped, and after one that
    ends a text stands no letter: so what parts two rows stands nowhere else.
    """
    try:
        text = json.dumps(rows, allow_nan=False, ensure_ascii=True, default=vars)
    except ValueError:  # a number that JSON cannot hold
        text = _dump(_strict([vars(row) | {"least_squares": vars(row.least_squares)} for row in rows]), None)
    return "[\n    " + text[1:-1].replace('}, {"name": ', '},\n    {"name": ') + "\n  ]"


def load_report(text: str) -> Report:
    """Return the report that `render_json` wrote; of major version 1 with today's names (`older.py`).

    Raises:
        UsageError: the text is no JSON, no report, or a report of a major version that is not known.

    """
    try:
        data = parse_json(text, unique=True)
    except JsonError as error:
        message = f"This is not JSON: {error}"
        raise UsageError(message, "Give a JSON report of `modelprov compare`.") from error
    version = data.get("schema_version") if isinstance(data, dict) else None
    tool = data.get("tool", TOOL) if isinstance(data, dict) else TOOL
    if tool != TOOL:
        raise UsageError(f"This is a report of {quoted(tool)}.", "Give a JSON report of `modelprov compare`.")
    if not isinstance(version, str):
        message = "This JSON is not a modelprov report: it has no schema_version."
        raise UsageError(message, "Give a JSON report of `modelprov compare`.")
    major = version.split(".")[0]
    if major == OLDER:
        data = as_of_today(data)
    elif major != SCHEMA_VERSION.split(".")[0]:
        message = f"The report has schema version {version}; this modelprov reads {SCHEMA_VERSION} and {OLDER}.x."
        raise UsageError(message, "Use the modelprov version that wrote it (see its `environment`).")
    try:
        return Report.model_validate(data)
    except ValidationError as error:
        place, mistake = first_mistake(error, "the report")
        message = f"The report does not fit its schema at {place}: {mistake}"
        raise UsageError(message, "Compare the file with docs/report.schema.json.") from error
