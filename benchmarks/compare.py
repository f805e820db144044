"""How fast `modelprov compare` is, as shares of what this machine can do at all, measured in the same run.

Run: `python benchmarks/compare.py [--gigabytes 2] [--repeats 5] [--json FILE]`. Writes 3 checkpoints of that size into
a scratch folder (and removes them), then interleaves ceilings and passes and reports medians:

* kernel: sums, counts and one recipe on arrays in memory, against only reading those arrays;
* warm: the pass over cached files, against only touching every mapped byte;
* cold: the pass over files dropped from the cache, against only reading them (direct reads, same buffers);
* many small tensors: the same bytes in 20,000 tensors;
* whole command: wall time and peak memory of `modelprov compare`, at this size and at three times this size.

Gigabytes count all three inputs once. Nothing here asserts a time.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command does, before numpy

import numpy as np
import numpy.typing as npt
from families import BigFamily, write_big_family
from numba import njit

from modelprov.checkpoints.layouts.alignment import align
from modelprov.checkpoints.opening import open_checkpoint
from modelprov.checkpoints.plan import plan_pass
from modelprov.checkpoints.reading import Reader, Sources, way_of_reading
from modelprov.checkpoints.types import Alignment
from modelprov.engines.local import run_tasks
from modelprov.forensics.compare import Options, compare
from modelprov.forensics.sums.kernels.cpu import cpu_kernel, processor
from modelprov.forensics.sums.kernels.interface import RecipePlan, Segments
from modelprov.forensics.sums.sweep import PIECE, block_bytes, sweep
from modelprov.machine import processors

MEMORY = 512 << 20
PROCESSOR = processor()
Result = dict[str, object]


@njit(nogil=True, cache=True)
def touch(words: npt.NDArray[np.uint64]) -> np.uint64:
    """Read every word, as fast as memory gives it."""
    total = np.uint64(0)
    for i in range(len(words)):
        total ^= words[i]
    return total


@njit(nogil=True, cache=True)
def touch_three(a: npt.NDArray[np.uint64], b: npt.NDArray[np.uint64], c: npt.NDArray[np.uint64]) -> np.uint64:
    """Read three streams side by side."""
    total = np.uint64(0)
    for i in range(len(a)):
        total ^= a[i] ^ b[i] ^ c[i]
    return total


class Silent:
    """A progress that shows nothing."""

    def stage(self, text: str, total_bytes: int = 0) -> None:
        """Ignore."""

    def advance(self, read: int) -> None:
        """Ignore."""


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def medians(works: dict[str, Callable[[], object]], repeats: int, before: Callable[[], None] = lambda: None) -> Result:
    """Run all works in turn, `repeats` times after one warm-up round; the median wall and processor seconds of each."""
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for number in range(repeats + 1):
        for name, work in works.items():
            before()
            result = timed(work)
            if number:
                seen[name].append(result)
    return {name: tuple(statistics.median(column) for column in zip(*rows, strict=True)) for name, rows in seen.items()}


def one_recipe(tensors: int) -> RecipePlan:
    """0.565 and 0.435 in float32, the merge that the suspect is."""
    weights = np.tile([0.565, 0.435], (1, tensors, 1))
    return RecipePlan(np.zeros(1, np.int64), np.array([[0, 1]], np.int64), weights)


def bench_kernel(threads: int, repeats: int) -> Result:
    """The kernel on arrays of 256 MB each, against reading them.

    The arrays start at different places in their pages. With equal addresses modulo 4 KiB the same kernel was about
    half as fast here (11.1 GB/s with two threads, 6.7 with one); why is not settled. Mapped checkpoints with equal
    headers do share such addresses, so the pass over files, not this figure, says what a user gets.
    """
    rng = np.random.default_rng(0)
    size = 1 << 28
    block = [rng.integers(0x3B00, 0x3D00, 1 << 21, dtype=np.uint16) for _ in range(3)]
    streams = []
    for number, one in enumerate(block):
        room = np.empty(size + 8192, np.uint8)
        streams.append(room[1344 * number : 1344 * number + size])
        streams[-1].view(np.uint16).reshape(-1, 1 << 21)[:] = one
    piece = 8 << 20
    recipe = one_recipe(1)

    def spread(work: Callable[[int], object]) -> Callable[[], object]:
        return lambda: run_tasks(size // piece, lambda: work, threads)

    def read(number: int) -> object:
        return touch_three(*(one[number * piece : (number + 1) * piece].view(np.uint64) for one in streams))

    def compute(number: int) -> object:
        zero = np.zeros((3, 1), np.int64)
        segments = Segments(np.zeros(1, np.int64), np.array([piece // 2]), zero + number * piece, zero)
        return cpu_kernel(streams, segments, recipe)

    times = medians({"read": spread(read), "kernel": spread(compute)}, repeats)
    return rates(times, 3 * size, "read")


def rates(times: Result, size: int, ceiling: str) -> Result:
    """GB/s, CPU-seconds per GB and share of the ceiling for each measured work."""
    best = times[ceiling][0]  # type: ignore[index]
    return {
        name: {
            "gb_per_s": round(size / 1e9 / wall, 2),
            "share": round(best / wall, 3),
            "cpu_s_per_gb": round(cpu / (size / 1e9), 3),
        }
        for name, (wall, cpu) in times.items()  # type: ignore[misc]
    }


def open_family(family: BigFamily) -> Alignment:
    """Open and align the three checkpoints, suspect first, base last."""
    return align([open_checkpoint(str(one)) for one in (family.suspect, family.parent, family.base)])


def pass_over(alignment: Alignment, threads: int, method: str) -> Callable[[], object]:
    """The sweep with one recipe."""
    method = way_of_reading(alignment.checkpoints, method)
    plan = plan_pass(alignment, block_bytes(MEMORY, threads, 3, PROCESSOR, method), PIECE)
    recipe = one_recipe(len(alignment.tensors))
    tensors = len(alignment.tensors)
    return lambda: sweep(alignment.checkpoints, plan, tensors, recipe, PROCESSOR, threads=threads, method=method)


def touch_only(alignment: Alignment, threads: int, method: str) -> Callable[[], object]:
    """The same blocks by the same reader, touched (mapped) or only read (direct), nothing computed."""
    plan = plan_pass(alignment, block_bytes(MEMORY, threads, 3, PROCESSOR), PIECE)

    def run() -> None:
        sources = Sources(alignment.checkpoints, method)

        def make_worker() -> Callable[[int], None]:
            reader = Reader(plan, sources)

            def work(number: int) -> None:
                loaded, block = reader.load(number), plan.block(number)
                if method == "map":
                    for i, buffer in enumerate(loaded.buffers):
                        first, last = loaded.start[i, 0], loaded.start[i, -1] + plan.sizes[i, block][-1]
                        touch(buffer[first : first + (last - first) // 8 * 8].view(np.uint64))

            return work

        run_tasks(plan.blocks, make_worker, threads)
        sources.close()

    return run


def drop_from_cache(family: BigFamily) -> None:
    """Ask the system to forget the family's files."""
    for folder in (family.suspect, family.parent, family.base):
        for path in folder.glob("*.safetensors"):
            descriptor = os.open(path, os.O_RDONLY)
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def bench_files(family: BigFamily, threads: int, repeats: int) -> Result:
    """Warm and cold passes against touching and reading alone, and the whole comparison warm."""
    alignment = open_family(family)
    size = 3 * family.bytes
    touch_only(alignment, threads, "map")()
    warm = medians(
        {
            "touch only": touch_only(alignment, threads, "map"),
            "pass": pass_over(alignment, threads, "auto"),
            "compare": lambda: compare(alignment.checkpoints, Options(), Silent()),
        },
        repeats,
    )
    more = max(4, threads)
    cold = medians(
        {
            "read only": touch_only(alignment, more, "direct"),
            "pass": pass_over(alignment, more, "auto"),
            "pass, direct": pass_over(alignment, more, "direct"),
        },
        max(2, repeats // 2),
        lambda: drop_from_cache(family),
    )
    return {"warm": rates(warm, size, "touch only"), "cold": rates(cold, size, "read only")}


def bench_small(folder: Path, size: int, threads: int, repeats: int) -> Result:
    """Microseconds per tensor triple when the same bytes lie in 20,000 tensors."""
    family = write_big_family(folder, size, small_tensors=True)
    opening, _ = timed(lambda: open_family(family))
    alignment = open_family(family)
    touch_only(alignment, threads, "map")()
    times = medians(
        {"touch only": touch_only(alignment, threads, "map"), "pass": pass_over(alignment, threads, "auto")}, repeats
    )
    found = rates(times, 3 * family.bytes, "touch only")
    extra = times["pass"][0] / family.tensors * 1e6  # type: ignore[index]
    return found | {"tensors": family.tensors, "us_per_tensor": round(extra, 1), "open_and_align_s": round(opening, 2)}


def whole_command(family: BigFamily, threads: int) -> Result:
    """Wall seconds and peak memory (MB, of which anonymous) of the command, and what it has without its buffers."""
    found = _in_a_process(family, threads, sample=False)
    return found | {"by_sample_mb": _in_a_process(family, threads, sample=True)["peak_anonymous_mb"]}


def _in_a_process(family: BigFamily, threads: int, *, sample: bool) -> dict[str, Any]:
    script = (
        "import sys, re, threading, time\n"
        "from modelprov.jobs.compare import run\nfrom modelprov.forensics.compare import Options\n"
        "def resident():\n"
        "    return int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]) / 1024\n"
        "base, options = resident(), Options(threads=int(sys.argv.pop(1)), sample=sys.argv.pop(1) == 'True')\n"
        "peak = [0]\n"
        "def watch():\n"
        "    while True:\n"
        "        text = open('/proc/self/status').read()\n"
        "        peak[0] = max(peak[0], int(re.search(r'RssAnon:\\s+(\\d+)', text)[1]) / 1024)\n"
        "        time.sleep(0.02)\n"
        "threading.Thread(target=watch, daemon=True).start()\n"
        "start = time.perf_counter()\n"
        "report = run(sys.argv[1:], [], options, 'benchmark')\n"
        "peak_rss = resident()\n"
        "seconds = round(time.perf_counter() - start, 2)\n"
        "print(report.verdict.class_, seconds, round(peak_rss), round(peak[0]), round(base))\n"
    )
    where = [str(one) for one in (family.suspect, family.parent, family.base)]
    command = [sys.executable, "-c", script, str(threads), str(sample), *where]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    verdict, seconds, rss, anonymous, base = out.split()[-5:]
    return {
        "verdict": verdict, "seconds": float(seconds), "peak_rss_mb": int(rss), "peak_anonymous_mb": int(anonymous),
        "imports_mb": int(base), "threads": threads, "memory_mb": MEMORY >> 20,
    }  # fmt: skip


def in_parts(family: BigFamily, scratch: Path, parts: int = 2) -> Result:
    """Processor seconds of `compare`, of each part of it and of adding these, and whether the findings are the same."""
    where = [str(one) for one in (family.suspect, family.parent, family.base)]
    files = [str(scratch / f"{number}.mpsums") for number in range(1, parts + 1)]
    spent, found = [], []

    def run(*command: str) -> None:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "modelprov", *command], stdout=subprocess.DEVNULL, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2))

    run("compare", *where, "--json", str(scratch / "whole.json"))
    for number, file in enumerate(files, 1):
        run("compare", *where, "--part", f"{number}/{parts}", "--output", file)
    run("add", *files, "--json", str(scratch / "added.json"))
    for name in ("whole", "added"):
        report = json.loads((scratch / f"{name}.json").read_text())
        found.append({part: report[part] for part in ("verdict", "mixing", "layers", "tensors")})
    whole, *of_parts, added = spent
    return {"whole_cpu_s": whole, "parts_cpu_s": of_parts, "add_cpu_s": added, "same": found[0] == found[1]}


def main() -> None:
    """Measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=2.0, help="size of each checkpoint")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=processors())
    parser.add_argument("--skip-large", action="store_true", help="leave out the run at three times the size")
    parser.add_argument("--scratch", type=Path, help="folder for the checkpoints [default: a temporary one]")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    size = int(options.gigabytes * 1e9)
    results: Result = {
        "machine": f"{platform.processor() or platform.machine()}, {processors()} cores, {platform.system()}",
        "date": datetime.now(UTC).date().isoformat(),
        "threads": options.threads,
        "gigabytes_per_checkpoint": options.gigabytes,
    }
    results["kernel, 1 thread"] = bench_kernel(1, options.repeats)
    results[f"kernel, {options.threads} threads"] = bench_kernel(options.threads, options.repeats)
    with tempfile.TemporaryDirectory(dir=options.scratch, prefix="modelprov-bench-") as scratch:
        family = write_big_family(Path(scratch) / "big", size)
        results |= bench_files(family, options.threads, options.repeats)
        results["command"] = whole_command(family, options.threads)
        results["command, 16 threads"] = whole_command(family, 16)
        results["in two parts"] = in_parts(family, Path(scratch))
        results["small tensors"] = bench_small(Path(scratch) / "small", size, options.threads, options.repeats)
    if not options.skip_large:
        with tempfile.TemporaryDirectory(dir=options.scratch, prefix="modelprov-bench-") as scratch:
            results["command, 3 times the size"] = whole_command(
                write_big_family(Path(scratch), 3 * size), options.threads
            )
    for name, value in results.items():
        if isinstance(value, dict):
            print(name)
            for key, row in value.items():
                print(f"  {key:18} {row}")
        else:
            print(f"{name}: {value}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
