"""Keeps what threads hold at a time within a budget of bytes, and remembers what was made last."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from modelprov.called import called
from modelprov.errors import MergeError

Made = TypeVar("Made")


class Budget:
    """So many bytes, lent to threads; a loan waits until there is room."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._free = total
        self._changed = threading.Condition()

    @contextmanager
    def lend(self, size: int, what: str) -> Iterator[None]:
        """Hold `size` bytes while the block runs; raises `MergeError` if they can never be had."""
        if size > self.total:
            raise MergeError(
                f"{what} needs {size / 1e9:,.2f} GB of memory at once, {self.total / 1e9:,.2f} GB are allowed",
                f"Allow at least {-(-size // (1 << 20))}M ({called('memory')}), or use an elementwise method.",
            )
        with self._changed:
            self._changed.wait_for(lambda: self._free >= size)
            self._free -= size
        try:
            yield
        finally:
            with self._changed:
                self._free += size
                self._changed.notify_all()


class Recent(Generic[Made]):
    """The last things that were made, by name, up to a sum of `limit` of their weights; each is made by one thread."""

    def __init__(self, limit: int, weight: Callable[[Made], int]) -> None:
        self._limit, self._weight = limit, weight
        self._held: dict[str, Made] = {}
        self._lock = threading.Lock()
        self._making: dict[str, threading.Lock] = {}

    def get(self, name: str, make: Callable[[], Made]) -> Made:
        """What has this name, made now if it is not held."""
        with self._lock:
            if name in self._held:
                self._held[name] = self._held.pop(name)
                return self._held[name]
            own = self._making.setdefault(name, threading.Lock())
        with own:
            with self._lock:
                if name in self._held:
                    return self._held[name]
            made = make()
            with self._lock:
                self._held[name] = made
                self._making.pop(name, None)
                while sum(map(self._weight, self._held.values())) > self._limit and len(self._held) > 1:
                    del self._held[next(iter(self._held))]
            return made
