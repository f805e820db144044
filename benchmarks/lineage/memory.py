"""How much more memory a call took at its peak than before it, where Linux says so. Measures this process only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass
class Peak:
    """Bytes above what was resident before; None where the system does not say."""

    bytes: int | None = None


@contextmanager
def peak_of() -> Iterator[Peak]:
    """The peak of what runs inside."""
    found, before = Peak(), None
    with suppress(OSError, ValueError):
        CLEAR.write_text("5")
        before = _resident("VmRSS")
    yield found
    if before is not None:
        found.bytes = max(0, _resident("VmHWM") - before)


def _resident(name: str) -> int:
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024
