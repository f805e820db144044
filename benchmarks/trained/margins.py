"""How near to its threshold each measure came, by half and by what is true: whether the thresholds part the two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.trained.cases import KINDS
from modelprov.forensics import thresholds

Answer = dict[str, Any]


@dataclass(frozen=True)
class Margin:
    """A measure that should lie below its threshold for the kinds `below` and above it for the kinds `above`."""

    threshold: str
    measure: Callable[[Answer], float | None]
    below: tuple[str, ...]
    above: tuple[str, ...]


def _nearest(answer: Answer) -> float | None:
    known = [value for value in answer["correlations"] if value is not None]
    return max(known) if known else None


APART = tuple(name for name, kind in KINDS.items() if kind.truth == "negative" and "on-line" not in kind.expected)
MARGINS = (
    Margin("UNRELATED", _nearest, ("strangers",), ("siblings", "third siblings", "trained further", "altered")),
    Margin("KIN", _nearest, ("strangers", "one start, trained apart"), ("siblings", "third siblings")),
    Margin("REPRODUCED", lambda answer: answer["bit_equal"], APART, ("linear merges",)),
    Margin(
        "STRAIGHT",
        lambda answer: answer["straightness"],
        tuple(name for name in APART if name not in ("strangers", "one start, trained apart")),
        ("linear merges", "merges trained afterwards"),
    ),
)


def _quantiles(values: Sequence[float], from_above: bool) -> dict[str, float | int] | None:
    if not values:
        return None
    ordered = sorted(values, reverse=from_above)
    return {"of": len(ordered), "nearest": ordered[0], "tenth": ordered[len(ordered) // 10]}


def margins(answers: Sequence[Answer]) -> list[dict[str, object]]:
    """For each threshold and half: the value nearest to the other side, and the tenth of all that comes nearest."""
    found: list[dict[str, object]] = []
    for margin in MARGINS:
        value = getattr(thresholds, margin.threshold)
        for half in ("thresholds", "results"):
            own = [answer for answer in answers if answer["half"] == half]

            def values(kinds: tuple[str, ...], own: list[Answer] = own, margin: Margin = margin) -> list[float]:
                measured = [margin.measure(answer) for answer in own if answer["kind"] in kinds]
                return [number for number in measured if number is not None]

            below, above = values(margin.below), values(margin.above)
            found.append(
                {
                    "threshold": margin.threshold,
                    "value": value,
                    "half": half,
                    "below": _quantiles(below, from_above=True),
                    "above": _quantiles(above, from_above=False),
                    "on the wrong side below": sum(number >= value for number in below),
                    "on the wrong side above": sum(number < value for number in above),
                }
            )
    return found
