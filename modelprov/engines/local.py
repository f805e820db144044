"""Spreads numbered tasks over threads of this machine; the same results in the same order for any number of threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextvars import ContextVar, copy_context
from typing import Generic, TypeVar

from modelprov.errors import InterruptedRunError

Result = TypeVar("Result")
Worker = Callable[[int], Result]
_STOPPED: ContextVar[tuple[threading.Event, ...]] = ContextVar("stopped", default=())
"""What says of each run that the calling thread works for whether it is to end."""


def run_tasks(
    tasks: int, make_worker: Callable[[], Worker[Result]], threads: int, on_done: Callable[[int], None] | None = None
) -> list[Result]:
    """Run tasks 0 ... tasks - 1 and return their results in that order.

    Every thread makes one worker (with its own buffers) and takes the next task as it gets free, so that reading and
    computing overlap without a schedule. `on_done` is called with the task's number, from the thread that did it.
    The first error stops all threads and is raised; Ctrl-C stops them within the task at hand, or where that asks
    whether to leave (`leave_if_stopped`).
    """
    results: list[Result | None] = [None] * tasks
    numbers = iter(range(tasks))
    lock, stop = threading.Lock(), threading.Event()

    def work() -> None:
        worker = make_worker()
        while not stop.is_set():
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            results[number] = worker(number)
            if on_done is not None:
                on_done(number)

    context = copy_context()
    context.run(_STOPPED.set, (*_STOPPED.get(), stop))
    pool = ThreadPoolExecutor(max(1, min(threads, tasks)), "modelprov")
    try:
        futures = [pool.submit(context.copy().run, work) for _ in range(max(1, min(threads, tasks)))]
        pending = set(futures)
        while pending:
            done, pending = wait(pending, timeout=0.2, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
    except KeyboardInterrupt:
        raise InterruptedRunError("stopped by the user", "Nothing was written; run the command again.") from None
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)
    return results  # type: ignore[return-value]


class InOrder(Generic[Result]):
    """Hands on what numbered tasks found in the order of their numbers, whenever they end; few wait, those ahead."""

    def __init__(self, take: Callable[[int, Result], None]) -> None:
        self._take, self._lock, self._next, self._waiting = take, threading.Lock(), 0, dict[int, Result]()

    def put(self, number: int, found: Result) -> None:
        """What a task found, from any thread."""
        with self._lock:
            self._waiting[number] = found
            while self._next in self._waiting:
                self._take(self._next, self._waiting.pop(self._next))
                self._next += 1


def leave_if_stopped() -> None:
    """Raise `InterruptedRunError` in a long task of a run that has failed or was stopped; its own error is shown."""
    if any(stopped.is_set() for stopped in _STOPPED.get()):
        raise InterruptedRunError("stopped", "Run the command again.")
