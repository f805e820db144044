"""Reads the small JSON files of a checkpoint (config, index, tokenizer) whole; says what a file is that is no JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modelprov.checkpoints.files import read_small_file
from modelprov.checkpoints.mistaken import HEAD_BYTES, what_it_is
from modelprov.errors import InvalidCheckpointError
from modelprov.foreign.json_text import JsonError, parse_json

MAX_JSON_BYTES = 200_000_000
AGAIN = "Download this file again."


def json_value(content: bytes, place: object) -> Any:
    """The JSON value that a small file at `place` holds; raises `InvalidCheckpointError` when it holds none."""
    try:
        return parse_json(content)
    except JsonError as error:
        other = None if content.lstrip()[:1] in b"{[" else what_it_is(content[:HEAD_BYTES])
        if other is None:
            raise InvalidCheckpointError(f"{place} is not valid JSON ({error})", AGAIN) from error
        raise InvalidCheckpointError(f"{place} is not JSON: it is {other.what}", other.advice) from error


def json_object(content: bytes, place: object) -> dict[str, Any]:
    """The JSON object that a small file holds; raises `InvalidCheckpointError` when it is anything else."""
    value = json_value(content, place)
    if not isinstance(value, dict):
        raise InvalidCheckpointError(f"{place} does not hold a JSON object", AGAIN)
    return value


def read_json_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file of this machine; raises as `json_object` does, and what reading raises."""
    return json_object(read_small_file(path, MAX_JSON_BYTES), path)
