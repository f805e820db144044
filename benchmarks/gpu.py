"""How close the GPU kernel comes to the machine's own ceilings, and whether its numbers are right there.

Run: `python benchmarks/gpu.py [--json FILE]`. Needs a GPU that torch can use; without one it says so, checks the kernel
in Triton's interpreter and measures nothing. Three bf16 checkpoints, 6 bytes a triple of elements, each counted once.
Ceilings (copying on the device, pinned memory to the device) are measured in the same run, between the repeats of what
they are compared with. Medians of `--repeats`; times on the device by CUDA events, the staged path by the clock.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from modelprov.checkpoints.formats.dtypes import DType
from modelprov.errors import UsageError
from modelprov.forensics.sums.kernels.gpu import GpuKernel
from modelprov.forensics.sums.kernels.gpu_batches import OVERREAD, Batch, Limits, batches
from modelprov.forensics.sums.kernels.self_check import Example, disagreement, example
from modelprov.recipes.arithmetics import Arithmetic

RECIPES = {
    "no recipes": [],
    "2 recipes": [Arithmetic.FLOAT32, Arithmetic.FLOAT32_FUSED],
}
SETS = 4  # of input in turn, each far larger than any second-level cache
SEGMENT = 4 << 20  # elements
ALL = list(Arithmetic)
CHECKS = {
    f"{n} checkpoints, {dtype}, {'first' if first else 'second'} recipes": (n, dtype, ALL[:8] if first else ALL[1:])
    for n in (2, 3, 4, 5)
    for dtype in ("BF16", "F16", "F32")
    for first in (True, False)
    if n == 3 or first
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
    return wrong


def large(arithmetics: list[Arithmetic], capacity: int) -> tuple[Example, Batch, Limits]:
    """Made-up weights that nearly fill a slab of `capacity` bytes, as the one batch they are."""
    limits = Limits(capacity=capacity, runs=capacity // 4096)
    small = example([SEGMENT], [[DType.BF16]] * 3, arithmetics)
    times = max(1, (capacity - (1 << 20)) // (3 * 2 * SEGMENT))
    segments = small.segments
    many = type(segments)(
        np.repeat(segments.tensor, times), np.repeat(segments.count, times),
        np.repeat(segments.start, times, axis=1), np.repeat(segments.dtype, times, axis=1),
    )  # fmt: skip
    (batch,) = batches(many, np.arange(times), small.recipes, limits)
    return Example(small.buffers, many, small.recipes), batch, limits


def device_seconds(torch: Any, work: Callable[[], object]) -> float:
    """Seconds on the device that enqueued work takes, by events on the current stream."""
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    begin.record()
    work()
    end.record()
    end.synchronize()
    return float(begin.elapsed_time(end)) / 1e3


def resident(torch: Any, arithmetics: list[Arithmetic], repeats: int) -> dict[str, Any]:
    """GB/s of the kernel on weights that already lie on the device, and of copying as much there."""
    free = torch.cuda.mem_get_info()[0]
    capacity = min(1 << 30, free // (SETS + 4)) >> 20 << 20
    on, batch, limits = large(arithmetics, capacity)
    kernel = GpuKernel("cuda", limits=limits, slabs=1)
    slab = kernel.slab()
    staged = torch.empty(capacity, dtype=torch.uint8, pin_memory=True)
    batch.fill(staged.numpy(), on.buffers, on.segments, on.recipes)
    sets = [torch.empty(capacity + OVERREAD, dtype=torch.uint8, device="cuda") for _ in range(SETS)]
    for data in sets:
        data[: batch.used].copy_(staged[: batch.used])
    target = slab.device
    read = int(batch.count.sum()) * 6

    def alone(warps: int) -> Callable[[], object]:
        from modelprov.forensics.sums.kernels.triton_kernel import triton_rows

        return lambda: [triton_rows(data, batch, on.recipes, warps) for data in sets]

    works: dict[str, Callable[[], object]] = {
        "copy": lambda: [target[:read].copy_(data[:read]) for data in sets],
        "with sums": lambda: [kernel.reduced(data, batch, on.recipes) for data in sets],
    }
    if "Triton" in kernel.description:
        works |= {f"kernel, {warps} warps": alone(warps) for warps in (4, 8, 16)}
    for work in works.values():
        work()
    torch.cuda.synchronize()
    seconds: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            seconds[name].append(device_seconds(torch, work))
    rates = {name: SETS * read / statistics.median(times) / 1e9 for name, times in seconds.items()}
    ceiling = 2 * rates.pop("copy")  # a copy reads and writes
    return {
        "bytes a set": read, "sets": SETS, "memory GB/s, copying": ceiling,
        **{f"{name}, GB/s": rate for name, rate in rates.items()},
        **{f"{name}, share of memory": rate / ceiling for name, rate in rates.items()},
    }  # fmt: skip


def staged(torch: Any, arithmetics: list[Arithmetic], repeats: int) -> dict[str, Any]:
    """GB/s to results on the host: from pinned memory, by one thread and eight, and from other memory; of the link."""
    on, batch, limits = large(arithmetics, 64 << 20)
    kernel = GpuKernel("cuda", limits=limits, slabs=8)
    slabs = [kernel.slab() for _ in range(4)]
    buffers = [kernel.buffer(len(buffer)) for buffer in on.buffers]
    for buffer, weights_of in zip(buffers, on.buffers, strict=True):
        buffer[:] = weights_of
    packed = torch.empty(batch.used, dtype=torch.uint8, pin_memory=True)
    weights, rounds = int(batch.count.sum()) * 6, 8

    def link() -> float:
        begin = time.perf_counter()
        for _ in range(rounds):
            for slab in slabs:
                slab.device[: batch.used].copy_(packed, non_blocking=True)
        torch.cuda.synchronize()
        return rounds * len(slabs) * batch.used / (time.perf_counter() - begin) / 1e9

    def pinned() -> float:
        begin = time.perf_counter()
        for turn in range(rounds):
            for slab in slabs:
                if turn:
                    slab.done.synchronize()
                sent = kernel.stage(slab, batch, buffers, on.segments, on.recipes)
                kernel.submit(slab, batch, on.recipes, sent)
        torch.cuda.synchronize()
        return rounds * len(slabs) * weights / (time.perf_counter() - begin) / 1e9

    def called(of: Sequence[Any], threads: int) -> Callable[[], float]:
        def run() -> float:
            begin = time.perf_counter()
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(lambda _: kernel(of, on.segments, on.recipes), range(rounds * len(slabs))))
            return rounds * len(slabs) * weights / (time.perf_counter() - begin) / 1e9

        return run

    works = {
        "link": link, "from pinned memory": pinned, "from a reader's buffers, 8 threads": called(buffers, 8),
        "from ordinary memory, 4 threads": called([read_only(buffer) for buffer in on.buffers], 4),
    }  # fmt: skip
    for work in works.values():
        work()
    rates: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            rates[name].append(work())
    medians = {name: statistics.median(values) for name, values in rates.items()}
    ceiling = medians.pop("link")
    return {
        "link GB/s, pinned": ceiling,
        **{f"{name}, GB/s": rate for name, rate in medians.items()},
        **{f"{name}, share of the link": rate / ceiling for name, rate in medians.items()},
    }


def read_only(buffer: Any) -> Any:
    """The buffer as a map of a file is: not to be written to."""
    view = buffer.view()
    view.flags.writeable = False
    return view


def environment(torch: Any) -> dict[str, str]:
    """What was measured, on what, when."""
    try:
        command = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        driver = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\n")[0].strip()
    except (OSError, subprocess.CalledProcessError):
        driver = "unknown"
    from importlib.metadata import PackageNotFoundError, version

    try:
        triton = version("triton")
    except PackageNotFoundError:
        triton = "not installed"
    return {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "gpu": torch.cuda.get_device_name(), "driver": driver, "cuda": str(torch.version.cuda),
        "torch": torch.__version__, "triton": triton,
    }  # fmt: skip


def without_gpu() -> int:
    """Check the kernel in Triton's interpreter, in a process of its own; exit status 0 where it is right."""
    print("No GPU that torch can use: NOTHING WAS MEASURED. Checking the kernel in Triton's interpreter instead.")
    sys.stdout.flush()
    command = [sys.executable, "-W", "ignore", __file__, "--interpreter-check"]
    return subprocess.run(command, env=os.environ | {"TRITON_INTERPRET": "1"}, check=False).returncode


def report_check(kernel: GpuKernel, names: list[str]) -> dict[str, str]:
    """Run the checks and print them."""
    wrong = check(kernel, names)
    for name, what in wrong.items():
        print(f"  {name}: {what or 'as float64 on the processor'}")
    return wrong


def interpreter_check() -> int:
    """The checks in this process, where TRITON_INTERPRET is set."""
    try:
        kernel = GpuKernel("cpu", backend="triton")
    except UsageError as error:
        print(f"{error.message}: nothing was checked either. {error.advice}")
        return 0
    return int(any(report_check(kernel, [name for name in CHECKS if "second" not in name]).values()))


def main() -> int:
    """Exit status 0; 1 where the kernel's numbers are wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="also write the results there")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--interpreter-check", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.interpreter_check:
        return interpreter_check()
    try:
        import torch
    except ImportError:
        print("torch is not installed: NOTHING WAS MEASURED. Install it: pip install 'modelprov[gpu]'.")
        return 0
    results: dict[str, Any] = {"measured": torch.cuda.is_available()}
    if not torch.cuda.is_available():
        status = without_gpu()
    else:
        results["environment"] = environment(torch)
        print(json.dumps(results["environment"], indent=2))
        results["check"] = report_check(GpuKernel("cuda"), list(CHECKS))
        status = int(any(results["check"].values()))
        for name, recipes in RECIPES.items():
            results[f"resident, {name}"] = resident(torch, recipes, arguments.repeats)
            print(f"resident, {name}:", json.dumps(results[f"resident, {name}"], indent=2))
            torch.cuda.empty_cache()
            results[f"staged, {name}"] = staged(torch, recipes, arguments.repeats)
            print(f"staged, {name}:", json.dumps(results[f"staged, {name}"], indent=2))
            torch.cuda.empty_cache()
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
