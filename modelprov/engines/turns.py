"""Tasks whose last part is done in their order, one at a time, while the others are got ready side by side."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from modelprov.engines.local import run_tasks

Ready = TypeVar("Ready")


class Turn:
    """Lets whoever waits through in order; a failure wakes everyone who waits."""

    def __init__(self) -> None:
        self._at = 0
        self._failed = False
        self._changed = threading.Condition()

    def wait_for(self, start: int) -> None:
        """Return when it is the turn of `start`; raises `OtherFailedError` where it will never be."""
        with self._changed:
            self._changed.wait_for(lambda: self._at == start or self._failed)
            if self._failed:
                raise OtherFailedError

    def move_to(self, stop: int) -> None:
        """Let those through who wait for `stop`."""
        with self._changed:
            self._at = stop
            self._changed.notify_all()

    def fail(self) -> None:
        """Have everybody who waits, or will, fail."""
        with self._changed:
            self._failed = True
            self._changed.notify_all()


class OtherFailedError(Exception):
    """Another thread failed first; its error is the one to show."""


def in_turns(tasks: int, prepare: Callable[[int], Ready], add: Callable[[Ready], None], threads: int) -> None:
    """`prepare` tasks 0 ... tasks - 1 side by side, and `add` what each gives in their order, in the same thread.

    What is given may lie in memory that the thread uses again for its next task. Raises what `run_tasks` raises; of
    several errors the first.
    """
    turn, errors = Turn(), list[BaseException]()

    def work(number: int) -> None:
        try:
            ready = prepare(number)
            turn.wait_for(number)
            add(ready)
            turn.move_to(number + 1)
        except OtherFailedError:
            raise
        except BaseException as error:
            errors.append(error)
            turn.fail()
            raise

    try:
        run_tasks(tasks, lambda: work, threads)
    except OtherFailedError:
        raise errors[0] from None
