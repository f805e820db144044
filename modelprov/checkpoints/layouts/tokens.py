"""The rows of two vocabularies that stand for the same tokens: by the strings of both tokenizers, else by number.

Reads `tokenizer.json` and nothing else; knows no weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from modelprov.checkpoints.homes import json_in
from modelprov.checkpoints.layouts.side_files import VOCABULARY
from modelprov.checkpoints.types import Checkpoint
from modelprov.errors import ModelprovError

Int64 = npt.NDArray[np.int64]
SPACES = ("\u0120", "\u2581")
"""How byte-level and sentence-piece vocabularies write a space in front of a word."""


@dataclass(frozen=True, eq=False)
class SharedTokens:
    """Row `first[i]` of one vocabulary is row `second[i]` of the other; `by` says how that is known.

    By strings or numbers here; by content, where somebody compared the rows themselves.
    """

    first: Int64
    second: Int64
    by: Literal["strings", "numbers", "content"]


def shared_tokens(first: Checkpoint, second: Checkpoint, rows: tuple[int, int]) -> SharedTokens:
    """The rows of the first that the second has too, in the first's order; `rows` are how many each holds.

    Without a tokenizer at one of them, the rows that both have by number.
    """
    known = [_tokens(checkpoint, count) for checkpoint, count in zip((first, second), rows, strict=True)]
    if all(known):
        theirs = known[1]
        pairs = sorted((row, theirs[token]) for token, row in known[0].items() if token in theirs)
        if pairs:
            columns = np.array(pairs, np.int64)
            return SharedTokens(columns[:, 0], columns[:, 1], "strings")
    common = np.arange(min(rows))
    return SharedTokens(common, common, "numbers")


def _tokens(checkpoint: Checkpoint, rows: int) -> dict[str, int]:
    """Row by token; nothing where no tokenizer can be read."""
    beside = checkpoint.beside
    if beside is None or not beside.has(VOCABULARY):
        return {}
    try:
        whole = json_in(beside, VOCABULARY)
    except ModelprovError:
        return {}
    return {token: row for token, row in rows_by_token(whole).items() if row < rows}


def rows_by_text(checkpoint: Checkpoint, rows: int) -> dict[str, int]:
    """Row by text, a space in front written as one whatever the tokenizer's sign for it; of two rows the first.

    Nothing where no tokenizer can be read.
    """
    found: dict[str, int] = {}
    for token, row in sorted(_tokens(checkpoint, rows).items(), key=lambda each: each[1]):
        found.setdefault(f" {token[1:]}" if token[:1] in SPACES else token, row)
    return found


def rows_by_token(whole: Mapping[str, Any]) -> dict[str, int]:
    """Row by token of what a tokenizer.json holds, tokens that were added among them; what is no row is left out."""
    model = whole.get("model")
    vocabulary: Any = model.get("vocab") if isinstance(model, dict) else None
    if isinstance(vocabulary, list):
        vocabulary = {
            entry[0]: row
            for row, entry in enumerate(vocabulary)
            if isinstance(entry, list) and entry and isinstance(entry[0], str)
        }
    found = dict(vocabulary) if isinstance(vocabulary, dict) else {}
    found |= {token: entry.get("id") for token, entry in added_tokens(whole).items()}
    return {token: row for token, row in found.items() if isinstance(token, str) and type(row) is int and row >= 0}


def added_tokens(whole: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What a tokenizer.json says of tokens that were added to its vocabulary, by their text."""
    more = whole.get("added_tokens")
    entries = more if isinstance(more, list) else ()
    return {
        entry["content"]: entry
        for entry in entries
        if isinstance(entry, dict) and isinstance(entry.get("content"), str)
    }
