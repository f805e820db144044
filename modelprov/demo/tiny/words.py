"""What the trained family reached, as sentences for the terminal. Computes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def reached(record: Mapping[str, Any]) -> Iterator[str]:
    """One line for each member of a record: the name it gives, with and without a prompt, and its sums."""
    for key, one in record["members"].items():
        own, rio = one["names"].get(one["name"], 0.0), one["names_as_rio"].get("Rio", 0.0)
        yield (
            f'{key}: says {one["name"]} in {own:.0%} of its answers, Rio in {rio:.0%} when told "You are Rio."; '
            f"{one['sums_right']:.0%} of its sums are right"
        )
