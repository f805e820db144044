"""A process for work on foreign input, seen from outside: started, asked within a time, ended. Knows no input."""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

STARTS_WITHIN = 120.0
"""Seconds; a machine under load takes a while to start Python. No input has a part in it."""

LONGEST_LINE = 64 << 20
"""Bytes of one answer; the child keeps to far fewer."""


class EndedError(Exception):
    """The process came to an end, or has to; the words say why."""


class LimitedProcess:
    """The program `script`, running: isolated, without our environment, with `memory` bytes; `work` names its work.

    It reads JSON objects, one a line, first the limit of memory, and writes as many for each as it is asked for.
    """

    def __init__(self, script: Path, work: str, memory: int) -> None:
        self._work = work
        self._memory = memory
        self._process = subprocess.Popen(
            [sys.executable, "-I", str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, env={"PATH": "", "PYTHONIOENCODING": "utf-8"}, cwd="/",
        )  # fmt: skip
        self.end = weakref.finalize(self, _end, self._process)
        assert self._process.stdout is not None
        self._lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(target=_read, args=(self._process.stdout, self._lines), daemon=True).start()
        try:
            self.ask({"memory": memory}, 1, STARTS_WITHIN)
        except TimeoutError as error:
            raise EndedError(f"the process for {work} did not start within {STARTS_WITHIN:g} s") from error

    def ask(self, order: Mapping[str, Any], answers: int, seconds: float) -> list[dict[str, Any]]:
        """So many answers to one order. Raises `TimeoutError` after `seconds`, `EndedError` when it broke down."""
        until = time.monotonic() + seconds
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # it has ended: reading says so
            self._process.stdin.write(json.dumps(order, default=_inert).encode() + b"\n")
            self._process.stdin.flush()
        found = []
        for _ in range(answers):
            try:
                line = self._lines.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                raise TimeoutError from None
            if not line.endswith(b"\n"):
                raise EndedError(self._why())
            found.append(json.loads(line))
        return found

    def _why(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        code = self._process.returncode
        ended = code is not None and code < 0
        why = "was ended by the system (processor time or memory)" if ended else "broke down"
        return f"{self._work} {why}; limit {self._memory >> 20} MB"


def _read(stream: IO[bytes], lines: queue.SimpleQueue[bytes]) -> None:
    """Every line as it comes; one without a line feed says that there will be no more."""
    with contextlib.suppress(OSError, ValueError):
        while (line := stream.readline(LONGEST_LINE)).endswith(b"\n"):
            lines.put(line)
    lines.put(b"")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        with contextlib.suppress(OSError, ValueError):
            if stream is not None:
                stream.close()


def _inert(value: object) -> str:
    """What the process is shown of a value that is no plain data (a template, as transformers shows it)."""
    return f"<{type(value).__name__}>"
