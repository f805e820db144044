"""One of each disguise, and of each kind of stranger: what `compare` says of it, and whether that is right.

Run from the repository: `python -m benchmarks.disguises [--only WORD ...] [--tables]`. Prints one table, and
writes `benchmarks/results/disguises.json` and the tables of docs/method.md; with `--only`, nothing; with `--tables`,
the tables alone, from the results that are there. The cases are those of `benchmarks/cases/side_by_side.py`.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy

import argparse
import json
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.cases.side_by_side import BEYOND, LISTED, SEED, Disguise
from modelprov.cli.compared import exit_code
from modelprov.forensics.compare import Options
from tests.memory import run

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "disguises.json"
METHOD = ROOT / "docs" / "method.md"
OPTIONS = Options(threads=1, device="cpu", sample_elements=1 << 15)
TITLES = {"Side by side": ("listed", LISTED), "Kinds that were thought of later": ("beyond", BEYOND)}
KINSHIP = frozenset({"copy", "merge", "on-line", "same-origin", "other-coordinates"})
ACTS = frozenset({"copy", "merge"})


def judged(case: Disguise) -> dict[str, Any]:
    """What is said of one case: right, careful (nothing that is false, not all that is true), or wrong.

    Wrong of a descendant is `unrelated`, and a copy or merge that it is not; of a stranger any kinship.
    """
    found = run(case.models(), options=OPTIONS)
    verdict = found.findings.verdict
    said = str(verdict.class_)
    false = {"unrelated", *ACTS} if case.derived else KINSHIP
    return {
        "case": case.name,
        "derived": case.derived,
        "right": sorted(case.right),
        "says": said,
        "rule": verdict.rule,
        "exit": exit_code(verdict.class_),
        "share": None if verdict.share is None else round(verdict.share, 4),
        "correlation": round(max((value or 0 for value in found.findings.facts.correlations), default=0), 4),
        "undone": list(found.coordinates.undone) if found.coordinates else [],
        "answer": "right" if said in case.right else "wrong" if said in false else "careful",
    }


def table(rows: list[dict[str, Any]]) -> str:
    """A row a case."""
    lines = [
        "| case | derived | says | of | correlation then | answer |\n",
        "| :--- | :--- | :--- | ---: | ---: | :--- |\n",
    ]
    for row in rows:
        of = "" if row["share"] is None else f"{row['share']:.0%}"
        derived = "yes" if row["derived"] else "no"
        said = f"{row['says']} (`{row['rule']}`), {row['exit']}"
        lines.append(f"| {row['case']} | {derived} | {said} | {of} | {row['correlation']:.2f} | {row['answer']} |\n")
    return "".join(lines)


def written(text: str, result: Mapping[str, Any]) -> str:
    """The method with its tables as the results have them."""
    for title, (key, _) in TITLES.items():
        made = f"{title}:\n\n{table(result[key])}"
        text, places = re.subn(rf"(?m)^{title}:\n\n(?:\|[^\n]*\n)+", lambda _, made=made: made, text)
        if places != 1:
            raise SystemExit(f"docs/method.md has {places} tables under {title!r}")
    return text


def results() -> Mapping[str, Any]:
    """Those of the last run."""
    return dict(json.loads(RESULTS.read_text(encoding="utf-8")))


def main() -> None:
    """Judge all, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=[], help="cases with one of these words; writes nothing")
    parser.add_argument("--tables", action="store_true", help="only write the tables, of the results that are there")
    arguments = parser.parse_args()
    began = time.perf_counter()
    found: dict[str, Any] = {"seed": SEED}
    for key, cases in () if arguments.tables else TITLES.values():
        found[key] = []
        for case in cases:
            if not arguments.only or any(word in case.name for word in arguments.only):
                found[key].append(judged(case))
                row = found[key][-1]
                print(
                    f"{row['answer']:8} {row['case']:50} {row['says']} ({row['rule']}, exit {row['exit']})", flush=True
                )
                print(f"{'':9}{row['correlation']:.3f} in {row['share']}: {'; '.join(row['undone'])}", flush=True)
    print(f"{time.perf_counter() - began:.0f} s")
    if arguments.only:
        return
    if not arguments.tables:
        RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    METHOD.write_text(written(METHOD.read_text(encoding="utf-8"), results()), encoding="utf-8")


if __name__ == "__main__":
    main()
