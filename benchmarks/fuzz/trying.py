"""One input, judged: a reader may take it or raise an error of `modelprov.errors`, soon and in few words; no more."""

from __future__ import annotations

import signal
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.fuzz.readers import Reader
from benchmarks.fuzz.watching import ForbiddenError, watched
from modelprov.errors import ModelprovError

SLOW = 2.0
"""Seconds of this process for one input, all of which are smaller than 64 kB."""
ENDLESS = 30.0
"""Likewise, after which it is not waited for."""
LONGEST_MESSAGE = 2_000
"""Characters: a message is read by people."""


class EndlessError(BaseException):
    """An input took `ENDLESS` seconds; no `except Exception` of a reader takes it for its own."""


@dataclass(frozen=True)
class Fault:
    """What an input did that none may: `kind` is the same for all inputs that do it alike, `told` the traceback."""

    kind: str
    told: str = ""


@dataclass(frozen=True)
class Outcome:
    """`refused`: the lines of ours that refused an input in words, "" where none did."""

    refused: str = ""
    fault: Fault | None = None


def trial(reader: Reader, folder: Path, content: bytes) -> Outcome:
    """Have a reader read `content` in its prepared folder."""
    reader.put(folder, content)
    started = time.process_time()
    refused = ""
    try:
        with _in_time(), watched(folder):
            reader.read(folder)
    except ModelprovError as error:
        words = f"{error.message} {error.advice}"
        if len(words) > LONGEST_MESSAGE or not error.message.strip():
            unread = "too long to read" if error.message.strip() else "without words"
            return Outcome(fault=Fault(f"{type(error).__name__}: a message {unread}", words))
        refused = _where(error.__traceback__)
    except (Exception, ForbiddenError, EndlessError) as error:
        return Outcome(fault=Fault(f"{type(error).__name__} at {_where(error.__traceback__)}", traceback.format_exc()))
    if (spent := time.process_time() - started) > SLOW:
        return Outcome(fault=Fault("slow", f"{spent:.1f} s, refused at {refused or 'no place'}"))
    return Outcome(refused)


def _where(step: TracebackType | None) -> str:
    """The last lines of ours on the way to an error, the nearest to it first."""
    found: list[str] = []
    while step is not None:
        name = step.tb_frame.f_code.co_filename
        if "modelprov/" in name or not found:
            found.append(f"{name.rpartition('/')[2]}:{step.tb_lineno}")
        step = step.tb_next
    return " < ".join(found[:-4:-1])


@contextmanager
def _in_time() -> Iterator[None]:
    def endless(*_: Any) -> None:
        raise EndlessError

    if not hasattr(signal, "SIGPROF"):
        yield
        return
    kept = signal.signal(signal.SIGPROF, endless)
    signal.setitimer(signal.ITIMER_PROF, ENDLESS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, kept)
