"""Whether the order in which the parents are named changes what is said: each case asked as it is, and the other way.

`python -m benchmarks.lineage.reversed --pool POOL` prints the cases whose class or rule differs, and how many were
asked. The reference is another one then, so that shares and coordinates are counted from there; the class may not
hang on it.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import modelprov
from benchmarks.lineage import sets
from benchmarks.lineage.files import written
from benchmarks.lineage.sorts import Identity, cases, made
from modelprov.errors import ModelprovError


def both(task: tuple[Identity, str]) -> tuple[str, str] | None:
    """Class and rule in the order of the set and in the opposite one; None of a case with one parent."""
    case, pool = task
    sets.use(Path(pool) if pool else None)
    found = made(case)
    if len(found.models) < 3:
        return None
    with tempfile.TemporaryDirectory(prefix="modelprov-lineage-") as folder:
        suspect, *parents = written(found, Path(folder)).all
        return _said(suspect, parents), _said(suspect, parents[::-1])


def _said(suspect: Path, parents: list[Path]) -> str:
    try:
        verdict = modelprov.compare(str(suspect), *map(str, parents), threads=1, device="cpu").verdict
    except ModelprovError as error:
        return f"refused ({type(error).__name__})"
    return f"{verdict.class_} ({verdict.rule})"


def main() -> None:
    """Ask every case twice, and print what differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=("small", "large"), default="small")
    parser.add_argument("--pool", type=Path, help="where `benchmarks.lineage.train` put really trained families")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    sets.use(given.pool)
    tasks = [(case, str(given.pool or "")) for case in cases(given.size)]
    asked = differ = 0
    with ProcessPoolExecutor(given.workers) as pool:
        for (case, _), said in zip(tasks, pool.map(both, tasks), strict=True):
            asked += said is not None
            if said is not None and said[0] != said[1]:
                differ += 1
                print(f"{case.sort} {case.number}: {said[0]}, reversed {said[1]}")
    print(f"{differ} of {asked} differ")


if __name__ == "__main__":
    main()
