"""`identify` on a library of generated models: right, abstained, wrong, by kind of suspect; and seconds of its search.

Run: `python -m benchmarks.identify [--families 20] [--cases 6] [--seed 1]`. Writes nothing but what it prints. A
library of families (a base and its finetunes) of a few layouts, and suspects that are copies of entries, merges of
two and of three, copies and finetunes with their layers moved, and innocents: siblings of entries, strangers, and
merges with a parent that the library does not hold. Named is who stands in a verdict of copy or merge, or on a line
between two.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.cases.structure import arrays_of, layers_taken
from benchmarks.cases.structure import stored as stored_as
from modelprov.checkpoints.formats.dtypes import DType
from modelprov.checkpoints.library_folder import path_in, read_library
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.demo.writing import Weights, as_stored, fill_checkpoint
from modelprov.forensics.identify.mixing import gram, mixtures
from modelprov.forensics.identify.places import shared
from modelprov.forensics.identify.ranking import ranking
from modelprov.forensics.identify.results import Identified
from modelprov.forensics.thresholds import KIN
from modelprov.jobs.identify import identify
from modelprov.jobs.library import add
from modelprov.recipes.arithmetics import Arithmetic
from tests.generated import Size, apply, change, merge, model

SIZES = (Size(3, 48, 96, 160), Size(4, 64, 128, 120))
FINETUNES = 9
NAMING = ("copy", "merge", "on-line")
Family = list[Weights]
Case = tuple[str, Weights, frozenset[str]]


def families(count: int, rng: np.random.Generator) -> list[Family]:
    """Each a base and its finetunes, which differ in how far they were trained."""
    found = []
    for number in range(count):
        base = model(rng, SIZES[number % len(SIZES)])
        tuned = [apply(base, change(base, rng, float(rng.uniform(3e-4, 2e-3)))) for _ in range(FINETUNES)]
        found.append([base, *tuned])
    return found


def cases(of: list[Family], each: int, rng: np.random.Generator) -> list[Case]:
    """Suspects with the entries that are truly in them; none for the innocent."""

    def mixed(members: list[Weights]) -> Weights:
        weights = rng.dirichlet(np.full(len(members), 4.0))
        return merge(members, tuple(map(float, weights)), Arithmetic.FLOAT32, DType.BF16)

    def hidden(family: Family) -> Weights:
        return apply(family[0], change(family[0], rng, float(rng.uniform(3e-4, 2e-3))))

    made: list[Case] = []
    for _ in range(each):
        number = int(rng.integers(len(of)))
        family = of[number]
        chosen = [int(one) for one in rng.choice(len(family), 3, replace=False)]
        names = [f"f{number}-{one}" for one in chosen]
        made.append(("copy", family[chosen[0]], frozenset(names[:1])))
        made.append(("merge of 2", mixed([family[one] for one in chosen[:2]]), frozenset(names[:2])))
        made.append(("merge of 3", mixed([family[one] for one in chosen]), frozenset(names)))
        made.append(("sibling of entries", hidden(family), frozenset()))
        made.append(("finetune of an entry", apply(family[chosen[0]], change(family[0], rng, 3e-4)), frozenset()))
        made.append(("merge with a hidden parent", mixed([family[chosen[0]], hidden(family)]), frozenset(names[:1])))
        made.append(("stranger", model(rng, SIZES[number % len(SIZES)]), frozenset()))
        for kind, order in layer_orders(SIZES[number % len(SIZES)].layers, rng):
            moved = stored_as(layers_taken(arrays_of(family[chosen[0]]), order), family[0])
            made.append((f"copy, layers {kind}", moved, frozenset(names[:1])))
            trained = apply(family[chosen[0]], change(family[0], rng, 3e-4))
            moved = stored_as(layers_taken(arrays_of(trained), order), family[0])
            made.append((f"finetune, layers {kind}", moved, frozenset(names[:1])))
    return made


def layer_orders(count: int, rng: np.random.Generator) -> list[tuple[str, list[int]]]:
    """Which layers a suspect takes, in order: moved as merge tools move them, no layer left where it was."""
    plain, shift = list(range(count)), int(rng.integers(1, count))
    first = int(rng.integers(count - 1))
    swapped = [*plain[:first], first + 1, first, *plain[first + 2 :]]
    return [
        ("permuted", [*plain[shift:], *plain[:shift]]),
        ("dropped", plain[1:]),
        ("repeated", [*plain[:-1], *plain[1:]]),
        ("swapped", swapped),
    ]


def outcome(found: Identified, truth: frozenset[str]) -> str:
    """Right, abstained, wrong, or a false all-clear: a name that is not in it is wrong, whatever else was named."""
    named = frozenset(found.members) if str(found.verdict) in NAMING else frozenset()
    if named - truth:
        return "wrong"
    if named == truth:
        return "right"
    return "none of these" if str(found.verdict) == "unrelated" else "abstained"


def stored(folder: Path, weights: Weights) -> Path:
    """The weights as a checkpoint."""
    fill_checkpoint(folder, as_stored(weights), {}, 1)
    return folder


def timed(what: str, call: Callable[[], object]) -> None:
    """Print how long it takes, on the clock and of the processor."""
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    print(
        f"{what}: {time.perf_counter() - wall:.2f} s on the clock, {time.process_time() - cpu:.2f} s of the processor"
    )


def search(known: Path, suspect: Path) -> None:
    """Everything before `compare`: read the library, rank, look for mixtures."""
    entries = [open_checkpoint(str(path_in(known, entry)), entry.name) for entry in read_library(known).entries]
    values = shared(open_checkpoint(str(suspect)), entries)
    near = ranking(values)
    mixtures(gram(values, np.flatnonzero(near.found & (near.correlation >= KIN))))


def main() -> None:
    """Build, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--families", type=int, default=20)
    parser.add_argument("--cases", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    rng = np.random.default_rng(given.seed)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        known = folder / "known"
        of = families(given.families, rng)
        for number, family in enumerate(of):
            for member, weights in enumerate(family):
                add(stored(folder / f"f{number}-{member}", weights), known, size=100_000)
        print(f"library: {sum(map(len, of))} entries of {given.families} families")
        counts: Counter[tuple[str, str]] = Counter()
        asked = cases(of, given.cases, rng)
        for number, (kind, weights, truth) in enumerate(asked):
            suspect = stored(folder / f"suspect-{number}", weights)
            if number == 1:
                timed("search before compare", lambda suspect=suspect: search(known, suspect))
            found = identify(suspect, library=known, threads=1)
            result = outcome(found, truth)
            counts[kind, result] += 1
            if result == "wrong":
                print(f"WRONG {kind}: {found.members} {found.verdict} {found.rule}, truly {sorted(truth)}")
        columns = ("right", "abstained", "none of these", "wrong")
        print("| suspect | " + " | ".join(columns) + " |\n| :--- |" + " ---: |" * len(columns))
        for kind in dict.fromkeys(kind for kind, _, _ in asked):
            print(
                f"| {kind} | " + " | ".join(str(counts[kind, each]) for each in columns) + " |",
                flush=True,
            )


if __name__ == "__main__":
    main()
