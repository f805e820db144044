"""How close a pass on GPUs comes to the machine's ceilings, whether its numbers are right, and what its start takes.

Run: `python -m benchmarks.gpu --folder DIR [--disk DIR] [--json FILE]`, about three minutes on an H200's host. DIR in
memory (`/dev/shm`) measures the machine and not its disk; files are written there and deleted afterwards. `--disk`
names a folder on a disk: the pass over files that are not cached, beside reading them alone. Without a GPU it says so,
checks the kernel in Triton's interpreter and measures nothing.

Three bf16 checkpoints, 6 bytes a triple of elements, each counted once. Ceilings are measured in the same run. The
parts: `start` (libraries, driver, compiler), `check` (against float64), `kernel` (weights that lie on the device, of
copying there), `files` (`gpu_files.py`: the link, reading, passes, whole runs).
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.gpu_files import on_files
from modelprov.checkpoints.formats.dtypes import DType
from modelprov.errors import UsageError
from modelprov.forensics.sums.kernels.cuda import Cuda, bindings
from modelprov.forensics.sums.kernels.gpu import GpuKernel
from modelprov.forensics.sums.kernels.gpu_batches import Limits, batches, recipe_scalars
from modelprov.forensics.sums.kernels.gpu_windows import fill
from modelprov.forensics.sums.kernels.interpreted import Interpreted
from modelprov.forensics.sums.kernels.self_check import disagreement, example
from modelprov.recipes.arithmetics import Arithmetic

RECIPES = {
    "no recipes": [],
    "2 recipes": [Arithmetic.FLOAT32, Arithmetic.FLOAT32_FUSED],
}
SEGMENT = 4 << 20  # elements
ROUNDS = 20
ALL = list(Arithmetic)
CHECKS = {
    f"{n} checkpoints, {dtype}, {'first' if first else 'second'} recipes": (n, dtype, ALL[:8] if first else ALL[-8:])
    for n in (2, 3, 4, 5)
    for dtype in ("BF16", "F16", "F32")
    for first in (True, False)
    if n == 3 or first
}
IMPORTS = {
    "cuda-bindings": "import cuda.bindings.driver",
    "Triton": "import triton",
    "torch (not needed)": "import torch",
    "the kernel from Triton's cache": "import benchmarks.gpu as g; g.compile_kernel()",
}


def check(kernel: GpuKernel, names: list[str]) -> dict[str, str]:
    """What the kernel computes otherwise than float64 on the processor, by check; empty words where nothing."""
    wrong = {}
    for name in names:
        n, dtype, arithmetics = CHECKS[name]
        counts = [9001, 4096, 77]
        on = example(counts, [[DType(dtype)] * len(counts)] * n, arithmetics, nonfinite=0.001)
        wrong[name] = disagreement(kernel, on)
    mixed = [[DType.BF16], [DType.F16], [DType.F32]]
    wrong["mixed formats"] = disagreement(kernel, example([5000], mixed, ALL[:8], nonfinite=0.001))
    for scale in (1e-40, 1e-20, 1e25):
        on = example([5000], [[DType.F32]] * 3, ALL[:3], scale=scale)
        wrong[f"F32, numbers about {scale:g}"] = disagreement(kernel, on)
    for name, what in wrong.items():
        print(f"  {name}: {what or 'as float64 on the processor'}")
    return wrong


def compile_kernel() -> None:
    """Make the kernel that most passes begin with."""
    gpu = Cuda(bindings())
    gpu.enter()
    on = example([SEGMENT], [[DType.BF16]] * 3, [])
    (batch,) = batches(on.segments, np.arange(1), 0, Limits())
    gpu.rows(3, batch.launches[0], on.recipes)


def start() -> dict[str, float]:
    """Seconds that processes of their own take to import, to reach the GPU and to compile; the second of two times."""
    seconds: dict[str, float] = {}
    for name, code in IMPORTS.items():
        for _ in range(2):
            begin = time.perf_counter()
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
            seconds[name] = time.perf_counter() - begin
        if done.returncode:
            del seconds[name]
    with tempfile.TemporaryDirectory() as empty:
        begin = time.perf_counter()
        subprocess.run(
            [sys.executable, "-c", IMPORTS["the kernel from Triton's cache"]], check=True,
            env=os.environ | {"TRITON_CACHE_DIR": empty},
        )  # fmt: skip
        seconds["the kernel, compiled"] = time.perf_counter() - begin
    begin = time.perf_counter()
    gpu = Cuda(bindings())
    seconds["driver and context"] = time.perf_counter() - begin
    begin = time.perf_counter()
    gpu.lane(Limits()).close()
    seconds["memory of a lane"] = time.perf_counter() - begin
    return seconds


def resident(gpu: Cuda, arithmetics: list[Arithmetic], repeats: int) -> dict[str, Any]:
    """GB/s of the kernels on weights that lie on the device, and of copying as much there, by turns; medians."""
    segments = 40
    on = example([SEGMENT], [[DType.BF16]] * 3, arithmetics)
    small = on.segments
    many = type(small)(
        np.repeat(small.tensor, segments), np.repeat(small.count, segments),
        np.repeat(small.start, segments, axis=1), np.repeat(small.dtype, segments, axis=1),
    )  # fmt: skip
    read = segments * SEGMENT * 6
    limits = Limits(capacity=read + (16 << 20), runs=segments * SEGMENT // 4096)
    (batch,) = batches(many, np.arange(segments), len(arithmetics), limits)
    lane = gpu.lane(limits)
    fill(lane, batch, on.buffers, recipe_scalars(on.recipes))
    here, there = gpu.allocated(read), gpu.allocated(read)
    stream = gpu.do("cuStreamCreate", 1)

    def copied() -> None:
        for _ in range(ROUNDS):
            gpu.do("cuMemcpyDtoDAsync", there, here, read, stream)
        gpu.do("cuStreamSynchronize", stream)

    def computed() -> None:
        for _ in range(ROUNDS):
            lane.compute(batch, on.recipes)
        lane.settle()

    seconds: dict[Callable[[], None], list[float]] = {copied: [], computed: []}
    for turn in range(repeats + 1):
        for work, times in seconds.items():
            begin = time.perf_counter()
            work()
            if turn:
                times.append(time.perf_counter() - begin)
    for address in (here, there):
        gpu.do("cuMemFree", address)
    lane.close()
    ceiling = 2 * ROUNDS * read / float(np.median(seconds[copied])) / 1e9  # a copy reads and writes
    rate = ROUNDS * read / float(np.median(seconds[computed])) / 1e9
    return {"memory GB/s, copying": ceiling, "kernel GB/s": rate, "share of memory": rate / ceiling}


def environment(gpu: Cuda) -> dict[str, Any]:
    """What was measured, on what, when."""
    from importlib.metadata import version

    version_of_driver = gpu.do("cuDriverGetVersion")
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"), "gpu": gpu.name,
        "processors": os.cpu_count(), "cuda of the driver": int(version_of_driver), "triton": version("triton"),
        "cuda-bindings": version("cuda-bindings"),
    }  # fmt: skip


def without_gpu() -> int:
    """Check the kernel in Triton's interpreter, in a process of its own; exit status 0 where it is right."""
    print("No GPU that NVIDIA's driver can use: NOTHING WAS MEASURED. Checking the kernel in Triton's interpreter.")
    sys.stdout.flush()
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.gpu", "--interpreter-check"]
    return subprocess.run(command, env=os.environ | {"TRITON_INTERPRET": "1"}, check=False).returncode


def interpreter_check() -> int:
    """The checks in this process, where TRITON_INTERPRET is set."""
    try:
        kernel = GpuKernel([Interpreted()])
    except UsageError as error:
        print(f"{error.message}: nothing was checked either. {error.advice}")
        return 0
    return int(any(check(kernel, [name for name in CHECKS if "second" not in name]).values()))


def main() -> int:
    """Exit status 0; 1 where the kernel's numbers are wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where files are written for passes over them")
    parser.add_argument("--disk", type=Path, help="a folder on a disk, for passes over files that are not cached")
    parser.add_argument("--gigabytes", type=float, default=24)
    parser.add_argument("--json", type=Path, help="also write the results there, after every part")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--interpreter-check", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.interpreter_check:
        return interpreter_check()
    try:
        count = Cuda.count(bindings())
    except UsageError:
        count = 0
    if not count:
        return without_gpu()
    gpu = Cuda(bindings())
    gpu.enter()
    results: dict[str, Any] = {}

    def keep(name: str, found: dict[str, Any]) -> None:
        results[name] = found
        print(f"{name}: {json.dumps(found, indent=2)}", flush=True)
        if arguments.json:
            arguments.json.write_text(json.dumps(results, indent=2) + "\n")

    keep("environment", environment(gpu))
    keep("check", check(GpuKernel([gpu]), list(CHECKS)))
    keep("start, seconds", start())
    for name, recipes in RECIPES.items():
        keep(f"kernel, {name}", resident(gpu, recipes, arguments.repeats))
    if arguments.folder is not None:
        on_files(gpu, arguments.folder, arguments.gigabytes, arguments.disk, keep)
    return int(any(results["check"].values()))


if __name__ == "__main__":
    sys.exit(main())
