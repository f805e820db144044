"""How much memory is free where a model computes, and which errors mean that it ran out. Allocates nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

CGROUP = Path("/sys/fs/cgroup")
"""Where Linux says what a container may use (version 2)."""


def free_memory(device: Any) -> int:
    """Bytes that can still be allocated on a torch device; for "cpu" what the system and the container leave.

    On a GPU, what torch holds in reserve counts as free.
    """
    import torch

    where = torch.device(device)
    if where.type == "cuda":
        free, _ = torch.cuda.mem_get_info(where)
        return int(free + torch.cuda.memory_reserved(where) - torch.cuda.memory_allocated(where))
    import psutil

    free, left = int(psutil.virtual_memory().available), _left_to_container()
    return free if left is None else min(free, left)


def ran_out(error: BaseException) -> bool:
    """Whether this error says that there is no memory left, as Python, or torch on any device, puts it."""
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    said = str(error)
    return isinstance(error, RuntimeError) and ("out of memory" in said or "DefaultCPUAllocator" in said)


def let_go() -> None:
    """Give back what torch keeps in reserve on GPUs."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def in_words(size: float) -> str:
    """Bytes as GB, MB or kB (powers of 1,000)."""
    for unit, name in ((1e9, "GB"), (1e6, "MB")):
        if size >= unit:
            return f"{size / unit:.3g} {name}"
    return f"{size / 1e3:.3g} kB"


def _left_to_container(group: Path = CGROUP) -> int | None:
    """What this container may still use; None where there is no limit. Cached files count as free."""
    try:
        limit = (group / "memory.max").read_text().strip()
        if limit == "max":
            return None
        used = int((group / "memory.current").read_text())
        said = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        return max(0, int(limit) - used + int(said.get("inactive_file", 0)))
    except (OSError, ValueError):
        return None
