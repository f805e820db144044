"""Runs a job in a process of its own (a fork), in which the system fails, stalls, cuts short or kills at one call."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from modelprov.errors import ModelprovError

FINE, SAID, BROKEN = 0, 2, 70
"""How a job's process ends: done, refused in words (`ModelprovError`), or by a fault of ours."""
Fault = Callable[["Calls"], None]


@dataclass
class Calls:
    """The calls of the system that a job makes, counted by kind; the `at`-th of one kind is met by the fault.

    `below` counts those that are made where Python sees nothing of them.
    """

    at: int
    seen: int = 0
    below: Callable[[], int] | None = None

    def met(self) -> bool:
        """Whether this call is the one."""
        self.seen += 1
        return self.seen == self.at


@dataclass(frozen=True)
class End:
    """A status, or minus a signal; how many calls of the fault's kind were made; the error in words or a traceback."""

    code: int
    calls: int
    told: str


def failing(name: str, code: int) -> Fault:
    """The call `os.name` fails once, as a full disk or a broken one does."""

    def install(calls: Calls) -> None:
        real = getattr(os, name)

        def call(*given: Any, **named: Any) -> Any:
            if calls.met():
                raise OSError(code, os.strerror(code))
            return real(*given, **named)

        setattr(os, name, call)

    return install


def killing(name: str) -> Fault:
    """The process is killed before the call, as by kill -9 or a loss of power that the disk survives."""

    def install(calls: Calls) -> None:
        real = getattr(os, name)

        def call(*given: Any, **named: Any) -> Any:
            if calls.met():
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*given, **named)

        setattr(os, name, call)

    return install


def short_and_slow(calls: Calls) -> None:
    """Every read brings a third of what was asked for, and the one that is met is late."""
    real = os.preadv

    def preadv(file: int, buffers: Any, start: int, *flags: int) -> int:
        if calls.met():
            time.sleep(0.05)
        view = memoryview(buffers[0]).cast("B")
        return real(file, [view[: max(1, len(view) // 3)]], start, *flags)

    os.preadv = preadv


def clock_jumps(calls: Calls) -> None:
    """From the call that is met on, the clocks of the wall stand an hour back; before, a day ahead."""
    real, real_ns = time.time, time.time_ns

    def shift() -> int:
        return -3600 if calls.met() or calls.seen > calls.at else 86_400

    time.time = lambda: real() + shift()
    time.time_ns = lambda: real_ns() + shift() * 10**9


def full_disk(size: int) -> Fault:
    """No file may grow beyond so many bytes: the system itself refuses, wherever it is asked from."""

    def install(_: Calls) -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return install


def below_python(fault: str) -> Fault:
    """Reads of weights by C fail as `reads.c` says, which has to be loaded before the C library (`below.py`)."""

    def install(calls: Calls) -> None:
        calls.below = ctypes.CDLL(None).reads_seen
        os.environ.update(READ_FAULT=fault, READ_FAULT_AT=str(calls.at))

    return install


def in_a_fork(job: Callable[[], object], fault: Fault | None = None, at: int = 1) -> End:
    """How a job ended in a process of its own."""
    return ended(begun(job, fault, at))


def begun(job: Callable[[], object], fault: Fault | None = None, at: int = 1) -> tuple[int, int]:
    """The process of a job that is under way, and the pipe on which it will say how it went."""
    back, out = os.pipe()
    child = os.fork()
    if child:
        os.close(out)
        return child, back
    calls, status, told = Calls(at), BROKEN, ""
    try:
        if fault is not None:
            fault(calls)
        job()
        status = FINE
    except ModelprovError as error:
        status, told = SAID, error.message
    except BaseException:
        told = traceback.format_exc()
    finally:
        with contextlib.suppress(BaseException):
            os.write(out, f"{calls.seen if calls.below is None else calls.below()} {told}".encode()[:60_000])
        os._exit(status)


def ended(run: tuple[int, int]) -> End:
    """The end of a job's process."""
    child, back = run
    with os.fdopen(back, "rb") as said:
        seen, _, told = said.read().decode("utf-8", "replace").partition(" ")
    _, status = os.waitpid(child, 0)
    return End(os.waitstatus_to_exitcode(status), int(seen or 0), told)


NO_SPACE, BROKEN_DISK = errno.ENOSPC, errno.EIO
