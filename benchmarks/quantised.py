"""What is said of quantised copies: of the demo's merge in every format, and of innocent models, all quantised.

Run from the repository: `python -m benchmarks.quantised [--cases 3] [--formats Q8_0 Q4_0]`. Every negative and limit of
the calibration (`benchmarks/cases/`) is judged with its suspect quantised: nobody may be accused. Then the demo's merge
is written in each format, and read again. Writes `benchmarks/results/quantised.json` where everything ran.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

import benchmarks.cases  # noqa: F401  (fills the list of kinds)
from benchmarks.calibration import OPTIONS
from benchmarks.cases.kinds import ACCUSATIONS, KINDS, NAMED
from modelprov.forensics.compare import compare
from tests.memory import Silence, checkpoint
from tests.packed import packed

SEED = 20261128
FORMATS = ("Q8_0", "Q5_1", "Q4_0", "Q6_K", "Q4_K")
TRUTHS = ("negative", "limit")
RESULTS = Path(__file__).parent / "results" / "quantised.json"


def judge(task: tuple[int, int, str]) -> dict[str, Any]:
    """One case with its suspect in one format; which is drawn for each case."""
    place, number, form = task
    kind = KINDS[place]
    rng = np.random.default_rng([SEED, crc32(kind.name.encode()), number])
    case = kind.make(rng)
    suspect, *parents = case.models
    models = [packed("S", suspect, form), *(checkpoint(f"P{n}", each) for n, each in enumerate(parents, 1))]
    try:
        found = compare(models, OPTIONS, Silence()).findings
    except Exception as error:
        error.add_note(f"in case {number} of the kind {kind.name}, {form}")
        raise
    told = found.mixing
    return {
        "kind": kind.name, "truth": kind.truth, "format": form, "number": number,
        "class": str(found.verdict.class_), "rule": found.verdict.rule, "summary": found.verdict.summary,
        "alpha": case.alpha, "interval": [told.low, told.high], "method": told.method,
    }  # fmt: skip


def cases(number: int, formats: Sequence[str], truths: Sequence[str], workers: int) -> list[dict[str, Any]]:
    """All answers; the format of a case changes from one to the next."""
    tasks = [
        (place, case, formats[(place + case) % len(formats)])
        for place, kind in enumerate(KINDS)
        if kind.truth in truths and kind.theme != "trained"
        for case in range(number)
    ]
    if workers == 1:
        return list(map(judge, tasks))
    with ProcessPoolExecutor(workers) as pool:
        return list(pool.map(judge, tasks, chunksize=2))


def told(answers: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """A row a format: classes, accusations and names on a line among the innocent."""
    rows = []
    for form in dict.fromkeys(answer["format"] for answer in answers):
        own = [answer for answer in answers if answer["format"] == form]
        rows.append(
            {
                "format": form, "cases": len(own),
                "accused": [answer for answer in own if answer["class"] in ACCUSATIONS],
                "named_on_a_line": [answer for answer in own if answer["class"] == NAMED],
                "classes": dict(Counter(answer["class"] for answer in own)),
                "rules": dict(Counter(answer["rule"] for answer in own)),
            }
        )  # fmt: skip
    return rows


def main() -> None:
    """Judge, and print a row a format."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=3)
    parser.add_argument("--formats", nargs="*", default=list(FORMATS))
    parser.add_argument("--truths", nargs="*", default=list(TRUTHS))
    parser.add_argument("--workers", type=int, default=1)
    asked = parser.parse_args()
    started = time.perf_counter()
    answers = cases(asked.cases, asked.formats, asked.truths, asked.workers)
    for row in told(answers):
        print(f"{row['format']:8} {row['cases']:5} cases  {row['classes']}  {row['rules']}")
        for answer in [*row["accused"], *row["named_on_a_line"]]:
            print("    ", answer["class"], answer["rule"], answer["kind"], answer["number"], answer["summary"][:160])
    print(f"{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
