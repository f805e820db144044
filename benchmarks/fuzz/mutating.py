"""Lies about a valid file: its lengths, offsets, dtypes, shapes, names and numbers, with all else left in order.

Bytes that are changed at random seldom pass a reader's first rule. So each form is taken apart, one or a few things in
it are changed, and it is put together again, with lengths, digests and archives made right. A tenth of all changes
are of bare bytes all the same. Everything follows from a seed.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from benchmarks.fuzz import changing_text as text
from benchmarks.fuzz import changing_weights as weights
from benchmarks.fuzz.changing_data import as_json, bare

MOST = 1 << 16
"""Bytes of an input."""


def mutated(form: str, content: bytes, seed: int) -> bytes:
    """The content with one to four changes of its form."""
    rng = random.Random(seed)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        change = bare if rng.random() < 0.1 else CHANGES[form]
        try:
            content = change(rng, content)
        except Exception:  # it is no longer of its form, and what takes it apart says so in many ways
            content = bare(rng, content)
    return content[:MOST]


CHANGES: dict[str, Callable[[random.Random, bytes], bytes]] = {
    "safetensors": weights.safetensors, "signed": weights.signed, "gguf": weights.gguf, "zip": weights.archive,
    "json": as_json, "jsonl": text.json_lines,
    "yaml": text.as_yaml, "toml": text.toml, "card": text.card, "answer": text.answer,
}  # fmt: skip
