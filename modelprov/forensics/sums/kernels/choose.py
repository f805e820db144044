"""Which kernel a run uses: the GPUs' where they compute the right numbers and end sooner, else the processor's.

A pass on a processor must not wait for a GPU's libraries: the cheap questions come first.
"""

from __future__ import annotations

import logging
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from modelprov.called import DEVICES, called, refuse_other
from modelprov.checkpoints.formats.dtypes import DType
from modelprov.errors import UsageError
from modelprov.forensics.sums.kernels.cpu import processor
from modelprov.forensics.sums.kernels.interface import Device, Kernel, RecipePlan, Segments

LOG = logging.getLogger(__name__)
DEVICE_FILES = ("nvidia[0-9]*", "nvidiactl", "dxg")  # the last: Windows' GPUs as Linux under it sees them
GPU_THREADS, GPU_BLOCK = 12, 21 << 20  # three checkpoints' blocks fill a slab

START = 1.0
"""Seconds of the processor that starting a GPU takes, its libraries included; `benchmarks/results/gpu.json`."""
THREAD_RATE, MOST = 4e9, 60e9
"""Bytes a second that a thread of the processor, and all of them, add at best: what is done within `START` is not
worth a GPU, whatever that can do."""


def pick_device(device: str = "auto", size: int = 0, threads: int = 1) -> Device:
    """What computes for `auto`, `cpu` or `cuda`, in a pass over `size` bytes with `threads` threads of the processor.

    A GPU's kernel is first checked against float64. `auto` takes the GPUs only where their numbers are right and they
    were faster than the processor when both were tried on the same made-up weights; it says which, and what it
    measured. `cuda` raises `UsageError` where there is none.
    """
    refuse_other("device", device, DEVICES)
    picked = _picked(device, size, threads)
    LOG.info("computes: %s", picked.description)
    return picked


def _picked(device: str, size: int, threads: int) -> Device:
    if device == "cpu" or (device == "auto" and not _gpu_possible()):
        return processor()
    if device == "auto" and not worth_starting(size, threads):
        return processor("; not the GPU, which would take longer to start than it saves")
    try:
        gpu = _checked_gpu()
    except UsageError as error:
        if device == "cuda":
            raise
        return processor(f"; no GPU: {error.message}")
    return gpu if device == "cuda" else faster(processor(), gpu, threads)


def worth_starting(size: int, threads: int) -> bool:
    """Whether `threads` threads of the processor need longer for a pass over `size` bytes than a GPU for its start."""
    return size > START * min(threads * THREAD_RATE, MOST)


def faster(cpu: Device, gpu: Device, threads: int) -> Device:
    """Which of the two adds more bytes a second here, on weights that lie in memory; with words for both rates."""
    rates = rate(cpu.kernel, threads), rate(gpu.kernel, gpu.threads or threads)
    words = f"{rates[1] / 1e9:.1f} GB/s, the processor's {threads} threads {rates[0] / 1e9:.1f}"
    if rates[1] > rates[0]:
        return replace(gpu, description=f"{gpu.description}; measured {words}")
    return replace(cpu, description=f"{cpu.description}; not the GPU: it adds {words}")


def rate(kernel: Kernel, threads: int, size: int = 16 << 20) -> float:
    """Bytes a second that a kernel adds in so many threads at once: three bf16 checkpoints of `size` bytes each."""
    tile = np.random.default_rng(0).normal(0, 0.02, 1 << 16).astype(np.float32).view(np.uint32) >> 16
    buffers = [np.resize(np.roll(tile.astype(np.uint16), i), size // 2).view(np.uint8) for i in range(3)]
    zero = np.zeros((3, 1), np.int64)
    segments = Segments(zero[0], np.array([size // 2]), zero, np.full((3, 1), DType.BF16.code))
    none = RecipePlan.none(2, 1)
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(2):  # the first time makes memory and compiles
            begin = time.perf_counter()
            for done in [pool.submit(kernel, buffers, segments, none) for _ in range(2 * threads)]:
                done.result()
            seconds = time.perf_counter() - begin
    return 2 * threads * 3 * size / seconds


def _gpu_possible() -> bool:
    """Whether loading a GPU's libraries to look for one is worth it."""
    if sys.platform == "darwin" or find_spec("cuda") is None or find_spec("triton") is None:
        return False
    return sys.platform != "linux" or any(next(Path("/dev").glob(name), None) for name in DEVICE_FILES)


def _checked_gpu() -> Device:
    """The kernel on all GPUs, if each computes what the oracle computes, else `UsageError`."""
    from modelprov.forensics.sums.kernels.cuda import Cuda, bindings
    from modelprov.forensics.sums.kernels.gpu import GpuKernel
    from modelprov.forensics.sums.kernels.self_check import disagreement, quick_example

    advice = f"Use {called('device', 'cpu')}."
    driver = bindings()
    count = Cuda.count(driver)
    if not count:
        raise UsageError("no GPU that NVIDIA's driver can use was found", f"{advice[:-1]}, or check the driver.")
    if find_spec("triton") is None:
        raise UsageError("Triton is not installed", f"Install it: pip install 'modelprov[gpu]'. Or: {advice}")
    on = quick_example()
    try:
        gpus = [Cuda(driver, number) for number in range(count)]
        for gpu in gpus:
            wrong = disagreement(GpuKernel([gpu], lanes=1), on)
            if wrong:
                raise UsageError(f"{gpu.name} failed its check: {wrong}", f"{advice[:-1]}, and please report this.")
    except UsageError:
        raise
    except Exception as error:  # a compiler or driver may fail in any way: then it is not used
        raise UsageError(f"a GPU failed its check: {type(error).__name__}: {error}", advice) from error
    lanes = GPU_THREADS * count
    kernel = GpuKernel(gpus, lanes=lanes)
    return Device(kernel, kernel.description, lanes, GPU_BLOCK, kernel)
