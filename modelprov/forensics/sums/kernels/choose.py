"""Which kernel a run uses: the GPU's where there is one that computes the right numbers, else the processor's.

Comparing on a processor must not need torch, nor wait for its import: the cheap questions come first.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

from modelprov.called import DEVICES, called, refuse_other
from modelprov.errors import UsageError
from modelprov.forensics.sums.kernels.cpu import cpu_kernel, description
from modelprov.forensics.sums.kernels.interface import Device

DEVICE_FILES = ("nvidia[0-9]*", "nvidiactl", "dxg")  # the last: Windows' GPUs as Linux under it sees them

# Bytes a second of a pass over files in memory, and seconds before the first byte: see `benchmarks/results/gpu.json`.
THREAD_RATE, PROCESSOR_RATE, GPU_RATE, GPU_START = 1e9, 15e9, 17e9, 6.0
GPU_THREADS, GPU_BLOCK = 8, 32 << 20


def pick_device(device: str = "auto", size: int = 0, threads: int = 1) -> Device:
    """What computes for `auto`, `cpu` or `cuda`, in a pass over `size` bytes with `threads` threads of the processor.

    A GPU's kernel is first checked against float64. `auto` takes a GPU only where torch can use one, its numbers are
    right and the pass would take it less time than the processor; `cuda` raises `UsageError` where there is none.
    """
    refuse_other("device", device, DEVICES)
    if device == "cpu" or (device == "auto" and not _gpu_possible()):
        return Device(cpu_kernel, description())
    if device == "auto" and not worth_starting(size, threads):
        return Device(cpu_kernel, f"{description()}; not the GPU, which would take longer to start than it saves")
    try:
        return _checked_gpu()
    except UsageError as error:
        if device == "cuda":
            raise
        return Device(cpu_kernel, f"{description()}; no GPU: {error.message}")


def worth_starting(size: int, threads: int) -> bool:
    """Whether a GPU ends a pass over `size` bytes sooner than `threads` threads of the processor would."""
    return GPU_START + size / GPU_RATE < size / min(threads * THREAD_RATE, PROCESSOR_RATE)


def _gpu_possible() -> bool:
    """Whether importing torch to look for a GPU is worth its seconds."""
    if sys.platform == "darwin" or find_spec("torch") is None:
        return False
    return sys.platform != "linux" or any(next(Path("/dev").glob(name), None) for name in DEVICE_FILES)


def _checked_gpu() -> Device:
    """The GPU kernel, with Triton if that computes what the oracle computes, else with torch, else `UsageError`."""
    from modelprov.forensics.sums.kernels.gpu import GpuKernel
    from modelprov.forensics.sums.kernels.self_check import disagreement, quick_example

    reasons: list[str] = []
    on = quick_example()
    for backend in (GpuKernel("cuda", slabs=GPU_THREADS), GpuKernel("cuda", backend="torch", slabs=GPU_THREADS)):
        try:
            wrong = disagreement(backend, on)
        except UsageError:
            raise
        except Exception as error:  # a compiler or driver may fail in any way: then this backend is not used
            wrong = f"{type(error).__name__}: {error}"
        if not wrong:
            words = "; ".join([backend.description, *reasons])
            return Device(backend, words, backend.buffer, GPU_THREADS, GPU_BLOCK)
        reasons.append(f"{backend.description} failed its check: {wrong}")
    raise UsageError("; ".join(reasons), f"Use {called('device', 'cpu')}, and please report this.")
