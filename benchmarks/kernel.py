"""How fast the processor's kernels are in memory, as shares of only reading the same memory, in the same run.

Run: `python benchmarks/kernel.py [--checkpoints 3] [--megabytes 128] [--repeats 7] [--json FILE]`. Checkpoints of that
size in bf16 as arrays, at equal and at different places in their pages; one thread and all of them; without recipes,
with one that rounds each product and one that is fused. Reading and kernels take turns. Each piece of 4 MiB (a pass
takes 8) is timed by itself, and the time that a fifth of the pieces stay below counts: a piece takes less than a turn
of the scheduler, so that work of others seldom falls into it. Nothing here asserts a time.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
from compare import touch_three

from modelprov.engines.local import run_tasks
from modelprov.forensics.sums.kernels.cpu import c_kernel, numba_kernel
from modelprov.forensics.sums.kernels.interface import Kernel, RecipePlan, Segments
from modelprov.machine import processors
from modelprov.native import native, why_not

PIECE = 4 << 20
APART = 1344
RECIPES = {"no recipe": [], "one recipe": [0], "one fused recipe": [1]}
Bytes = npt.NDArray[np.uint8]


def processor_name() -> str:
    """What the system calls the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    told = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    parts = [told.get(name, "") for name in ("model name", "cpu family", "model")]
    return f"{parts[0]} (family {parts[1]}, model {parts[2]})"


def streams(size: int, apart: int, count: int) -> list[Bytes]:
    """As many arrays of bf16 as `count`, each `apart` bytes further into its page than the one before."""
    generator = np.random.default_rng(0)
    made = []
    for number in range(count):
        room = np.empty(size + 8192 + apart * count, np.uint8)
        start = -room.ctypes.data % 4096 + apart * number
        array = room[start : start + size]
        block = generator.integers(0x3B00, 0x3D00, 1 << 20, dtype=np.uint16)
        array.view(np.uint16)[:] = np.resize(block, size // 2)
        made.append(array)
    return made


def plan(arithmetics: list[int], parents: int) -> RecipePlan:
    """0.565 of the first parent and of the others as much as leaves 1, in these arithmetics."""
    weights = np.tile([0.565, *[0.435 / (parents - 1)] * (parents - 1)], (len(arithmetics), 1, 1))
    order = np.tile(np.arange(parents), (len(arithmetics), 1))
    return RecipePlan(np.array(arithmetics, np.int64), order, weights)


def computing(kernel: Kernel, arrays: list[Bytes], recipes: RecipePlan) -> Callable[[int], object]:
    """A kernel on a piece of the arrays."""
    zero = np.zeros((len(arrays), 1), np.int64)
    return lambda number: kernel(
        arrays, Segments(zero[0], np.array([PIECE // 2]), zero + number * PIECE, zero), recipes
    )


def reading(arrays: list[Bytes]) -> Callable[[int], object]:
    """Only reading three of them, side by side."""

    def read(number: int) -> object:
        part = slice(number * PIECE, (number + 1) * PIECE)
        return touch_three(*(array[part].view(np.uint64) for array in arrays[:3]))

    return read


def fifths(works: dict[str, Callable[[int], object]], pieces: int, threads: int, repeats: int) -> dict[str, float]:
    """Pieces that all threads do in a second, by the time that a fifth stay below, after a turn to warm up."""
    seen: dict[str, list[float]] = {name: [] for name in works}

    def timed(work: Callable[[int], object], name: str) -> Callable[[int], None]:
        def run(number: int) -> None:
            start = time.perf_counter()
            work(number)
            seen[name].append(time.perf_counter() - start)

        return run

    for turn in range(repeats + 1):
        for name, work in works.items():
            if turn == 1:
                seen[name].clear()
            run_tasks(pieces, lambda work=work, name=name: timed(work, name), threads)
    return {name: threads / float(np.quantile(times, 0.2)) for name, times in seen.items()}


def main() -> None:
    """Measure, print, and write JSON if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoints", type=int, default=3, help="three or more")
    parser.add_argument("--megabytes", type=int, default=128, help="of each checkpoint")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=processors())
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    library = native()
    kernels: dict[str, Kernel] = {"numba": numba_kernel}
    if library is not None:
        kernels[f"C, {library.variant}"] = c_kernel
    else:
        print(f"no C kernels: {why_not()}")
    results: dict[str, object] = {
        "processor": processor_name(),
        "date": datetime.now(UTC).date().isoformat(),
        "note": "a fifth of the pieces are faster; shares of reading the same arrays in the same turns",
    }
    size = options.megabytes << 20
    for apart in (APART, 0):
        arrays = streams(size, apart, options.checkpoints)
        for threads in sorted({1, options.threads}):
            works = {"reading": reading(arrays)}
            for told, arithmetics in RECIPES.items():
                for name, kernel in kernels.items():
                    works[f"{name}, {told}"] = computing(kernel, arrays, plan(arithmetics, options.checkpoints - 1))
            done = fifths(works, size // PIECE, threads, options.repeats)
            rates = {
                name: PIECE / 1e9 * pieces * (3 if name == "reading" else len(arrays)) for name, pieces in done.items()
            }
            where = "equal" if apart == 0 else "different"
            title = f"{where} places in their pages, {threads} thread{'s' * (threads > 1)}"
            rows = {
                name: {"gb_per_s": round(rate, 2), "share": round(rate / rates["reading"], 2)}
                for name, rate in rates.items()
            }
            results[title] = rows
            print(title)
            for name, row in rows.items():
                print(f"  {name:32} {row['gb_per_s']:7.2f} GB/s {row['share']:5.2f}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
