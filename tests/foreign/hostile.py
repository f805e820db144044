"""Faults that Python's own JSON reader takes for JSON, or gives up on: put into a good object, for tests of readers."""

from __future__ import annotations

import json

KINDS = ("nested", "digits", "not a number", "infinite", "twice")


def with_fault(kind: str, good: str) -> str:
    """The text of a JSON object with a fault of this kind before its members, all of which stay."""
    first = next(iter(json.loads(good)))
    member = {
        "nested": '"x": ' + "[" * 900 + "]" * 900,
        "digits": '"x": ' + "9" * 5_000,
        "not a number": '"x": NaN',
        "infinite": '"x": 1e999',
        "twice": f'"{first}": null',
    }[kind]
    return "{" + member + ", " + good.lstrip()[1:]
