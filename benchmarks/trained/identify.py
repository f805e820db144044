"""`identify` and `atlas` on really trained families: who is named, and what kinship and gains measure. Trains nothing.

Run: `python -m benchmarks.trained.identify [--pool DIR] [--families 0 1 ...] [--json FILE]`, after
`python -m benchmarks.trained.family`. One library holds the members below of all families; those of one shape can be
compared with each other and are strangers. Each suspect is asked about in that library, and each pair of entries that
can be compared gives a correlation and its chance. Families judge as one seed each: they are few, their models many.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.trained.merging import FIRST, RECIPES, SECOND, THIRD, parents_of
from benchmarks.trained.pool import Pool, load
from benchmarks.trained.run import weights_of
from benchmarks.trained.settings import Family
from modelprov.checkpoints.library_folder import path_in, read_library
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.demo.writing import as_stored, fill_checkpoint
from modelprov.forensics.identify.kinship import kinship
from modelprov.jobs.identify import identify
from modelprov.jobs.library import add

POOL = Path(__file__).parent / "pool"
SIZE = 60_000  # bytes of a fingerprint: a third of a model of bf16
ENTRIES = (
    "base", FIRST, SECOND, THIRD, "tune in another order", "tune on half", "adapter", "further", "tune after 24",
    "base of another seed",
)  # fmt: skip
NEVER_MERGED = (
    "tune by sgd", "tune with dropout", "tune of attention", "tune in bf16", "distilled", "distilled by a stranger",
    "tune of another seed", "tune of one start", "base of one start", "base further",
)  # fmt: skip
ON_A_LINE = ("tune at 0.7", "tune at 1.5", "tune after 36", "average of a run", "further a little")
"""Not merged, and on a line by another history: `on-line` is right."""
MERGES = ("linear", "linear odd", "linear with base", "linear of three", "linear of stages", "task arithmetic")
OTHER_METHODS = ("slerp", "ties", "dare_linear")
ACCUSING = ("copy", "merge")
Row = dict[str, Any]


def suspects() -> Iterator[tuple[str, str, frozenset[str], tuple[str, ...]]]:
    """Kind, name, the members that are truly in it, and entries that are left out of the library."""
    yield "copy", SECOND, frozenset({SECOND}), ()
    for recipe in MERGES:
        parents = parents_of(recipe)
        yield "merge of entries", f"merge: {recipe}", frozenset(parents), ()
    for recipe in ("linear", "linear of three"):
        yield "merge with a hidden parent", f"merge: {recipe}", frozenset(parents_of(recipe)), (SECOND,)
    for recipe in OTHER_METHODS:
        yield "merge by another method", f"merge: {recipe}", frozenset({*parents_of(recipe), "base"}), ()
    for steps in (2, 32):
        yield "merge, then trained", f"linear trained {steps}", frozenset(parents_of("linear")), ()
    for name in NEVER_MERGED:
        yield "never merged", name, frozenset(), ()
    for name in ON_A_LINE:
        yield "on a line by another history", name, frozenset(), ()
    for name in (FIRST, "base", "further"):
        yield "an entry itself, left out", name, frozenset(), (name,)
    assert all(recipe in RECIPES for recipe in (*MERGES, *OTHER_METHODS))


def outcome(row: Row) -> str:
    """Right, on a line, abstained or wrong: an entry that is not in it, named in a copy or merge, is wrong."""
    if row["verdict"] in ACCUSING:
        return "right" if row["named"] and set(row["named"]) <= set(row["truth"]) else "wrong"
    if row["verdict"] == "on-line":
        return "on a line"
    if row["verdict"] == "unrelated":
        return "none of these" if not row["truth"] else "wrong"
    return "abstained"


def asked(number: int, pool: Pool, folder: Path, known: Path) -> Iterator[Row]:
    """What `identify` says of each suspect of a family."""
    for kind, name, truth, hidden in suspects():
        if name not in pool:
            continue
        place = folder / f"suspect-{number}-{name.replace(' ', '-')}-{len(hidden)}"
        fill_checkpoint(place, as_stored(weights_of(pool, name, Family(number))), {}, 1)
        found = identify(
            place, library=known, threads=1, leave_out=[f"{number}/{each}" for each in hidden if each in ENTRIES]
        )
        row: Row = {
            "family": number, "kind": kind, "suspect": name, "truth": sorted(f"{number}/{each}" for each in truth),
            "verdict": str(found.verdict), "rule": found.rule, "named": list(found.members),
            "kin": sum(entry.kin for entry in found.ranked),
            "strangers_kin": sum(entry.kin for entry in found.ranked if not entry.name.startswith(f"{number}/")),
            "gains": [[len(each.members), round(each.gain, 4), round(each.usual, 4)] for each in found.proposals],
        }  # fmt: skip
        yield row | {"outcome": outcome(row)}


def pairs(known: Path) -> Row:
    """What kinship says of every pair of entries, of one family and of two."""
    index = read_library(known)
    entries = [open_checkpoint(str(path_in(known, entry)), entry.name) for entry in index.entries]
    near, family = kinship(entries), np.array([int(entry.name.split("/")[0]) for entry in index.entries])
    seed = np.array([entry.name.endswith("another seed") for entry in index.entries])
    upper = np.triu(near.comparable, 1)
    own = (family[:, None] == family[None]) & (seed[:, None] == seed[None])
    apart, same = upper & ~own, upper & own
    return {
        "strangers": int(apart.sum()), "strangers_kin": int(near.kin[apart].sum()),
        "strangers_highest": float(near.correlation[apart].max(initial=-1)),
        "strangers_below": {str(limit): int((near.chance[apart] < limit).sum()) for limit in (0.1, 0.01, 0.001)},
        "relatives": int(same.sum()), "relatives_kin": int(near.kin[same].sum()),
        "relatives_lowest": float(near.correlation[same].min(initial=1)),
    }  # fmt: skip


def main() -> None:
    """Build the library, ask, print, and keep what was asked to be kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pool", type=Path, default=POOL)
    parser.add_argument("--families", type=int, nargs="+", default=list(range(8)))
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        known = folder / "known"
        pools = {number: load(given.pool, number) for number in given.families}
        for number, pool in pools.items():
            for name in ENTRIES:
                at = folder / f"{number}-{name.replace(' ', '-')}"
                fill_checkpoint(at, as_stored(weights_of(pool, name, Family(number))), {}, 1)
                add(at, known, size=SIZE, name=f"{number}/{name}")
        measured = pairs(known)
        print(json.dumps(measured), flush=True)
        for number, pool in pools.items():
            for row in asked(number, pool, folder, known):
                rows.append(row)
                if row["outcome"] == "wrong" or row["strangers_kin"]:
                    print(json.dumps(row), flush=True)
            if given.json is not None:
                given.json.write_text(json.dumps({"pairs": measured, "rows": rows}, indent=1) + "\n")
            print(f"family {number} asked", flush=True)
    counts = Counter((row["kind"], row["outcome"]) for row in rows)
    columns = ("right", "on a line", "none of these", "abstained", "wrong")
    print("| suspect | " + " | ".join(columns) + " |\n| :--- |" + " ---: |" * len(columns))
    for kind in dict.fromkeys(row["kind"] for row in rows):
        print(f"| {kind} | " + " | ".join(str(counts[kind, each]) for each in columns) + " |")


if __name__ == "__main__":
    main()
