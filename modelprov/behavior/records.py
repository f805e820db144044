"""What every record of behaviour has: its environment and digests. Runs no model."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any

from modelprov.machine import this_machine
from modelprov.records import Environment

PACKAGES = ("torch", "transformers", "tokenizers", "math-verify", "lm-eval", "inspect-ai", "httpx", "numpy", "scipy")
SHAPING = ("torch", "transformers", "tokenizers", "math-verify")


class BehaviorEnvironment(Environment):
    """What the run needs to be repeated, with the number format, the time (UTC, ISO 8601) and the seconds it took."""

    dtype: str
    started: str
    seconds: float


def environment(device: str, dtype: str, started: datetime, seconds: float) -> BehaviorEnvironment:
    """Describe this run on this machine."""
    return BehaviorEnvironment(
        **this_machine(device, PACKAGES),
        dtype=dtype,
        started=started.isoformat(timespec="seconds"),
        seconds=round(seconds, 3),
    )


def digest(value: Any) -> str:
    """SHA-256 of plain data as JSON with sorted keys: equal data, equal digest."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
