"""The sets: every sort registered, and the manifest with its digests. Judges nothing.

Run: `python -m benchmarks.lineage.sets [--size large] [--pool DIR] [--write | --verify]`. `--write` puts the manifest
of the small set, with the SHA-256 of every case, into `benchmarks/lineage/manifest.json`; `--verify` makes the cases
again and says which have other bits here.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.lineage.sorts import SEED, SORTS, VERSION, Identity, cases, digest, made

MANIFEST = Path(__file__).parent / "manifest.json"


def use(pool: Path | None) -> None:
    """Register all sorts; those of really trained models hold what is in the pool."""
    from benchmarks.lineage import trained

    if pool is not None:
        os.environ[trained.POOL] = str(pool)
    if os.environ.get(trained.POOL) and not trained.families():
        raise SystemExit(
            f"no family in {os.environ[trained.POOL]}: run `python -m benchmarks.lineage.train --pool DIR`"
        )
    from benchmarks.lineage import disguised, innocent, merged  # noqa: F401  (fill the list of sorts)

    if not any(sort.group == trained.GROUP for sort in SORTS.values()):
        trained.register()


def entry(case: Identity) -> dict[str, Any]:
    """A case as the manifest has it."""
    found = made(case)
    return {
        "case": str(case), "group": SORTS[case.sort].group, "about": found.about, "models": len(found.models),
        "label": found.label.told(), "form": found.form, "sha256": digest(found),
    }  # fmt: skip


def manifest(size: str) -> dict[str, Any]:
    """All cases of a set with seed, version, labels and digests."""
    rows = [entry(case) for case in cases(size)]
    return {
        "seed": SEED, "version": VERSION, "size": size, "numpy": np.__version__, "machine": platform.machine(),
        "cases": rows,
    }  # fmt: skip


def as_text(found: dict[str, Any]) -> str:
    """JSON with a line a case, so that a change of one is a change of one line."""
    head = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in found.items() if key != "cases")
    lines = ",\n".join(json.dumps(row) for row in found["cases"])
    return f'{{{head},\n"cases": [\n{lines}\n]}}\n'


def is_negative(label: dict[str, Any]) -> bool:
    """Whether nothing of what is named was copied or merged: whoever says so accuses the innocent."""
    relation = label["relation"]
    return relation != "open" and not {"copy", "merge"} & set(relation)


def known() -> dict[str, Any]:
    """The manifest in the repository."""
    return dict(json.loads(MANIFEST.read_text(encoding="utf-8")))


def main() -> None:
    """Make, write or verify."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=("small", "large"), default="small")
    parser.add_argument("--pool", type=Path)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--verify", action="store_true")
    given = parser.parse_args()
    use(given.pool)
    counts = Counter(SORTS[case.sort].group for case in cases(given.size))
    for group, count in counts.items():
        print(f"{group:40} {count:6,}")
    print(f"{'all':40} {counts.total():6,}")
    if not (given.write or given.verify):
        return
    made = manifest(given.size)
    negatives = sum(is_negative(row["label"]) for row in made["cases"])
    print(f"{negatives:,} negatives")
    if given.verify:
        told = {row["case"]: row["sha256"] for row in known()["cases"]}
        other = [row["case"] for row in made["cases"] if told.get(row["case"]) not in (None, row["sha256"])]
        print(
            f"{len(made['cases']) - len(other):,} cases have the same bits, {len(other):,} others: {', '.join(other)}"
        )
    if given.write:
        MANIFEST.write_text(as_text(made), encoding="utf-8")
        print(f"wrote {MANIFEST.name}")


if __name__ == "__main__":
    main()
