"""The words of a recipe's weights. No arrays here: who only checks a report's words must not load the search."""

from __future__ import annotations

from collections.abc import Iterable


def number(value: float) -> str:
    """A weight as a person would write it."""
    return f"{value:.9g}"


def weighting(weights: Iterable[float], labels: Iterable[str]) -> str:
    """One weighting in words: `0.565 x nex + 0.435 x qwen`."""
    used = [(float(weight), label) for weight, label in zip(weights, labels, strict=True) if weight != 0]
    if len(used) == 1 and used[0][0] == 1:
        return f"{used[0][1]} unchanged"
    return " + ".join(f"{number(weight)} × {label}" for weight, label in used)
