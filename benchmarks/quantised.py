"""What is said of innocent models that were quantised: every negative and limit of the calibration, in every form.

Run from the repository: `python -m benchmarks.quantised [--cases 13] [--formats Q8_0 NF4] [--out answers.jsonl]`. The
cases are those of `benchmarks/cases/`, from a seed of their own, each with its suspect packed in a form: nobody may be
accused, and nobody named on a line whom the same weights, not quantised, do not put there (`plain`). An answer is a
line of the file; what is there already is not judged again. `benchmarks/formats.py` fills the table of docs/formats.md.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

import benchmarks.cases  # noqa: F401  (fills the list of kinds)
from benchmarks.calibration import OPTIONS
from benchmarks.cases.kinds import ACCUSATIONS, KINDS, NAMED
from modelprov.checkpoints.types import Checkpoint
from modelprov.demo.writing import Weights
from modelprov.errors import ModelprovError
from modelprov.forensics.compare import compare
from tests.memory import Silence, checkpoint
from tests.packed import packed
from tests.packing import FORMS, packed_form
from tests.unpacking import UNPACKED, unpacked

SEED = 20261128
GGUF = ("Q8_0", "Q5_1", "Q4_0", "Q6_K", "Q4_K")
AGAIN = " unpacked"
FORMATS = (*GGUF, *FORMS, *(form + AGAIN for form in UNPACKED))
TRUTHS = ("negative", "limit")


def in_form(weights: Weights, form: str) -> Checkpoint:
    """A suspect with its matrices in a form, or rounded so and unpacked again to the numbers that it was stored in."""
    if form.endswith(AGAIN):
        dtype = next(dtype for values, dtype in weights.values() if values.ndim == 2)
        return checkpoint("S", unpacked(weights, form.removesuffix(AGAIN), dtype))
    return packed("S", weights, form) if form in GGUF else packed_form("S", weights, form)


def judge(task: tuple[int, int, str]) -> dict[str, Any]:
    """One case with its suspect in one form; which is drawn for each case."""
    place, number, form = task
    kind = KINDS[place]
    rng = np.random.default_rng([SEED, crc32(kind.name.encode()), number])
    case = kind.make(rng)
    suspect, *parents = case.models
    models = [in_form(suspect, form), *(checkpoint(f"P{n}", each) for n, each in enumerate(parents, 1))]
    about = {"kind": kind.name, "truth": kind.truth, "format": form, "number": number, "seed": SEED}
    try:
        found = compare(models, OPTIONS, Silence()).findings
    except ModelprovError as error:
        return {**about, "class": "refused", "rule": type(error).__name__, "summary": error.message}
    except Exception as error:
        error.add_note(f"in case {number} of the kind {kind.name}, {form}")
        raise
    told, class_ = found.mixing, str(found.verdict.class_)
    answer = {
        **about, "class": class_, "rule": found.verdict.rule, "summary": found.verdict.summary,
        "alpha": case.alpha, "interval": [told.low, told.high], "method": told.method,
    }  # fmt: skip
    if class_ == NAMED:
        models[0] = checkpoint("S", suspect)
        answer["plain"] = str(compare(models, OPTIONS, Silence()).findings.verdict.class_)
    return answer


def tasks(number: int, formats: Sequence[str], truths: Sequence[str]) -> list[tuple[int, int, str]]:
    """All cases, case after case of every kind; the form of a case changes from one to the next."""
    return [
        (place, case, formats[(place + case) % len(formats)])
        for case in range(number)
        for place, kind in enumerate(KINDS)
        if kind.truth in truths and kind.theme != "trained"
    ]


def cases(wanted: Sequence[tuple[int, int, str]], workers: int) -> Iterator[dict[str, Any]]:
    """Their answers, in order."""
    if workers == 1:
        yield from map(judge, wanted)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(judge, wanted, chunksize=2)


def known(path: Path | None) -> list[dict[str, Any]]:
    """The answers in a file, of this seed."""
    if path is None or not path.exists():
        return []
    answers = [json.loads(line) for line in path.read_text().splitlines()]
    return [answer for answer in answers if answer["seed"] == SEED]


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
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    started = time.perf_counter()
    answers = known(asked.out)
    done = {(answer["kind"], answer["number"], answer["format"]) for answer in answers}
    open_ = [
        task
        for task in tasks(asked.cases, asked.formats, asked.truths)
        if (KINDS[task[0]].name, task[1], task[2]) not in done
    ]
    for answer in cases(open_, asked.workers):
        answers.append(answer)
        if asked.out is not None:
            with asked.out.open("a") as out:
                out.write(json.dumps(answer) + "\n")
    for row in told(answers):
        print(f"{row['format']:17} {row['cases']:5} cases  {row['classes']}  {row['rules']}")
        for answer in [*row["accused"], *row["named_on_a_line"]]:
            print("    ", answer["class"], answer["rule"], answer["kind"], answer["number"], answer["summary"][:160])
            print("     not quantised:", answer.get("plain", "not asked"))
    accused = sum(answer["class"] in ACCUSATIONS for answer in answers)
    took = time.perf_counter() - started
    more = sum(answer.get("plain", NAMED) not in (NAMED, *ACCUSATIONS) for answer in answers)
    print(f"{len(answers):,} cases, {accused} accused, {more} on a line only when quantised, {took:.0f} s")


if __name__ == "__main__":
    main()
