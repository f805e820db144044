"""Tasks that a test sends to a cluster: functions of a module, as those of the program are."""

from __future__ import annotations

import time
import uuid
from pathlib import Path

from modelprov.errors import TruncatedShardError


def slow_square(folder: Path, number: int) -> int:
    """Leaves a file for every time that it was begun."""
    (folder / f"square-{number}-{uuid.uuid4().hex}").touch()
    time.sleep(0.5)
    return number * number


def together(folder: Path, number: int) -> None:
    """Ends when three of them run at the same time: every node has a process then."""
    (folder / f"together-{number}").touch()
    for _ in range(600):
        if len(list(folder.glob("together-*"))) == 3:
            return
        time.sleep(0.1)
    raise TimeoutError("three tasks never ran at the same time")


def failing(_shared: object, _number: int) -> None:
    raise TruncatedShardError("cut", "again")
