"""How often the verdict is right: a labelled set of generated families, put through the whole pipeline in memory.

Run from the repository: `python -m benchmarks.calibration [--kinds THEME_OR_KIND ... --cases 10] [--quick]`. Prints a
table with Wilson intervals and, if everything ran, writes `benchmarks/results/calibration.json`, seeds included. A kind
of case is a function in `benchmarks/cases/`, a theme in each file; case number i of a kind is made from the seed
(SEED, kind, i) and from nothing else. A whole run takes two hours on one core: with `--answers FILE` each answer is
kept as a line of that file, and the cases that stand there are not asked again. All kinds go on side by side, so that a
run that is stopped has a share of each.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: cases, not matrices, are spread over the cores

import argparse
import json
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from zlib import crc32

import numpy as np

import benchmarks.cases  # noqa: F401  (fills the list of kinds)
from benchmarks.cases.kinds import ACCUSATIONS, KINDS, NAMED, Kind, chosen
from modelprov.cli.compared import exit_code
from modelprov.forensics.compare import Options
from modelprov.shares import wilson
from tests.memory import run

SEED = 20261211  # drawn after the thresholds were set with others
WRITTEN = 0.5  # share of the cases from which a run is kept
RESULTS = Path(__file__).parent / "results" / "calibration.json"
OPTIONS = Options(threads=1, device="cpu", sample_elements=1 << 15)


@dataclass(frozen=True)
class Answer:
    """What was said of one case, and whether that is an error; `inside`: the nominal ratio lies in the interval."""

    kind: str
    number: int
    class_: str
    exit: int
    rule: str
    error: bool
    inside: bool | None
    facts: dict[str, object]


def judge(kind: Kind, number: int) -> Answer:
    """The verdict on one case, with the numbers that the rules look at."""
    case = kind.make(np.random.default_rng([SEED, crc32(kind.name.encode()), number]))
    findings = run(case.models, case.controls, OPTIONS).findings
    facts, verdict, mixing = findings.facts, findings.verdict, findings.mixing
    names = ("straightness", "spread", "collinearity", "bit_equal")
    numbers = {name: None if (value := getattr(facts, name)) is None else round(value, 4) for name in names}
    inside = None
    if case.alpha is not None and mixing.low is not None and mixing.high is not None:
        inside = mixing.low <= case.alpha <= mixing.high
    return Answer(
        kind.name,
        number,
        str(verdict.class_),
        exit_code(verdict.class_),
        verdict.rule,
        str(verdict.class_) in case.never or kind.error(str(verdict.class_), verdict.summary),
        inside,
        {
            "case": case.about,
            **numbers,
            "weights": facts.weights and [round(value, 3) for value in facts.weights],
            "interval": [mixing.low, mixing.high],
            "summary": verdict.summary,
        },
    )


Task = tuple[int, int]
"""The place of a kind on the list, the number of a case."""


def _judge(task: Task) -> Answer:
    place, number = task
    try:
        return judge(KINDS[place], number)
    except Exception as error:
        error.add_note(f"in case {number} of the kind {KINDS[place].name}")
        raise


def tasks_of(kinds: list[Kind], share: float, cases: int | None) -> list[Task]:
    """These kinds, each with `share` of its cases or with so many; a run's first half has half of each kind."""
    counts = [(cases or max(2, round(kind.cases * share))) if kind in kinds else 0 for kind in KINDS]
    tasks = [(place, number) for place, count in enumerate(counts) for number in range(count)]
    return sorted(tasks, key=lambda task: ((task[1] + 0.5) / counts[task[0]], task))


def asked(tasks: list[Task], workers: int, kept: Path | None) -> list[Answer]:
    """The answers of all these cases, those that `kept` holds first; what is asked anew is added to it."""
    answers = _answers_in(kept)
    there = {(answer.kind, answer.number) for answer in answers}
    left = [task for task in tasks if (KINDS[task[0]].name, task[1]) not in there]
    with ProcessPoolExecutor(workers) as pool, open(kept or os.devnull, "a") as lines:
        for answer in pool.map(_judge, left, chunksize=4):
            answers.append(answer)
            print(json.dumps({"seed": SEED, **asdict(answer)}), file=lines, flush=True)
    wanted = {(KINDS[place].name, number) for place, number in tasks}
    return [answer for answer in answers if (answer.kind, answer.number) in wanted]


def _answers_in(kept: Path | None) -> list[Answer]:
    if kept is None or not kept.exists():
        return []
    lines = [json.loads(line) for line in kept.read_text().splitlines()]
    if any(line.pop("seed") != SEED for line in lines):
        raise SystemExit(f"{kept} holds answers to cases of another seed")
    return [Answer(**line) for line in lines]


def calibrate(kinds: list[Kind], answers: list[Answer]) -> dict[str, object]:
    """The rows of these kinds and what they sum up to."""
    rows = [_row(kind, [answer for answer in answers if answer.kind == kind.name]) for kind in kinds]
    return {"seed": SEED, "sample_elements": OPTIONS.sample_elements, "totals": _totals(rows), "kinds": rows}


def _row(kind: Kind, own: list[Answer]) -> dict[str, object]:
    wrong = [answer for answer in own if answer.class_ not in kind.expected]
    errors = [answer for answer in own if answer.error]
    intervals = [answer.inside for answer in own if answer.inside is not None]
    return {
        "kind": kind.name,
        "theme": kind.theme,
        "truth": kind.truth,
        "about": " ".join((kind.make.__doc__ or "").split()),
        "cases": len(own),
        "expected": sorted(kind.expected),
        "never": sorted(kind.never),
        "classes": dict(Counter(answer.class_ for answer in own)),
        "exits": {str(code): count for code, count in sorted(Counter(answer.exit for answer in own).items())},
        "rules": dict(Counter(answer.rule for answer in own)),
        "wrong": _share(len(wrong), len(own)),
        "errors": _share(len(errors), len(own)),
        "accused": _share(sum(answer.class_ in ACCUSATIONS for answer in own), len(own)),
        "named_on_a_line": _share(sum(answer.class_ == NAMED for answer in own), len(own)),
        "ratio_in_interval": _share(sum(intervals), len(intervals)) if intervals else None,
        "first_wrong": [
            {
                "number": answer.number,
                "class": answer.class_,
                "rule": answer.rule,
                "error": answer.error,
                **answer.facts,
            }
            for answer in own
            if answer.error or answer in wrong or answer.inside is False
        ][:5],
    }


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
        "named on a line (negatives)": total("negative", "named_on_a_line"),
        "wrong class (negatives)": total("negative", "wrong"),
        "missed or wrong (positives)": total("positive", "wrong"),
        "all-clears and other errors (positives)": total("positive", "errors"),
        "called merges (known limits)": total("limit", "accused"),
        "named on a line (known limits)": total("limit", "named_on_a_line"),
    }


def table(result: dict[str, object]) -> str:
    """The result as text: `+` positive, `-` negative, `?` a known limit; exit codes as code x count."""
    lines = [f"{'kind':40} {'cases':>5} {'errors':>6} {'95 % up to':>10} {'wrong':>5} {'exits':14} classes"]
    theme = ""
    for row in result["kinds"]:  # type: ignore[attr-defined]
        if row["theme"] != theme:
            theme = row["theme"]
            lines.append(f"[{theme}]")
        classes = ", ".join(f"{name} {count}" for name, count in sorted(row["classes"].items(), key=lambda x: -x[1]))
        exits = " ".join(f"{code}x{count}" for code, count in row["exits"].items())
        mark = {"positive": "+", "negative": "-", "limit": "?"}[row["truth"]]
        errors, ratio = row["errors"], row["ratio_in_interval"]
        inside = f"; ratio inside {ratio['count']} of {ratio['of']}" if ratio else ""
        lines.append(
            f"{mark} {row['kind']:38} {row['cases']:5} {errors['count']:6} {errors['high']:10.2%} "
            f"{row['wrong']['count']:5} {exits:14} {classes}{inside}"
        )
    for name, share in result["totals"].items():  # type: ignore[attr-defined]
        if share["of"]:
            lines.append(f"{name}: {share['count']} of {share['of']} ({share['low']:.3%} to {share['high']:.3%})")
    return "\n".join(lines)


def main() -> None:
    """Calibrate, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--kinds", nargs="*", default=[], help="themes or kinds, frame-ups or exact-merge; writes nothing"
    )
    parser.add_argument("--cases", type=int, help="so many of each kind; neither writes anything")
    parser.add_argument("--quick", action="store_true", help="a tenth of the cases; writes nothing")
    parser.add_argument("--share", type=float, help="another share of the cases; below a half nothing is written")
    parser.add_argument("--answers", type=Path, metavar="FILE.jsonl", help="keep answers there, and go on from it")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--details", action="store_true", help="print wrong cases")
    arguments = parser.parse_args()
    if "trained" in arguments.kinds:
        import benchmarks.cases.trained  # noqa: F401  (its kinds need a pool of trained models)
    start = time.perf_counter()
    share = arguments.share or (0.1 if arguments.quick else 1.0)
    kinds = chosen(arguments.kinds)
    result = calibrate(kinds, asked(tasks_of(kinds, share, arguments.cases), arguments.workers, arguments.answers))
    print(table(result))
    if arguments.details:
        for row in result["kinds"]:  # type: ignore[attr-defined]
            for case in row["first_wrong"]:
                print(row["kind"], case)
    print(f"{time.perf_counter() - start:.0f} s")
    if share >= WRITTEN and not arguments.kinds and not arguments.cases:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps({"share": share, **result}, indent=1) + "\n")
        print(f"wrote {RESULTS}")


if __name__ == "__main__":
    main()
