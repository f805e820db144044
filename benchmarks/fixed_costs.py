"""What a comparison costs beside the pass over the weights, in processor seconds and in imports of numpy.

Run: `python benchmarks/fixed_costs.py [--repeats 5] [--tensors 95000] [--skip-first] [--json FILE]`. Every figure is
the median of fresh processes' own processor time (user and system), so that other work on the machine counts little;
beside it stands how often the same machine could have imported numpy in that time, measured in between:

* `--help`, and importing what `compare` needs;
* the command `compare`, all of it with its start, its pass and its end, on a merge, a finetune and two strangers:
  processor seconds, and the least wall time, which says something on an idle machine only;
* the same on two strangers of realistic proportions with embeddings, once each, as a multiple of what touching every
  byte of both takes: nothing but a look at every unit tells them apart;
* its stages, in a process that is not the command's, on 32 layers of seven matrices, as a dense model of 7B parameters
  has them, of small tensors: nearly all but reading is there; and on a parent of the merge against their base, where
  nothing but whole matrices tells what is left;
* the first run of all, which compiles the kernels;
* opening, aligning, judging and reporting a model of very many tensors, sampled.

Nothing here asserts a time.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

from families import BigFamily, write_big_family
from strangers import Proportions, write_stranger

from modelprov.machine import processors

DENSE = 7 * 32
DENSE_BYTES = 60_000_000
ROWS, WIDTH = 16, 128
STAGES = """
import sys, tempfile, time
from modelprov.forensics.compare import Options
from modelprov.jobs.compare import run
class Stages:
    def __init__(self):
        self.name, self.start = "import", 0.0
    def stage(self, text, total_bytes=0):
        now = time.process_time()
        print(round(now - self.start, 4), self.name, sep="\\t")
        self.name, self.start = text.split(":")[0].split(" (")[0], now
    def advance(self, read):
        pass
stages = Stages()
sample = sys.argv[1] == "sample"
report = run(sys.argv[2:], [], Options(sample=sample), "benchmark", stages)
stages.stage("writing the report")
with tempfile.TemporaryDirectory() as folder:
    report.save(folder + "/report.json")
stages.stage("the end")
"""
"""A process of its own tells after each stage what it took."""
TOUCH = """
import sys, numpy
for file in sys.argv[1:]:
    numpy.memmap(file, "u8", "r", shape=(__import__("os").path.getsize(file) // 8,)).max()
"""
PASS = ("reading every weight", "reading a sample")
Figures = dict[str, dict[str, float]]


def processor_seconds(*arguments: str, environment: dict[str, str] | None = None) -> tuple[float, str]:
    """User and system seconds of a process of this Python, and what it printed. Findings are no failure."""
    known = os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": ""} | (environment or {})
    before = os.times()
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, env=known)
    after = os.times()
    if done.returncode not in (0, 1):
        raise RuntimeError(f"{arguments} failed: {done.stderr}")
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return used, done.stdout


def yardstick() -> float:
    """Importing numpy."""
    return processor_seconds("-c", "import numpy")[0]


def median_of(repeats: int, *arguments: str) -> dict[str, float]:
    """The median of some processes, and as a multiple of the yardstick measured beside each."""
    pairs = [(processor_seconds(*arguments)[0], yardstick()) for _ in range(repeats)]
    return figure([seconds for seconds, _ in pairs], [numpy for _, numpy in pairs])


def of_command(repeats: int, *models: Path) -> dict[str, float]:
    """The command on these models, as whoever types it waits for it."""
    where = [str(folder) for folder in models]
    seconds, numpy, wall = [], [], []
    for _ in range(repeats):
        start = time.perf_counter()
        seconds.append(processor_seconds("-m", "modelprov", "compare", *where, "--quiet")[0])
        wall.append(time.perf_counter() - start)
        numpy.append(yardstick())
    return figure(seconds, numpy) | {"least_cpu_s": round(min(seconds), 3), "least_wall_s": round(min(wall), 3)}


def of_strangers(repeats: int, folder: Path) -> dict[str, float]:
    """The command on two strangers with embeddings, and touching every byte of their files in a process alone."""
    models = [write_stranger(folder / name, Proportions(), seed) for seed, name in enumerate(("suspect", "parent"))]
    found = of_command(repeats, *models)
    files = [str(file) for model in models for file in model.glob("*.safetensors")]
    touched = statistics.median(processor_seconds("-c", TOUCH, *files)[0] - yardstick() for _ in range(repeats))
    return found | {"touching_cpu_s": round(touched, 3), "touching": round(found["cpu_s"] / touched, 1)}


def figure(seconds: list[float], numpy: list[float]) -> dict[str, float]:
    """Median seconds, and the median of the yardstick that they are a multiple of."""
    middle, unit = statistics.median(seconds), statistics.median(numpy)
    return {"cpu_s": round(middle, 3), "numpy_imports": round(middle / unit, 2)}


def stages(
    repeats: int, family: BigFamily, kind: str, environment: dict[str, str] | None = None, *, finetune: bool = False
) -> Figures:
    """Each stage of a comparison of the family, and all of them together less the pass.

    Of the merge with what it is made of, or as a `finetune` of the parent with its base, which share no bits.
    """
    seen, numpy = defaultdict(list), []
    where = [str(folder) for folder in (family.suspect, family.parent, family.base)[finetune:]]
    for _ in range(repeats):
        total, told = processor_seconds("-c", STAGES, kind, *where, environment=environment)
        found = {name: float(seconds) for seconds, name in (line.split("\t") for line in told.splitlines())}
        for name, seconds in found.items():
            seen[name].append(seconds)
        seen["all, less the pass"].append(total - sum(found[name] for name in found if name.startswith(PASS)))
        numpy.append(yardstick())
    return {name: figure(values, numpy) for name, values in seen.items()}


def main() -> None:
    """Measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--tensors", type=int, default=95_000, help="of the model of very many; 0 leaves it out")
    parser.add_argument("--skip-first", action="store_true", help="leave out the first run, which compiles")
    parser.add_argument("--scratch", type=Path, help="folder for the checkpoints [default: a temporary one]")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    results: dict[str, object] = {
        "machine": f"{platform.processor() or platform.machine()}, {processors()} cores, {platform.system()}",
        "date": datetime.now(UTC).date().isoformat(),
        "yardstick_cpu_s": round(statistics.median(yardstick() for _ in range(options.repeats)), 3),
        "--help": median_of(options.repeats, "-m", "modelprov", "--help"),
        "import of compare": median_of(options.repeats, "-c", "import modelprov.jobs.compare"),
    }
    with tempfile.TemporaryDirectory(dir=options.scratch, prefix="modelprov-costs-") as scratch:
        dense = write_big_family(Path(scratch) / "dense", DENSE_BYTES, DENSE)
        fresh = {"XDG_CACHE_HOME": str(Path(scratch) / "cache"), "NUMBA_CACHE_DIR": ""}
        if not options.skip_first:
            results["first run"] = stages(1, dense, "full", fresh)
        stages(1, dense, "full")  # the kernels of this version are kept from now on
        other = write_big_family(Path(scratch) / "other", DENSE_BYTES, DENSE, seed=1)
        results["the command, dense"] = of_command(options.repeats, dense.suspect, dense.parent, dense.base)
        results["the command, finetune"] = of_command(options.repeats, dense.parent, dense.base)
        results["the command, strangers"] = of_command(options.repeats, dense.parent, other.base)
        results["the command, strangers with embeddings"] = of_strangers(options.repeats, Path(scratch) / "strangers")
        results["dense, 224 tensors"] = stages(options.repeats, dense, "full")
        results["finetune, 224 tensors"] = stages(options.repeats, dense, "full", finetune=True)
        if options.tensors:
            size = options.tensors * ROWS * WIDTH * 2
            many = write_big_family(Path(scratch) / "many", size, options.tensors, small_tensors=True)
            results[f"{options.tensors:,} tensors, sampled"] = stages(1, many, "sample")
    for name, value in results.items():
        if isinstance(value, dict) and "cpu_s" not in value:
            print(name)
            for key, row in value.items():
                print(f"  {key:34} {row['cpu_s']:8.3f} s {row['numpy_imports']:7.2f} x numpy")
        else:
            print(f"{name}: {value}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
