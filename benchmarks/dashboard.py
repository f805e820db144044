"""Runs the benchmarks that have a ceiling and writes their ratios: one JSON and one page. Measures nothing itself.

Run: `python -m benchmarks.dashboard [--quick] [--only NAME ...] [--folder modelprov-bench]`, or `make bench`. Every
benchmark is a process of its own; what cannot run here is named with the reason, and so is what failed (then the exit
status is 1). A missed target is no failure: a busy machine misses some. `--quick` takes small files and few repeats:
enough to see that everything runs, too little to quote.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import ratios as read
from benchmarks.ratios import Ratio
from benchmarks.ratios_page import page
from modelprov import __version__
from modelprov.machine import processors

HERE = Path(__file__).parent
IN_MEMORY = Path("/dev/shm")
SECONDS = 3600


@dataclass(frozen=True)
class Benchmark:
    """A command that takes `--json FILE`, and who reads what it writes; `missing` says why it cannot run here."""

    name: str
    command: tuple[str, ...]
    quick: tuple[str, ...]
    ratios: Callable[[read.Result], Iterator[Ratio]]
    missing: Callable[[], str] = str


def no_gpu() -> str:
    """Why there is no GPU to measure; empty where there is one."""
    return "" if shutil.which("nvidia-smi") else "no GPU here (no nvidia-smi)"


def script(name: str) -> tuple[str, ...]:
    """The command of a benchmark that is a file."""
    return (str(HERE / f"{name}.py"),)


FILES = ("--folder", str(IN_MEMORY if IN_MEMORY.is_dir() else tempfile.gettempdir()))
"""Where files are written for a GPU to read: in memory, where there is such a folder."""
BENCHMARKS = (
    Benchmark("kernel", script("kernel"), ("--megabytes", "32", "--repeats", "2"), read.of_kernel),
    Benchmark("compare", script("compare"), ("--gigabytes", "0.1", "--repeats", "2", "--skip-large"), read.of_compare),
    Benchmark(
        "fixed costs", script("fixed_costs"), ("--repeats", "1", "--tensors", "0", "--skip-first"), read.of_fixed_costs
    ),
    Benchmark("merge", script("merge"), ("--gigabytes", "0.4", "--repeats", "1"), read.of_merge),
    Benchmark("remote", ("-m", "benchmarks.remote"), ("--delays", "0"), read.of_remote),
    Benchmark("gpu", ("-m", "benchmarks.gpu", *FILES), ("--gigabytes", "3", "--repeats", "2"), read.of_gpu, no_gpu),
)


def measured(benchmark: Benchmark, options: Sequence[str], scratch: Path) -> tuple[list[Ratio], str]:
    """Its ratios, or none and why."""
    reason = benchmark.missing()
    if reason:
        return [], reason
    target = scratch / "result.json"
    target.unlink(missing_ok=True)
    command = [sys.executable, *benchmark.command, *options, "--json", str(target)]
    known = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")])}
    try:
        done = subprocess.run(
            command, cwd=HERE.parent, env=known, text=True, stderr=subprocess.PIPE, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return [], f"failed: more than {SECONDS} s"
    if done.returncode or not target.exists():
        last = done.stderr.strip().rpartition("\n")[2]
        return [], f"failed with exit status {done.returncode}: {last[:300]}"
    return list(benchmark.ratios(json.loads(target.read_text()))), ""


def processor_name() -> str:
    """What the system calls the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def facts(quick: bool) -> dict[str, str]:
    """Where and when; how busy the machine was decides what the figures are worth."""
    git = shutil.which("git")
    commit = ["git", "rev-parse", "--short", "HEAD"]
    told = subprocess.run(commit, cwd=HERE, capture_output=True, text=True, check=False).stdout.strip() if git else ""
    found = {
        "Date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "Processor": f"{processor_name()}, {processors()} cores",
        "System": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "Version": f"modelprov {__version__}" + (f", commit {told}" if told else ""),
        "Load at the start": f"{os.getloadavg()[0]:.1f} processes on average",
    }
    return found | ({"Mode": "quick: small files, few repeats; not to be quoted"} if quick else {})


def main() -> int:
    """Measure, print what is missed or skipped, write both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small files and few repeats")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=[each.name for each in BENCHMARKS])
    parser.add_argument("--folder", type=Path, default=Path("modelprov-bench"), help="[default: modelprov-bench]")
    given = parser.parse_args()
    ratios, skipped, told = list[Ratio](), list[tuple[str, str]](), facts(given.quick)
    with tempfile.TemporaryDirectory(prefix="modelprov-bench-") as scratch:
        for benchmark in BENCHMARKS:
            if given.only and benchmark.name not in given.only:
                skipped.append((benchmark.name, "not asked for"))
                continue
            print(f"== {benchmark.name}", flush=True)
            found, why = measured(benchmark, benchmark.quick if given.quick else (), Path(scratch))
            ratios += found
            if why:
                print(why)
                skipped.append((benchmark.name, why))
    given.folder.mkdir(parents=True, exist_ok=True)
    record = {
        "about": told,
        "ratios": [asdict(ratio) | {"met": ratio.met} for ratio in ratios],
        "skipped": dict(skipped),
    }
    (given.folder / "ratios.json").write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n")
    (given.folder / "ratios.html").write_text(page(told, ratios, skipped))
    print(f"wrote {given.folder / 'ratios.json'} and {given.folder / 'ratios.html'}")
    for ratio in ratios:
        if ratio.met is False:
            print(f"missed: {ratio.about}: {ratio.name}: {ratio.value:.3g}{ratio.unit}, {ratio.wanted}")
    if any(ratio.met is False for ratio in ratios):
        mode = f", {told['Mode']}" if given.quick else ""
        print(f"(a busy machine misses some; load at the start: {told['Load at the start']}{mode})")
    return int(any(why.startswith("failed") for _, why in skipped))


if __name__ == "__main__":
    sys.exit(main())
