"""Merges with a tensor larger than 1 GB: modelprov, mergekit and a copy in turns, on the same files.

Run: `python -m benchmarks.merge_large --mergekit-python PYTHON [--methods ties slerp ...] [--pairs 1]
[--folder PLACE]`; a pair of each of the default methods takes three minutes on two idle cores. Writes two checkpoints
of 1.18 GB (an embedding of 262,144 rows of 2,048 bf16 numbers, and one layer) and removes them. Each run is a process
of its own; of every pair the outputs are compared bit by bit and ratios of wall and of processor seconds are taken,
whose medians, least and largest are told: mergekit / modelprov; modelprov / copy, a program that copies one model and
reads the other; and mergekit / copy, at which the first one would arrive if merging cost no more than the copy. A copy
that hashes what it writes, as `modelprov merge` does, is measured too. On a machine with other work wall times say
little, processor seconds more. What was measured is put into `benchmarks/results/merge.json` under `large tensors`,
each method when it is done. mergekit takes up to 17 GB of memory, files included: a run waits until it is free.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from merge import COPY, WITH_BASE, equal_share, measured, recipe_of, write_family

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "merge.json"
ROWS = 262_144
MEMORY = {"ties": 15, "breadcrumbs": 15, "della": 15}
"""GB beside the files that mergekit takes; of others `OTHERS`."""
OTHERS = 11
OURS = "4G"
"""`--memory` of modelprov: what the swaps of a sort take of such a tensor."""
METHODS = ("ties", "dare_ties", "slerp", "nuslerp", "linear", "task_arithmetic")
RATIOS = (
    ("mergekit", "modelprov", ("wall", "cpu", "peak")),
    ("modelprov", "copy", ("wall", "cpu")),
    ("modelprov", "copy and hash", ("wall", "cpu")),
    ("mergekit", "copy", ("wall", "cpu")),
)
EXTRA: dict[str, str] = {
    "breadcrumbs": "  parameters: {weight: 1.0, density: 0.5, gamma: 0.05}",
    "della": "  parameters: {weight: 1.0, density: 0.5, epsilon: 0.1}",
}


def recipe(method: str, one: Path, other: Path) -> str:
    """The recipe of a method; the second model is its base where it has one."""
    if method in EXTRA:
        return WITH_BASE.format(method=method, one=one, other=other, parameters=EXTRA[method])
    if method == "nuslerp":
        return recipe_of("linear", one, other).replace("linear", "nuslerp")
    return recipe_of(method, one, other)


def wait_for_memory(gigabytes: int) -> None:
    """Return when so much memory is available."""
    while _available() < gigabytes * 10**9:
        time.sleep(5)


def _available() -> int:
    lines = Path("/proc/meminfo").read_text().splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith("MemAvailable")))


def pairs(method: str, folder: Path, family: tuple[Path, Path], count: int, kit: Path) -> dict[str, Any]:
    """`count` pairs of runs of a method, modelprov first in every other, between copies."""
    place = folder / "recipe.yml"
    place.write_text(recipe(method, *family))
    ours = ["merge", str(place), str(folder / "ours"), "-q", "--memory", OURS]
    copied = [sys.executable, "-c", COPY, *map(str, family), str(folder / "copy")]
    commands = {
        "copy": [*copied, "plain"],
        "modelprov": [sys.executable, "-m", "modelprov", *ours],
        "mergekit": [str(kit.with_name("mergekit-yaml")), str(place), str(folder / "theirs")],
        "copy and hash": [*copied, "hash"],
    }  # fmt: skip
    outs = {"modelprov": folder / "ours", "mergekit": folder / "theirs"}
    order = ["copy", "modelprov", "mergekit", "copy and hash"]
    runs: list[dict[str, dict[str, float]]] = []
    shares = []
    for number in range(count):
        pair = {}
        for name in order if number % 2 == 0 else order[::-1]:
            wait_for_memory(MEMORY.get(method, OTHERS) if name == "mergekit" else 5)
            pair[name] = measured(commands[name], outs.get(name, folder / "copy"))
            shutil.rmtree(folder / "copy", ignore_errors=True)
        shares.append(equal_share(outs["modelprov"], outs["mergekit"]))
        runs.append(pair)
    ratios = {
        f"{above} / {below}": {key: _spread([pair[above][key] / pair[below][key] for pair in runs]) for key in keys}
        for above, below, keys in RATIOS
    }
    return {
        "pairs": runs,
        **ratios,
        "tensors of the same bits": min(share["equal"] for share in shares),
        "load": round(os.getloadavg()[0], 1),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _spread(found: list[float]) -> dict[str, float]:
    told = {"median": statistics.median(found), "least": min(found), "most": max(found)}
    return {name: round(value, 2) for name, value in told.items()}


def main() -> None:
    """Measure, print and record; see the module's first lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mergekit-python", type=Path, required=True)
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--pairs", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("/dev/shm"))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as scratch:
        folder = Path(scratch)
        family = write_family(folder, 1.1, ROWS, tied=True)
        for method in given.methods:
            found = pairs(method, folder, family, given.pairs, given.mergekit_python)
            for pair in found["pairs"]:
                said = (f"{name} {run['wall']:.1f} s ({run['cpu']:.1f})" for name, run in pair.items())
                print(f"{method}: {', '.join(said)}", flush=True)
            print(json.dumps({name: found[name] for name in found if " / " in name}), flush=True)
            held = json.loads(RESULTS.read_text())
            held.setdefault("large tensors", {})[method] = found
            RESULTS.write_text(json.dumps(held, indent=2) + "\n")


if __name__ == "__main__":
    main()
