"""Where parents are fingerprints: which disguised copies get exit code 0, and which strangers do not.

Run: `python -m benchmarks.all_clears [--only WORD ...] [--strangers 40] [--seed 1] [--pool DIR --families 1 2]`. Prints
a table of the disguises of `benchmarks/cases/side_by_side.py`, each asked three ways (a whole suspect against
fingerprints, a fingerprint against fingerprints, `identify` with a whole suspect), and counts of strangers: generated
pairs of two shapes, and of really trained models, if `benchmarks.trained.family` left a pool. Writes nothing.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.cases.decoders import HEAD_WIDTH
from benchmarks.cases.side_by_side import BEYOND, LISTED, SHAPE
from benchmarks.trained.pool import load
from benchmarks.trained.run import weights_of
from benchmarks.trained.settings import Family
from modelprov.cli.compared import exit_code
from modelprov.demo.writing import Weights, as_stored, fill_checkpoint
from modelprov.errors import ModelprovError
from modelprov.forensics.results import VerdictClass
from modelprov.jobs.compare import compare
from modelprov.jobs.fingerprint import fingerprint
from modelprov.jobs.identify import identify
from modelprov.jobs.library import add
from tests.generated import Size, model

CONFIG = {
    "num_attention_heads": SHAPE.heads, "num_key_value_heads": SHAPE.groups, "hidden_size": SHAPE.hidden,
    "head_dim": HEAD_WIDTH,
}  # fmt: skip
SIZES = (Size(3, 48, 96, 160), Size(4, 64, 128, 120))
WAYS = ("whole against fingerprints", "fingerprint against fingerprints", "identify")
Said = tuple[str, str, int]
"""Verdict, rule and exit code; `refused` and 2 where nothing can be compared."""


def stored(folder: Path, weights: Weights, config: Mapping[str, Any] | None = None) -> Path:
    """The weights as a checkpoint."""
    fill_checkpoint(folder, as_stored(weights), dict(config or {}), 1)
    return folder


def asked(models: tuple[Weights, ...], config: Mapping[str, Any] | None = None) -> tuple[Said, ...]:
    """What is said of the first model beside fingerprints of the others, each way."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        paths = [stored(folder / f"model-{number}", each, config) for number, each in enumerate(models)]
        held = [fingerprint(path, folder / f"{path.name}.mpf").file for path in paths]
        for path in paths[1:]:
            add(path, folder / "known")
        return tuple(_said(way, paths[0], held, folder / "known") for way in WAYS)


def _said(way: str, suspect: Path, held: list[Path], known: Path) -> Said:
    try:
        if way == "identify":
            found = identify(suspect, library=known, threads=1)
            return str(found.verdict), found.rule, exit_code(found.verdict)
        first = suspect if way == WAYS[0] else held[0]
        verdict = compare(first, *held[1:], threads=1, device="cpu").verdict
        return str(verdict.class_), verdict.rule, exit_code(VerdictClass(verdict.class_))
    except ModelprovError:
        return "refused", "", 2


def strangers(count: int, seed: int) -> Iterator[tuple[str, tuple[Weights, ...], Mapping[str, Any] | None]]:
    """Pairs of generated models of one shape."""
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        size = SIZES[number % len(SIZES)]
        yield "generated", (model(rng, size), model(rng, size)), None


def trained(pool: Path, numbers: list[int]) -> Iterator[tuple[str, tuple[Weights, ...], None]]:
    """Of each family two bases of two seeds, and finetunes of these, across."""
    for number in numbers:
        states, family = load(pool, number), Family(number)
        first = [name for name in states if name in ("base", "tune", "tune on other data")]
        for name in first:
            for other in ("base of another seed", "tune of another seed"):
                if other in states:
                    yield "trained", (weights_of(states, name, family), weights_of(states, other, family)), None


def main() -> None:
    """Ask, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=[], help="disguises with one of these words")
    parser.add_argument("--strangers", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pool", type=Path)
    parser.add_argument("--families", type=int, nargs="*", default=[1, 2])
    given = parser.parse_args()
    print("| case | derived | " + " | ".join(WAYS) + " |\n| :--- | :--- |" + " :--- |" * len(WAYS))
    for case in (*LISTED, *BEYOND):
        if not given.only or any(word in case.name for word in given.only):
            said = [f"{verdict} (`{rule}`), {code}" for verdict, rule, code in asked(case.models(), CONFIG)]
            print(f"| {case.name} | {'yes' if case.derived else 'no'} | {' | '.join(said)} |", flush=True)
    pairs = list(strangers(given.strangers, given.seed))
    pairs += list(trained(given.pool, given.families)) if given.pool else []
    counts: Counter[tuple[str, str, str]] = Counter()
    for kind, models, config in pairs:
        for way, (verdict, rule, _) in zip(WAYS, asked(models, config), strict=True):
            counts[kind, way, f"{verdict} ({rule})"] += 1
    for (kind, way, said), count in sorted(counts.items()):
        print(f"strangers, {kind}, {way}: {said} {count}")


if __name__ == "__main__":
    main()
