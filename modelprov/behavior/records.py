"""The base of every record of behaviour that crosses a file boundary, and the environment of a run. Runs no model."""

from __future__ import annotations

import hashlib
import json
import os
import platform
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from pydantic import BaseModel, ConfigDict

from modelprov import __version__

PACKAGES = ("torch", "transformers", "tokenizers", "math-verify", "lm-eval", "inspect-ai", "httpx", "numpy", "scipy")
SHAPING = ("torch", "transformers", "tokenizers", "math-verify")


class Frozen(BaseModel):
    """A small immutable record."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Environment(Frozen):
    """What the run needs to be repeated: versions, machine, device, number format, time (UTC, ISO 8601), seconds."""

    modelprov: str
    python: str
    packages: dict[str, str]
    platform: str
    processor_count: int
    device: str
    dtype: str
    started: str
    seconds: float


def environment(device: str, dtype: str, started: datetime, seconds: float) -> Environment:
    """Describe this machine and its packages; nothing is imported for it."""
    return Environment(
        modelprov=__version__,
        python=platform.python_version(),
        packages=versions(PACKAGES),
        platform=f"{platform.system()} {platform.machine()}",
        processor_count=os.cpu_count() or 1,
        device=device,
        dtype=dtype,
        started=started.isoformat(timespec="seconds"),
        seconds=round(seconds, 3),
    )


def versions(packages: tuple[str, ...]) -> dict[str, str]:
    """Versions of these packages, where installed."""
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def digest(value: Any) -> str:
    """SHA-256 of plain data as JSON with sorted keys: equal data, equal digest."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
