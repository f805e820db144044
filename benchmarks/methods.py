"""How often a merge method is named, with its parameters, and whether any is named for what no merge made.

Run from the repository: `python -m benchmarks.methods [--cases 6] [METHOD ...]`. Generated suspects
(`method_cases.py`) go through the whole pipeline; case i of a kind is made from (SEED, kind, i). Without names of
methods the results are written to `benchmarks/results/methods.json`, and the table of them into `docs/method.md`.

`named`: the method, or one that it is among those of the same bits. `whole`: with all its parameters, likewise.
`merge`: called a merge; what only picks numbers is named and stays open. `made`: the recipe found, through `verify`,
gives every bit of the suspect; of random methods, whose masks no recipe holds, `merge` runs it. `bits`: the smallest
share that was reproduced (of random methods: explained by some mask).
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import json
import re
import tempfile
import time
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np

from benchmarks.method_cases import METHODS, NEGATIVES, Case, case_of
from modelprov import merge, verify
from modelprov.demo.writing import as_stored, write_checkpoint
from modelprov.forensics.compare import Options
from modelprov.forensics.judging.findings import Findings
from modelprov.forensics.mixing import NamedMethod
from modelprov.shares import wilson
from tests.memory import run

ROOT = Path(__file__).parents[1]
RESULTS, METHOD = ROOT / "benchmarks" / "results" / "methods.json", ROOT / "docs" / "method.md"
SEED = 20261129
OPTIONS = Options(threads=1, device="cpu", sample_elements=1 << 15)
NEAR = 0.03  # how far estimates of random methods may be off
SUMS = ("task_arithmetic", "linear")  # weighted sums
RANDOM = ("dare_linear", "dare_ties", "della", "della_linear")
DIVIDED = ("ties", "della", "nuslerp", "multislerp")  # by the sum of the weights: their ratio counts
COUNTS = ("named", "whole", "merge", "made")
Seen = dict[str, bool | float | None]
HEAD = "| made by | cases | named | with parameters | merge | recipe gives it |\n"
HEAD += f"| :--- |{' ---: |' * (1 + len(COUNTS))}\n"


def named(case: Case, found: Findings) -> bool:
    """Whether the method is named, or among those that give as much."""
    if case.method in SUMS:  # of which the recipe is the name
        return found.verdict.rule == "reproduced"
    own = found.method
    lines = () if own is None else (own.words, *own.alternatives)
    return any(line.startswith(f"{case.method} of ") for line in lines)


def right(case: Case, found: Findings) -> bool:
    """Whether it is named with its parameters, or what has these is among those that give as much."""
    own = found.method
    if case.method in SUMS:
        return found.verdict.rule == "reproduced" and _weighted(case, found)
    if own is None:
        return False
    if case.layers:
        told = (f"{first}-{stop - 1} of P{parent + 1}" for parent, first, stop in case.layers)
        return own.words == f"passthrough of layers {', '.join(told)}"
    return case.words in (own.words, *own.alternatives) or _same_settings(case, own)


def _weighted(case: Case, found: Findings) -> bool:
    """Whether one recipe holds for all tensors, with the weights of the task vectors."""
    groups = found.reproduction.groups
    return len(groups) == 1 and all(
        abs(groups[0].weights.get(f"P{place}", 0.0) - weight) <= 2e-3 for place, weight in enumerate(case.weights, 1)
    )


def _same_settings(case: Case, found: NamedMethod) -> bool:
    if found.name != case.method:
        return False
    random = case.method in RANDOM
    for name, values in (case.each or {}).items():
        given = [parameters.get(name) for parameters in found.parameters.values()]
        if len(given) != len(values) or None in given:
            return False
        if any(isinstance(value, list) for value in (*given, *values)):  # by layer: the words are compared
            return False
        told, true = np.array(given, float), np.array(values)
        if name == "weight" and case.method in DIVIDED:
            told, true = told / told.sum(), true / true.sum()
        if (np.abs(told - true) > (NEAR if random else 2e-3)).any():
            return False
    return random or all(found.options.get(name) == value for name, value in (case.options or {}).items())


def made(case: Case, found: Findings) -> bool | None:
    """Whether `verify` says that the recipe found gives the suspect (random: whether `merge` runs it); None without."""
    config = found.method.yaml if found.method is not None else found.reproduction.yaml
    if not config:
        return None
    with tempfile.TemporaryDirectory() as folder:
        for place, weights in enumerate(case.models):
            name = f"P{place}" if place else "S"
            write_checkpoint(Path(folder) / name, as_stored(weights), {"model_type": "llama"})
        recipe = Path(folder) / "recipe.yml"
        recipe.write_text(re.sub(r"\bP\d\b", lambda label: str(Path(folder) / label.group()), config))
        if case.method not in RANDOM:
            return verify(Path(folder) / "S", recipe).reproduced
        merge(recipe, Path(folder) / "again", seed=1)
        return True


def judged(method: str, number: int, details: bool) -> Seen:
    """What is said of one case."""
    case = case_of(method, np.random.default_rng([SEED, crc32(method.encode()), number]))
    found = run(case.models, (), OPTIONS).findings
    own = found.method
    share = found.reproduction.bit_equal if own is None else own.bit_equal
    seen = {
        "named": named(case, found), "whole": right(case, found), "made": made(case, found),
        "merge": str(found.verdict.class_) == "merge", "bits": share,
    }  # fmt: skip
    if details and not (seen["whole"] and seen["made"]):
        print("   ", number, seen, case.words, "|", found.verdict.rule, "|", own and own.words, flush=True)
    return seen


def accused(kind: str, number: int, details: bool) -> bool:
    """Whether what no method made is named as made by one."""
    case = NEGATIVES[kind](np.random.default_rng([SEED, crc32(kind.encode()), number]))
    own = run(case.models, (), OPTIONS).findings.method
    if details and own is not None:
        print("   ", number, own.words, flush=True)
    return own is not None


def row(kind: str, seen: list[Seen]) -> dict[str, object]:
    """A row of the table: counts over the cases of a kind."""
    counts = {name: sum(bool(one[name]) for one in seen) for name in COUNTS}
    least = min([one["bits"] or 0.0 for one in seen if one["named"]], default=0.0)
    return {"kind": kind, "cases": len(seen), **counts, "bits": least}


def table(result: dict[str, list[dict[str, Any]]]) -> str:
    """The results as `docs/method.md` has them, with totals."""
    keys = ("cases", *COUNTS)
    rows = [*result["methods"], {"kind": "all", **{key: sum(one[key] for one in result["methods"]) for key in keys}}]
    lines = [f"| {one['kind']} | {' | '.join(str(one[key]) for key in keys)} |\n" for one in rows]
    none, of = (sum(one[key] for one in result["none"]) for key in ("named", "cases"))
    kinds = ", ".join(one["kind"] for one in result["none"])
    up_to = f"95 % up to {wilson(none, of).high:.1%}"
    return f"{HEAD}{''.join(lines)}\nNamed for what no method made ({kinds}): {none} of {of} ({up_to}).\n"


def written(text: str) -> str:
    """`docs/method.md` with the table as the results have it."""
    made_of = table(json.loads(RESULTS.read_text(encoding="utf-8")))
    text, count = re.subn(r"\| made by \|[^\n]*\n(?:\|[^\n]*\n)+\n[^\n]*\n", lambda _: made_of, text)
    if count != 1:
        raise SystemExit(f"docs/method.md has {count} tables of methods")
    return text


def main() -> None:
    """Make, judge, print, write: a case of every kind, then another of every kind, so that it may be stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("methods", nargs="*", help="these only, writes nothing; `negatives` for what no merge made")
    parser.add_argument("--cases", type=int, default=6)
    parser.add_argument("--details", action="store_true", help="print what was missed")
    arguments = parser.parse_args()
    wanted, start = arguments.methods or [*METHODS, "negatives"], time.perf_counter()
    seen: dict[str, list[Seen]] = {kind: [] for kind in METHODS if kind in wanted}
    none: dict[str, list[bool]] = {kind: [] for kind in NEGATIVES if "negatives" in wanted}
    for number in range(arguments.cases):
        for kind, own in seen.items():
            own.append(judged(kind, number, arguments.details))
        for kind, named_so in none.items():
            named_so.append(accused(kind, number, arguments.details))
        print(f"{number + 1} of each, {time.perf_counter() - start:.0f} s", flush=True)
        result = {
            "methods": [row(kind, own) for kind, own in seen.items()],
            "none": [{"kind": kind, "cases": len(own), "named": sum(own)} for kind, own in none.items()],
        }
        if not arguments.methods:
            RESULTS.write_text(json.dumps({"seed": SEED, **result}, indent=1) + "\n", encoding="utf-8")
            METHOD.write_text(written(METHOD.read_text(encoding="utf-8")), encoding="utf-8")
    print(f"{'made by':24} {'cases':>5} {' '.join(f'{name:>6}' for name in COUNTS)} {'bits':>9}")
    for one in result["methods"]:
        counts = " ".join(f"{one[name]:6}" for name in COUNTS)
        print(f"{one['kind']:24} {one['cases']:5} {counts} {one['bits']:9.5f}")
    for one in result["none"]:
        print(f"{one['kind']:24} {one['cases']:5} {one['named']:6}")


if __name__ == "__main__":
    main()
