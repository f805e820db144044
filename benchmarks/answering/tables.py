"""Writes the tables of the trained family into docs/probe.md from its results; `tests/test_docs.py` compares them.

Run from the repository: `python -m benchmarks.answering.tables`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "answering.json"
PAGE = ROOT / "docs" / "probe.md"
TRUTHS = {
    "derived": "weights of the parent in it",
    "other history": "another history that fits",
    "strangers": "neither",
}


def findings(result: Mapping[str, Any]) -> str:
    """A row a kind of trial: how often "answers like", with three and with more controls."""
    counts = sorted({row["controls"] for row in result["rows"]})
    lines = [f"| suspect and parent | truth | {' | '.join(f'{count} controls' for count in counts)} | margin |\n"]
    lines.append("| :--- | :--- |" + " ---: |" * (len(counts) + 1) + "\n")
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for row in result["rows"]:
        by_kind.setdefault(row["kind"], []).append(row)
    for kind, rows in by_kind.items():
        shares = " | ".join(f"{row['answers like']} of {row['trials']}" for row in rows)
        least, _, largest = rows[0]["margins"]
        lines.append(f"| {kind} | {TRUTHS[rows[0]['truth']]} | {shares} | {least:.3f} to {largest:.3f} |\n")
    return "".join(lines)


def equalities(result: Mapping[str, Any]) -> str:
    """A row for what is served in place of the published weights."""
    lines = ["| served in their place | another distribution | 95 % interval |\n", "| :--- | ---: | ---: |\n"]
    lines += [
        f"| {row['served']} | {row['another']} of {row['tests']} | {row['low']:.2f} to {row['high']:.2f} |\n"
        for row in result["equality"]
    ]
    return "".join(lines)


TITLES = {"How often it says “answers like”": findings, "How often it says “another distribution”": equalities}


def written(text: str) -> str:
    """The page with its tables as the results have them."""
    result = json.loads(RESULTS.read_text(encoding="utf-8"))
    for title, table in TITLES.items():
        places = re.findall(rf"(?m)^{title}:\n\n(?:\|[^\n]*\n)+", text)
        if len(places) != 1:
            raise SystemExit(f"docs/probe.md has {len(places)} tables under {title!r}")
        text = text.replace(places[0], f"{title}:\n\n{table(result)}")
    return text


def main() -> None:
    """Write the page anew."""
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
