"""Writes the tables of the calibration into docs/method.md from its results; `tests/test_docs.py` compares them.

Run from the repository: `python -m benchmarks.calibration_tables`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "calibration.json"
METHOD = ROOT / "docs" / "method.md"
HEAD = "| kind | cases | verdicts |\n| :--- | ---: | :--- |\n"
TITLES = {
    "negative": "Known to be no merge",
    "positive": "Known merges, copies and descendants",
    "limit": "Known limits",
}


def table(truth: str) -> str:
    """The rows of all kinds of one truth, most frequent verdict first."""
    kinds = [kind for kind in json.loads(RESULTS.read_text(encoding="utf-8"))["kinds"] if kind["truth"] == truth]
    lines = []
    for kind in kinds:
        ranked = sorted(kind["classes"].items(), key=lambda item: -item[1])
        lines.append(
            f"| {kind['kind']} | {kind['cases']} | {', '.join(f'{count} {name}' for name, count in ranked)} |\n"
        )
    return HEAD + "".join(lines)


def written(text: str) -> str:
    """The method with its tables as the results have them."""
    for truth, title in TITLES.items():
        made = f"{title}:\n\n{table(truth)}"
        text, found = re.subn(rf"{title}:\n\n(?:\|[^\n]*\n)+", lambda _, made=made: made, text)
        if found != 1:
            raise SystemExit(f"docs/method.md has {found} tables under {title!r}")
    return text


if __name__ == "__main__":
    METHOD.write_text(written(METHOD.read_text(encoding="utf-8")), encoding="utf-8")
