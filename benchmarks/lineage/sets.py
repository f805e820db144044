"""The sets: every sort registered, and the manifests with their digests. Judges nothing.

Run: `python -m benchmarks.lineage.sets [--size large] [--sorts NAME ...] [--pool DIR] [--write | --verify]`. `--write`
puts the SHA-256 of every case of the small set, with its label, into `manifest.json`, and one for every sort of the
large one into `digests.json`; `--verify` makes the cases again and says which have other bits here.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.lineage.sorts import SEED, SORTS, VERSION, Identity, cases, digest, made

MANIFEST = Path(__file__).parent / "manifest.json"
DIGESTS = Path(__file__).parent / "digests.json"
"""Of the large set: of each sort how many cases, and one digest of them all."""


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


def manifest(size: str, sorts: Collection[str] = ()) -> dict[str, Any]:
    """All cases of a set, or those of some sorts, with seed, version, labels and digests."""
    rows = [entry(case) for case in cases(size) if not sorts or case.sort in sorts]
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


def of_sort(name: str, count: int) -> str:
    """SHA-256 over the digests of the first `count` cases of a sort, in hexadecimal and in order."""
    found = hashlib.sha256()
    for number in range(count):
        found.update(digest(made(Identity(name, number))).encode())
    return found.hexdigest()


def digests(counts: Mapping[str, int]) -> dict[str, Any]:
    """Seed, version, and of each sort its number of cases and their digest."""
    told = {name: {"cases": count, "sha256": of_sort(name, count)} for name, count in counts.items()}
    return {"seed": SEED, "version": VERSION, "numpy": np.__version__, "machine": platform.machine(), "sorts": told}


def digests_as_text(found: dict[str, Any]) -> str:
    """JSON with a line a sort."""
    head = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in found.items() if key != "sorts")
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(row)}" for name, row in found["sorts"].items())
    return f'{{{head},\n"sorts": {{\n{lines}\n}}}}\n'


def known_digests() -> dict[str, Any]:
    """Those of the large set in the repository."""
    return dict(json.loads(DIGESTS.read_text(encoding="utf-8")))


def main() -> None:
    """Make, write or verify."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=("small", "large"), default="small")
    parser.add_argument("--sorts", nargs="+", metavar="NAME", help="only these, such as 'two parents'")
    parser.add_argument("--pool", type=Path)
    doing = parser.add_mutually_exclusive_group()
    doing.add_argument("--write", action="store_true")
    doing.add_argument("--verify", action="store_true")
    given = parser.parse_args()
    use(given.pool)
    unknown = set(given.sorts or ()) - set(SORTS)
    if unknown or (given.write and given.sorts):
        parser.error(f"there is no sort {sorted(unknown)[0]!r}" if unknown else "--write writes all sorts")
    counts = Counter(SORTS[case.sort].group for case in cases(given.size))
    for group, count in counts.items():
        print(f"{group:40} {count:6,}")
    print(f"{'all':40} {counts.total():6,}")
    if given.write or given.verify:
        (_small if given.size == "small" else _large)(given.sorts or list(SORTS), write=given.write)


def _small(sorts: list[str], *, write: bool) -> None:
    """Case by case."""
    found = manifest("small", sorts)
    print(f"{sum(is_negative(row['label']) for row in found['cases']):,} negatives")
    if write:
        _put(MANIFEST, as_text(found))
        return
    told = {row["case"]: row["sha256"] for row in known()["cases"]}
    same = {row["case"]: told.get(row["case"]) == row["sha256"] for row in found["cases"] if row["case"] in told}
    _verified("cases", same, len(found["cases"]))


def _large(sorts: list[str], *, write: bool) -> None:
    """Sort by sort."""
    if write:
        from benchmarks.lineage import trained  # what training gives is of the machine that trained

        counts = Counter(case.sort for case in cases("large") if SORTS[case.sort].group != trained.GROUP)
        _put(DIGESTS, digests_as_text(digests(counts)))
        return
    told = known_digests()["sorts"]
    same = {name: of_sort(name, told[name]["cases"]) == told[name]["sha256"] for name in sorts if name in told}
    _verified("sorts", same, sum(bool(SORTS[name].large) for name in sorts))


def _put(file: Path, text: str) -> None:
    file.write_text(text, encoding="utf-8")
    print(f"wrote {file.name}")


def _verified(what: str, same: dict[str, bool], asked: int) -> None:
    others = [name for name, alike in same.items() if not alike]
    print(f"{sum(same.values()):,} {what} have the same bits, {len(others):,} others: {', '.join(others)}")
    if len(same) < asked:
        print(f"{asked - len(same):,} have no digest")


if __name__ == "__main__":
    main()
