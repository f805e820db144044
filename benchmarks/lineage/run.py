"""The command: makes the cases of a set, asks every tool that is here, scores them, and writes the result and page.

Run: `python -m benchmarks.lineage.run [--size large] [--pool DIR] [--peers DIR] [--answers FILE] [--write]`. Answers
are lines of JSON; what is in the file already is not asked again. `--write` scores what is there, and puts it into
`benchmarks/results/lineage.json` (of the large set `lineage-large.json`) and the tables of docs/lineage.md.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.lineage import sets
from benchmarks.lineage.files import written
from benchmarks.lineage.labels import Answer
from benchmarks.lineage.memory import peak_of
from benchmarks.lineage.peers.interface import Cost, Peer
from benchmarks.lineage.peers.ours import Ours
from benchmarks.lineage.peers.programs import Cisco, ModelDna
from benchmarks.lineage.peers.statistics import Awm, LeastSquares, ModelTracing, Sionic
from benchmarks.lineage.sorts import SEED, VERSION, Identity, cases, digest, made

Row = dict[str, Any]


@cache
def peers(folder: str) -> tuple[Peer, ...]:
    """All tools, the programs as they lie in a folder of environments."""
    place = Path(folder) if folder else Path("peers")
    home = Path(tempfile.mkdtemp(prefix="modelprov-lineage-home-"))
    return (
        Ours("in full"), LeastSquares(), Sionic(), Awm(), ModelTracing(),
        ModelDna(place / "modeldna" / "bin" / "python", home), Ours("by sample"), Ours("by fingerprint"),
        Cisco(place / "cisco" / "bin" / "python", home),
    )  # fmt: skip


def ask(task: tuple[Identity, tuple[str, ...], str, str]) -> list[Row]:
    """What some tools say of one case, each with its cost; a tool that fails has refused, in its own words."""
    case, names, folder, pool = task
    sets.use(Path(pool) if pool else None)
    found = made(case)
    bits, rows = digest(found), []
    with tempfile.TemporaryDirectory(prefix="modelprov-lineage-") as place:
        files = written(found, Path(place))
        for peer in peers(folder):
            if peer.name not in names:
                continue
            began = time.process_time()
            with peak_of() as memory:
                try:
                    answer, cost = peer.ask(files)
                except Exception as error:
                    answer, cost = Answer(refused=True, words=f"{type(error).__name__}: {error}"[:300]), Cost()
            seconds = time.process_time() - began if cost.seconds is None else cost.seconds
            row = {
                "case": case.sort,
                "number": case.number,
                "seed": SEED,
                "version": VERSION,
                "peer": peer.name,
                **asdict(answer),
                "seconds": round(seconds, 3),
                "bytes": cost.bytes,
                "memory": memory.bytes,
                "sha256": bits[:16],
            }  # fmt: skip
            rows.append(row)
    return rows


def known(path: Path) -> list[Row]:
    """The answers in a file, of this seed and version."""
    if not path.exists():
        return []
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [row for row in rows if (row["seed"], row["version"]) == (SEED, VERSION)]


ROUNDS = (("in full",), ("least squares", "sionic", "AWM", "model-tracing", "modelDNA"), ("by ",), ("Cisco",))
"""What is asked together, by words of names: each round goes through all cases, the dear ones last."""


def open_tasks(size: str, names: Sequence[str], rows: Sequence[Row], folder: str, pool: str) -> Iterator[Any]:
    """Cases with the tools of a round that have not answered yet; the first of every sort, then the second of each."""
    done = {(row["case"], row["number"], row["peer"]) for row in rows}
    for words in ROUNDS:
        own = [name for name in names if any(word in name for word in words)]
        for case in sorted(cases(size), key=lambda each: each.number):
            left = tuple(name for name in own if (case.sort, case.number, name) not in done)
            if left:
                yield case, left, folder, pool


def main() -> None:
    """Ask what is open, then print; with --write, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=("small", "large"), default="small")
    parser.add_argument("--pool", type=Path, help="where `benchmarks.lineage.train` put really trained families")
    parser.add_argument("--peers", type=Path, help="where `benchmarks.lineage.peers.programs` put environments")
    parser.add_argument("--only", nargs="*", default=[], help="tools with one of these words in their names")
    parser.add_argument("--sorts", nargs="*", default=[], help="cases with one of these words in their sort")
    parser.add_argument("--answers", type=Path, default=Path("lineage-answers.jsonl"))
    parser.add_argument("--each", type=int, default=sys.maxsize, help="the first so many cases of every sort")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--write", action="store_true", help="ask nothing; write the result and the page's tables")
    given = parser.parse_args()
    from benchmarks.lineage import page

    sets.use(given.pool)
    if given.pool is None and not os.environ.get("MODELPROV_LINEAGE_POOL"):
        print("skipped: really trained models, for want of --pool (python -m benchmarks.lineage.train)")
    rows = known(given.answers)
    if not given.write:
        here = []
        for peer in peers(str(given.peers or "")):
            if peer.absent:
                print(f"skipped: {peer.name}: {peer.absent}")
            elif not given.only or any(word in peer.name for word in given.only):
                here.append(peer.name)
        tasks = [
            task
            for task in open_tasks(given.size, here, rows, str(given.peers or ""), str(given.pool or ""))
            if task[0].number < given.each and (not given.sorts or any(word in task[0].sort for word in given.sorts))
        ]
        with ProcessPoolExecutor(given.workers) as pool, given.answers.open("a", encoding="utf-8") as out:
            for place, answers in enumerate(pool.map(ask, tasks, chunksize=1), 1):
                for row in answers:
                    rows.append(row)
                    out.write(json.dumps(row) + "\n")
                out.flush()
                if sys.stderr.isatty():
                    print(f"\r{place:,} of {len(tasks):,}", end="", file=sys.stderr)
    result = page.result(given.size, rows)
    print(page.table(result))
    if given.write:
        page.write(result)


if __name__ == "__main__":
    main()
