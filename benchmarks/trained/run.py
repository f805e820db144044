"""Compares all labelled triples of the trained families in memory, and writes `benchmarks/results/trained.json`.

Run: `python -m benchmarks.trained.run --pool DIR [--families 0 1] [--again]`. Answers are kept in the pool by family;
the result is written from all of them. Even families are the half that thresholds are looked at on, odd ones report.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy

import argparse
import json
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks.cases.kinds import ACCUSATIONS, NAMED
from benchmarks.trained.cases import KINDS
from benchmarks.trained.margins import margins
from benchmarks.trained.merging import stored_as
from benchmarks.trained.pool import Pool, kept_at, load
from benchmarks.trained.settings import FAMILIES, SEED, Family
from modelprov.demo.writing import Weights
from modelprov.forensics.compare import Options
from modelprov.forensics.results import VerdictClass
from modelprov.shares import wilson
from tests.memory import run

RESULTS = Path(__file__).parents[1] / "results" / "trained.json"
OPTIONS = Options(threads=1, device="cpu", sample_elements=1 << 15)
HALVES = ("thresholds", "results")
CLASSES = frozenset(str(name) for name in VerdictClass)
FACTS = ("straightness", "spread", "collinearity", "bit_equal", "weight_error", "strictly", "agreement", "betweenness")
Answer = dict[str, Any]


def weights_of(pool: Pool, name: str, family: Family) -> Weights:
    """A checkpoint in the format that its family stores it in."""
    if name.startswith("merge: "):
        dtype = stored_as(name.removeprefix("merge: "), family)
    else:
        dtype = family.formats[0 if name.startswith("base") and name != "base further" else 1]
    return {key: (values, dtype) for key, values in pool[name].items()}


def judge(pool: Pool, names: tuple[str, ...], family: Family) -> Answer:
    """The verdict on the first of these, with the numbers that the rules look at."""
    findings = run([weights_of(pool, name, family) for name in names], (), OPTIONS).findings
    facts, verdict = findings.facts, findings.verdict
    numbers = {name: None if (value := getattr(facts, name)) is None else round(value, 5) for name in FACTS}
    return {
        "class": str(verdict.class_),
        "rule": verdict.rule,
        **numbers,
        "weights": facts.weights and [round(value, 4) for value in facts.weights],
        "correlations": [None if value is None else round(value, 4) for value in facts.correlations],
        "summary": verdict.summary,
    }


def answers_of(folder: Path, number: int, again: bool) -> list[Answer]:
    """All answers about a family, from the pool where they were given before."""
    path = folder / f"answers-{number:02d}.json"
    if path.exists() and not again:
        return json.loads(path.read_text(encoding="utf-8"))  # type: ignore[no-any-return]
    family, pool = Family(number), load(folder, number)
    answers = []
    for kind, told in KINDS.items():
        for names in told.cases:
            missing = [name for name in names if name not in pool]
            if missing:
                print(f"{number} {kind}: not in the pool: {', '.join(missing)}")
            else:
                found = judge(pool, names, family)
                common = {"family": number, "half": family.half, "kind": kind, "models": list(names)}
                answers.append({**common, "format": str(family.formats[1]), **found})
                print(number, kind, " | ".join(names), found["class"], found["rule"], flush=True)
    path.write_text(json.dumps(answers), encoding="utf-8")
    return answers


def share(count: int, of: int) -> dict[str, float | int]:
    """A count with its Wilson interval."""
    bounds = wilson(count, of)
    return {"count": count, "of": of, "low": round(bounds.low, 5), "high": round(bounds.high, 5)}


def _row(kind: str, answers: list[Answer]) -> dict[str, object]:
    told = KINDS[kind]
    return {
        "kind": kind,
        "truth": told.truth,
        "expected": list(told.expected),
        "cases": len(answers),
        "classes": dict(Counter(answer["class"] for answer in answers).most_common()),
        "errors": share(sum(answer["class"] in told.never for answer in answers), len(answers)),
        "wrong": share(sum(answer["class"] not in told.expected for answer in answers), len(answers)),
    }


def _totals(answers: list[Answer]) -> dict[str, object]:
    def of(classes: frozenset[str], *among: str) -> dict[str, float | int]:
        own = [answer for answer in answers if {KINDS[answer["kind"]].truth, answer["kind"]} & set(among)]
        return share(sum(answer["class"] in classes - set(KINDS[answer["kind"]].expected) for answer in own), len(own))

    return {
        "false accusations (no merge)": of(ACCUSATIONS, "negative"),
        "false accusations (on the line, unmerged)": of(ACCUSATIONS, "limit"),
        "named on a line without lying there (no merge)": of(frozenset({NAMED}), "negative"),
        "strangers called kin": of(CLASSES - {"unrelated", "inconclusive"}, "strangers"),
        "linear merges not called merge": of(CLASSES - {"merge"}, "linear merges"),
        "merges called something else (exit code 0)": of(frozenset({"same-origin", "unrelated"}), "positive"),
    }


def main() -> None:
    """Judge, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pool", type=Path, required=True, help="the folder that the families were trained into")
    parser.add_argument("--families", type=int, nargs="*", default=list(range(FAMILIES)))
    parser.add_argument("--again", action="store_true", help="ask again what was answered before")
    parser.add_argument("--write", action="store_true", help="write the results from these families")
    arguments = parser.parse_args()
    there = [number for number in arguments.families if kept_at(arguments.pool, number).exists()]
    answers = [answer for number in there for answer in answers_of(arguments.pool, number, arguments.again)]
    checkpoints = {number: len(load(arguments.pool, number)) for number in there}
    result = {
        "seed": SEED,
        "families": {half: [n for n in there if Family(n).half == half] for half in HALVES},
        "checkpoints": sum(checkpoints.values()),
        "sample_elements": OPTIONS.sample_elements,
        "margins": margins(answers),
        "halves": {
            half: {
                "totals": _totals(own),
                "kinds": [_row(kind, [a for a in own if a["kind"] == kind]) for kind in KINDS],
            }
            for half in HALVES
            for own in [[answer for answer in answers if answer["half"] == half]]
        },
        "wrong": [answer for answer in answers if answer["class"] not in KINDS[answer["kind"]].expected],
    }
    print(json.dumps({half: told["totals"] for half, told in result["halves"].items()}, indent=1))  # type: ignore[attr-defined]
    if arguments.write:
        RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        print(f"wrote {RESULTS.name}")


if __name__ == "__main__":
    main()
