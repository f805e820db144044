"""How far a run of a set got, and what it says as a sample of all sorts: a run that was stopped is one. Asks no tool.

`run` asks the first case of every sort, then the second of each: whatever is there when it stops is the first so many
of every sort, and those that are made anew for each number are as good as drawn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

from benchmarks.lineage.scorer import ABSTAINED, FALSE, RIGHT, WRONG
from benchmarks.lineage.sorts import SORTS, Identity, cases


def extent(size: str, asked: Collection[Identity]) -> dict[str, Any]:
    """Cases and sorts asked, of how many; whole sorts, the fewest of any other; whole groups; those asked of each."""
    whole, own = Counter(case.sort for case in cases(size)), Counter(case.sort for case in asked)
    left = [own[name] for name, count in whole.items() if own[name] < count]
    return {
        "cases": own.total(), "of": whole.total(), "sorts": len(own), "of sorts": len(whole),
        "whole": len(whole) - len(left), "fewest": min(left, default=0),
        "groups": dict(Counter(SORTS[case.sort].group for case in cases(size))), "asked": dict(sorted(own.items())),
    }  # fmt: skip


def sentence(found: dict[str, Any], date: str) -> str:
    """The extent in words."""
    if found["cases"] == found["of"]:
        return f"{date}: all {found['of']:,} cases."
    return (
        f"{date}: {found['cases']:,} of {found['of']:,} cases, of {found['sorts']} of {found['of sorts']} sorts; "
        f"{found['whole']} sorts as a whole, of every other at least the first {found['fewest']}."
    )


def questions(held: dict[str, Any], titles: dict[str, str]) -> str:
    """What one tool was asked that weights decide, with Wilson intervals of what is wrong; first what is false."""
    lines = ["| | right | left open | wrong | wrong, 95 % |", "| :--- | ---: | ---: | ---: | :--- |"]
    for name in FALSE:
        false = held["false"][name]
        lines.append(f"| {name} (could happen in {false['of']:,}) | | | {false['count']} | {_bounds(false)} |")
    for name, title in titles.items():
        by = held["questions"][name]["decided"]
        counts = " | ".join(f"{by[each]['count']:,}" for each in (RIGHT, ABSTAINED, WRONG))
        lines.append(f"| {title} | {counts} | {_bounds(by[WRONG])} |")
    return "\n".join(lines) + "\n"


def groups(held: dict[str, Any], whole: dict[str, int]) -> str:
    """By group, how many of its cases were asked, and of all questions together what came of them."""
    lines = ["| group | cases | of | right | left open | wrong | false |", "| :--- |" + " ---: |" * 6]
    for group, counts in held["groups"].items():
        numbers = (counts["cases"], whole[group], *(counts[each] for each in (RIGHT, ABSTAINED, WRONG, "false")))
        lines.append(f"| {group} | " + " | ".join(f"{number:,}" for number in numbers) + " |")
    return "\n".join(lines) + "\n"


def _bounds(held: dict[str, Any]) -> str:
    if not held["of"]:
        return "–"
    return f"{held['low']:.2%} to {held['high']:.2%}".replace("%", " %")
