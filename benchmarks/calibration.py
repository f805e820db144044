"""How often the verdict is right: a labelled set of generated families, put through the whole pipeline in memory.

Run from the repository: `python -m benchmarks.calibration [--quick]`. Prints a table with Wilson intervals and writes
`benchmarks/results/calibration.json`, seeds included. A kind of case is a function in `calibration_cases.py`; case
number i of a kind is made from the seed (SEED, kind, i) and from nothing else.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: cases, not matrices, are spread over the cores

import argparse
import json
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from zlib import crc32

import numpy as np

import benchmarks.calibration_reversals  # noqa: F401  (adds its kinds)
from benchmarks.calibration_cases import KINDS, Kind
from modelprov.forensics.compare import Options
from modelprov.shares import wilson
from tests.memory import run

SEED = 20261122  # drawn after the thresholds were set with others
RESULTS = Path(__file__).parent / "results" / "calibration.json"
ACCUSATIONS = ("copy", "merge", "merge-then-trained")
OPTIONS = Options(threads=1, device="cpu", sample_elements=1 << 15)


def judge(kind: Kind, number: int) -> tuple[str, str, dict[str, object]]:
    """Class and rule of one case, with the numbers that the rules look at."""
    case = kind.make(np.random.default_rng([SEED, crc32(kind.name.encode()), number]))
    findings = run(case.models, case.controls, OPTIONS).findings
    facts = findings.facts
    numbers = {
        name: None if value is None else round(value, 4)
        for name, value in (
            ("straightness", facts.straightness), ("spread", facts.spread), ("collinearity", facts.collinearity),
            ("bit_equal", facts.bit_equal),
        )
    }  # fmt: skip
    numbers["weights"] = facts.weights and [round(value, 3) for value in facts.weights]
    return str(findings.verdict.class_), findings.verdict.rule, {"case": case.about, **numbers}


def _judge(task: tuple[int, int]) -> tuple[int, int, str, str, dict[str, object]]:
    place, number = task
    return place, number, *judge(KINDS[place], number)


def calibrate(share: float, workers: int) -> dict[str, object]:
    """All kinds, each with `share` of its cases."""
    tasks = [(place, i) for place, kind in enumerate(KINDS) for i in range(max(2, round(kind.cases * share)))]
    with ProcessPoolExecutor(workers) as pool:
        answers = list(pool.map(_judge, tasks, chunksize=8))
    rows = []
    for place, kind in enumerate(KINDS):
        own = [answer[1:] for answer in answers if answer[0] == place]
        wrong = [one for one in own if one[1] not in kind.expected]
        accused = [one for one in own if one[1] in ACCUSATIONS]
        rows.append(
            {
                "kind": kind.name,
                "truth": kind.truth,
                "about": (kind.make.__doc__ or "").strip(),
                "cases": len(own),
                "expected": sorted(kind.expected),
                "classes": dict(Counter(one[1] for one in own)),
                "rules": dict(Counter(one[2] for one in own)),
                "wrong": _share(len(wrong), len(own)),
                "accused": _share(len(accused), len(own)),
                "first_wrong": [{"number": n, "class": c, "rule": r, **facts} for n, c, r, facts in wrong[:5]],
            }
        )
    return {"seed": SEED, "sample_elements": OPTIONS.sample_elements, "totals": _totals(rows), "kinds": rows}


def _share(count: int, of: int) -> dict[str, float | int | None]:
    bounds = wilson(count, of)
    return {"count": count, "of": of, "low": _rounded(bounds.low), "high": _rounded(bounds.high)}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 5)


def _totals(rows: list[dict[str, object]]) -> dict[str, object]:
    """False accusations among negatives, missed merges among positives; known limits are neither."""

    def total(truth: str, key: str) -> dict[str, object]:
        own = [row for row in rows if row["truth"] == truth]
        return _share(sum(row[key]["count"] for row in own), sum(row["cases"] for row in own))  # type: ignore[index, misc]

    return {
        "false accusations (negatives)": total("negative", "accused"),
        "wrong class (negatives)": total("negative", "wrong"),
        "missed or wrong (positives)": total("positive", "wrong"),
        "called merges (known limits)": total("limit", "accused"),
    }


def table(result: dict[str, object]) -> str:
    """The result as text."""
    lines = [f"{'kind':34} {'cases':>5} {'wrong':>6} {'95 % up to':>10}  classes"]
    for row in result["kinds"]:  # type: ignore[attr-defined]
        classes = ", ".join(f"{name} {count}" for name, count in sorted(row["classes"].items(), key=lambda x: -x[1]))
        mark = {"positive": "+", "negative": "-", "limit": "?"}[row["truth"]]
        wrong = row["wrong"]
        lines.append(f"{mark} {row['kind']:32} {row['cases']:5} {wrong['count']:6} {wrong['high']:10.2%}  {classes}")
    for name, share in result["totals"].items():  # type: ignore[attr-defined]
        lines.append(f"{name}: {share['count']} of {share['of']} ({share['low']:.3%} to {share['high']:.3%})")
    return "\n".join(lines)


def main() -> None:
    """Calibrate, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the cases; writes nothing")
    parser.add_argument("--share", type=float, help="another share of the cases; writes nothing")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--details", action="store_true", help="print wrong cases")
    arguments = parser.parse_args()
    start = time.perf_counter()
    share = arguments.share or (0.1 if arguments.quick else 1.0)
    result = calibrate(share, arguments.workers)
    print(table(result))
    if arguments.details:
        for row in result["kinds"]:  # type: ignore[attr-defined]
            for one in row["first_wrong"]:
                print(row["kind"], one)
    print(f"{time.perf_counter() - start:.0f} s")
    if share == 1.0:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(result, indent=1) + "\n")
        print(f"wrote {RESULTS}")


if __name__ == "__main__":
    main()
