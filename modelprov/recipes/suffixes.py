"""What a recipe's file is called. Reads none."""

from __future__ import annotations

SUFFIXES = (".yml", ".yaml")


def is_recipe(location: str) -> bool:
    """Whether a location means a recipe file."""
    return location.lower().endswith(SUFFIXES)
