"""Writes the tables of the trained families into docs/method.md from their results; `tests/test_docs.py` compares them.

Run from the repository: `python -m benchmarks.trained.tables`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "trained.json"
METHOD = ROOT / "docs" / "method.md"
MARKS = {"negative": "no merge", "limit": "on the line, unmerged", "positive": "merge"}


def verdicts(result: Mapping[str, Any]) -> str:
    """A row a kind, with the verdicts on the half that reports, and the errors of both halves."""
    lines = ["| kind | truth | verdicts on the results' half | errors there | errors on the other half |\n"]
    lines.append("| :--- | :--- | :--- | ---: | ---: |\n")
    other = {row["kind"]: row for row in result["halves"]["thresholds"]["kinds"]}
    for row in result["halves"]["results"]["kinds"]:
        told = ", ".join(f"{count} {name}" for name, count in row["classes"].items())
        errors = [f"{which['errors']['count']} of {which['cases']}" for which in (row, other[row["kind"]])]
        lines.append(f"| {row['kind']} | {MARKS[row['truth']]} | {told} | {errors[0]} | {errors[1]} |\n")
    return "".join(lines)


def margins(result: Mapping[str, Any]) -> str:
    """A row a threshold and half: the nearest value on either side, and how many are on the wrong one."""
    lines = [
        "| threshold | half | highest that should be below | lowest that should be above | wrong: below, above |\n"
    ]
    lines.append("| :--- | :--- | ---: | ---: | ---: |\n")
    for margin in result["margins"]:
        ends = [f"{side['nearest']:.4f} (of {side['of']})" if (side := margin[name]) else "none" for name in SIDES]
        wrong = ", ".join(str(margin[f"on the wrong side {name}"]) for name in SIDES)
        lines.append(f"| `{margin['threshold']}` | {margin['half']} | {ends[0]} | {ends[1]} | {wrong} |\n")
    return "".join(lines)


SIDES = ("below", "above")
TITLES = {"Really trained": verdicts, "Thresholds on really trained models": margins}


def written(text: str) -> str:
    """The method with its tables as the results have them."""
    result = json.loads(RESULTS.read_text(encoding="utf-8"))
    for title, table in TITLES.items():
        made = f"{title}:\n\n{table(result)}"
        places = re.findall(rf"(?m)^{title}:\n\n(?:\|[^\n]*\n)+", text)
        if len(places) != 1:
            raise SystemExit(f"docs/method.md has {len(places)} tables under {title!r}")
        text = text.replace(places[0], made)
    return text


if __name__ == "__main__":
    METHOD.write_text(written(METHOD.read_text(encoding="utf-8")), encoding="utf-8")
