"""Writes the tables of the trained family into docs/probe.md from its results; `tests/test_docs.py` compares them.

Run from the repository: `python -m benchmarks.answering.tables`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modelprov.reports.probing.imaging import percent

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "answering.json"
IMAGES = ROOT / "benchmarks" / "results" / "images.json"
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
    """A row for what is served in place of the published weights, with a column a length of completions."""
    lengths = sorted({row["tokens"] for row in result["equality"]})
    lines = [f"| served in their place | {' | '.join(f'{length} tokens' for length in lengths)} |\n"]
    lines.append("| :--- |" + " ---: |" * len(lengths) + "\n")
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for row in result["equality"]:
        by_kind.setdefault(row["served"], []).append(row)
    for kind, rows in by_kind.items():
        cells = [f"{row['another']} of {row['tests']} [{row['low']:.2f}, {row['high']:.2f}]" for row in rows]
        lines.append(f"| {kind} | {' | '.join(cells)} |\n")
    return "".join(lines)


def heads(result: Mapping[str, Any]) -> str:
    """A row a kind of trial: how often each finding about the output head, with three and with more controls."""
    counts = sorted({row["controls"] for row in result["rows"]})
    lines = [f"| suspect and parent | truth | {' | '.join(f'{count} controls' for count in counts)} | outside |\n"]
    lines.append("| :--- | :--- |" + " ---: |" * len(counts) + " ---: |\n")
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for row in result["rows"]:
        by_kind.setdefault(row["kind"], []).append(row)
    for kind, rows in by_kind.items():
        cells = [f"{row['its head']} + {row['near its head']} of {row['trials']}" for row in rows]
        lines.append(f"| {kind} | {TRUTHS[rows[0]['truth']]} | {' | '.join(cells)} | {_span(rows[0]['outside'])} |\n")
    return "".join(lines)


def numbers(result: Mapping[str, Any]) -> str:
    """A row for what is served in place of the published weights: other numbers, and how far apart."""
    lines = ["| served in their place | other numbers | 95 % interval | apart |\n", "| :--- | ---: | ---: | ---: |\n"]
    lines += [
        f"| {row['served']} | {row['other numbers']} of {row['tests']} | {row['low']:.2f} to {row['high']:.2f} | "
        f"{_span(row['apart'])} |\n"
        for row in result["served"]
    ]
    return "".join(lines)


def _span(shares: list[float]) -> str:
    least, largest = (percent(each) for each in shares)
    return least if least == largest else f"{least.removesuffix(' %')} to {largest}"


TITLES = {
    "How often it says “answers like”": (RESULTS, findings),
    "How often it says “another distribution”, by the length of completions": (RESULTS, equalities),
    "How often it says “its head” + “near its head”": (IMAGES, heads),
    "How often it says “other numbers”": (IMAGES, numbers),
}


def written(text: str) -> str:
    """The page with its tables as the results have them."""
    for title, (results, table) in TITLES.items():
        places = re.findall(rf"(?m)^{re.escape(title)}:\n\n(?:\|[^\n]*\n)+", text)
        if len(places) != 1:
            raise SystemExit(f"docs/probe.md has {len(places)} tables under {title!r}")
        text = text.replace(places[0], f"{title}:\n\n{table(json.loads(results.read_text(encoding='utf-8')))}")
    return text


def main() -> None:
    """Write the page anew."""
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
