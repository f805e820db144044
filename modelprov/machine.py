"""The machine that a process runs on: its processors, and what is installed. Knows no records and no models."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from modelprov import __version__

VERSION = re.compile(r"^Version: *(\S+) *$", re.MULTILINE)
"""The line of a package's metadata; its fields stand before its description."""


def this_machine(device: str, packages: Sequence[str]) -> dict[str, Any]:
    """The fields of a `records.Environment` here, with the versions of these packages; none of them is imported."""
    return {
        "modelprov": __version__,
        "python": platform.python_version(),
        "packages": versions(packages),
        "platform": f"{platform.system()} {platform.machine()}",
        "processor_count": processors(),
        "device": device,
    }


def versions(packages: Sequence[str]) -> dict[str, str]:
    """Versions of these packages, where installed."""
    from importlib.metadata import PackageNotFoundError, distribution, version  # slow to import, for a report's end

    found = {}
    for name in packages:
        try:
            text = distribution(name).read_text("METADATA") or ""
        except PackageNotFoundError:
            continue
        written = VERSION.search(text)  # `version` parses all of it as a letter: tens of milliseconds
        found[name] = version(name) if written is None else written[1]
    return found


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Products of matrices without threads of BLAS, as in a command, unless whoever calls has set how many there are.

    Beside our own threads they take twice the time on two processors, and sums may differ from a command's last bits.
    """
    if "OPENBLAS_NUM_THREADS" in os.environ:
        yield
        return
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="blas"):
        yield


def processors() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
