"""What a run fetches over the network, counted, and how much at once: the one place with limits. Sends nothing."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

from modelprov.called import called
from modelprov.errors import BudgetSpentError, UsageError

CONNECTIONS = 32
MOST_CONNECTIONS = 256
SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Fetched:
    """Requests sent, bytes of answers, bytes that came from the cache instead, and seconds of waiting for answers."""

    requests: int = 0
    bytes: int = 0
    cached: int = 0
    seconds: float = 0.0

    def since(self, earlier: Fetched) -> Fetched:
        """What was added to `earlier`."""
        return Fetched(
            self.requests - earlier.requests,
            self.bytes - earlier.bytes,
            self.cached - earlier.cached,
            self.seconds - earlier.seconds,
        )


class Traffic:
    """Counts what all sources of this process fetch; refuses what is over a budget, and waits where it is too fast."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._so_far = Fetched()
        self._most: int | None = None
        self._free = 0.0
        self._pool: ThreadPoolExecutor | None = None

    @property
    def so_far(self) -> Fetched:
        """Everything since the process began."""
        return self._so_far

    @contextmanager
    def within(self, budget: int | None) -> Iterator[None]:
        """Refuse to fetch more than `budget` bytes until the block ends; None is no limit. For one run at a time."""
        with self._lock:
            before, self._most = self._most, None if budget is None else self._so_far.bytes + budget
        try:
            yield
        finally:
            self._most = before

    def left(self) -> int | None:
        """Bytes that may still be fetched; None for any number."""
        return None if self._most is None else max(0, self._most - self._so_far.bytes)

    def ask(self, size: int, place: str) -> None:
        """Count a request for `size` bytes before it is sent, and wait for the bandwidth; raises `BudgetSpentError`."""
        rate = size_in("MODELPROV_BANDWIDTH", 0)
        with self._lock:
            if self._most is not None and self._so_far.bytes + size > self._most:
                raise BudgetSpentError(
                    f"the budget is spent: {place} would take the run over it, so nothing was concluded",
                    f"Allow more ({called('budget')}), or download the models and compare the copies.",
                )
            self._so_far = replace(self._so_far, requests=self._so_far.requests + 1, bytes=self._so_far.bytes + size)
            now = time.monotonic()
            start = max(now, self._free)
            self._free = start + size / rate if rate else 0.0
        if start > now:
            time.sleep(start - now)

    def answered(self, seconds: float) -> None:
        """Count what a request took, until the first byte."""
        with self._lock:
            self._so_far = replace(self._so_far, seconds=self._so_far.seconds + seconds)

    def from_cache(self, size: int) -> None:
        """Count bytes that need not be fetched."""
        with self._lock:
            self._so_far = replace(self._so_far, cached=self._so_far.cached + size)

    def pool(self) -> ThreadPoolExecutor:
        """The threads that requests are sent from, shared by all sources."""
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(connections(), thread_name_prefix="modelprov-remote")
            return self._pool


TRAFFIC: Final = Traffic()


def connections() -> int:
    """How many requests are under way at once (`MODELPROV_CONNECTIONS`)."""
    given = os.environ.get("MODELPROV_CONNECTIONS", "").strip()
    if not given:
        return CONNECTIONS
    if not given.isdecimal() or not 1 <= int(given) <= MOST_CONNECTIONS:
        raise UsageError(f"MODELPROV_CONNECTIONS is from 1 to {MOST_CONNECTIONS}, not {given!r:.40}")
    return int(given)


def size_in(variable: str, default: int) -> int:
    """Bytes as an environment variable says, like 500M (powers of 1,024); 0 is allowed."""
    given = os.environ.get(variable, "").strip()
    if not given:
        return default
    found = SIZE.fullmatch(given)
    if found is None:
        raise UsageError(f"{variable} {given!r:.40} is not a size", "Write it like 512M or 2G.")
    powers = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}
    return int(float(found[1]) * (1 << powers[found[2].upper()]))
