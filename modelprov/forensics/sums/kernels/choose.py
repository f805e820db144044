"""Which kernel a run uses: the GPU's where there is one that computes the right numbers, else the processor's.

Comparing on a processor must not need torch, nor wait for its import: the cheap questions come first.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

from modelprov.called import DEVICES, called, refuse_other
from modelprov.errors import UsageError
from modelprov.forensics.sums.kernels.cpu import cpu_kernel
from modelprov.forensics.sums.kernels.interface import Kernel

DEVICE_FILES = ("nvidia[0-9]*", "nvidiactl", "dxg")  # the last: Windows' GPUs as Linux under it sees them
PROCESSOR = "processor (numba)"


def pick_kernel(device: str = "auto") -> tuple[Kernel, str]:
    """The kernel for `auto`, `cpu` or `cuda`, and words that describe it.

    A GPU's kernel is first checked against float64. `auto` takes a GPU only where torch can use one and its numbers
    are right; `cuda` raises `UsageError` otherwise.
    """
    refuse_other("device", device, DEVICES)
    if device == "cpu" or (device == "auto" and not _gpu_possible()):
        return cpu_kernel, PROCESSOR
    try:
        return _checked_gpu()
    except UsageError as error:
        if device == "cuda":
            raise
        return cpu_kernel, f"{PROCESSOR}; no GPU: {error.message}"


def _gpu_possible() -> bool:
    """Whether importing torch to look for a GPU is worth its seconds."""
    if sys.platform == "darwin" or find_spec("torch") is None:
        return False
    return sys.platform != "linux" or any(next(Path("/dev").glob(name), None) for name in DEVICE_FILES)


def _checked_gpu() -> tuple[Kernel, str]:
    """The GPU kernel, with Triton if that computes what the oracle computes, else with torch, else `UsageError`."""
    from modelprov.forensics.sums.kernels.gpu import GpuKernel
    from modelprov.forensics.sums.kernels.self_check import disagreement, quick_example

    reasons: list[str] = []
    on = quick_example()
    kernel = GpuKernel("cuda")
    for backend in (kernel, GpuKernel("cuda", backend="torch")):
        try:
            wrong = disagreement(backend, on)
        except UsageError:
            raise
        except Exception as error:  # a compiler or driver may fail in any way: then this backend is not used
            wrong = f"{type(error).__name__}: {error}"
        if not wrong:
            return backend, "; ".join([backend.description, *reasons])
        reasons.append(f"{backend.description} failed its check: {wrong}")
    raise UsageError("; ".join(reasons), f"Use {called('device', 'cpu')}, and please report this.")
