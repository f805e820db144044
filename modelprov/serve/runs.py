"""The one run: started, watched and stopped. It is another process (`running.py`), in an empty folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from modelprov.errors import UsageError
from modelprov.foreign.json_text import JsonError, parse_json
from modelprov.jobs.steps import STEPS
from modelprov.progress import Steps
from modelprov.serve.dropped import Dropped, Shown, shown

MOST_SAID = 20
PATIENCE = 5.0  # seconds for a run to end by itself after it was told to


class BusyError(UsageError):
    """A run is under way."""


@dataclass(frozen=True)
class Asked:
    """What is to be compared: names as the page shows them, with their locations."""

    models: Mapping[str, str]
    controls: Mapping[str, str]
    sample: bool = False


@dataclass
class Run:
    """How far a run has come, and what came of it: a report, or an error with its advice."""

    asked: Asked
    process: subprocess.Popen[str]
    begun: float = field(default_factory=time.monotonic)
    ended: float | None = None
    steps: Steps = field(default_factory=lambda: Steps(STEPS["compare"]))
    step: str = ""
    text: str = "starting"
    done: int = 0
    total: int = 0
    said: list[str] = field(default_factory=list)
    stopped: bool = False
    error: str = ""
    advice: str = ""
    report: str = ""
    """The number of the finished report on the page."""

    @property
    def seconds(self) -> float:
        """How long it has taken."""
        return (time.monotonic() if self.ended is None else self.ended) - self.begun

    def hear(self, said: Mapping[str, Any]) -> None:
        """Take in a line of the process."""
        if "stage" in said:
            self.step = self.steps.number(said["stage"])
            self.text, self.total, self.done = said["stage"], said["total"], 0
        elif "done" in said:
            self.done = said["done"]
        elif "tell" in said:
            self.said = [*self.said, said["tell"]][-MOST_SAID:]
        else:
            self.error, self.advice = said.get("error", ""), said.get("advice", "")


class Runs:
    """Starts a run where none is, and gives its report to `keep`, which gives its number."""

    def __init__(self, keep: Any, *, network: bool, memory: int, threads: int | None) -> None:
        self._keep, self._network, self._memory, self._threads = keep, network, memory, threads
        self._lock = Lock()
        self.last: Run | None = None

    def start(self, asked: Asked) -> None:
        """Begin; `BusyError` where a run is under way."""
        with self._lock:
            if self.last is not None and self.last.ended is None:
                raise BusyError("a comparison is under way", "Wait for it, or stop it.")
            folder = tempfile.TemporaryDirectory(prefix="modelprov-")
            self.last = Run(asked, _process(folder.name, self._network))
            Thread(target=self._watch, args=(self.last, folder), daemon=True).start()

    def stop(self) -> None:
        """End the run that is under way, if there is one."""
        with self._lock:
            run = self.last
            if run is None or run.ended is not None:
                return
            run.stopped = True
            _end(run.process)

    def _watch(self, run: Run, folder: tempfile.TemporaryDirectory[str]) -> None:
        report = Path(folder.name, "report.json")
        request = {
            "models": list(run.asked.models.values()), "controls": list(run.asked.controls.values()),
            "sample": run.asked.sample, "report": str(report), "memory": self._memory, "threads": self._threads,
        }  # fmt: skip
        try:
            with folder:
                self._listen(run, json.dumps(request))
                if not run.error and not run.stopped:
                    run.text, run.total = "drawing the page", 0
                    run.report = self._keep(_page(report))
        except UsageError as error:
            run.error, run.advice = error.message, error.advice
        except Exception:
            run.error, run.advice = "this is a fault of modelprov; nothing was concluded", "The terminal says more."
            raise
        finally:
            _end(run.process)
            run.ended = time.monotonic()

    def _listen(self, run: Run, request: str) -> None:
        """Ask, and hear all that the process says; its output ends with it."""
        assert run.process.stdin is not None
        assert run.process.stdout is not None
        try:
            run.process.stdin.write(request + "\n")
            run.process.stdin.flush()
            for line in run.process.stdout:
                run.hear(parse_json(line))
        except (OSError, ValueError, JsonError):  # it was stopped meanwhile
            pass
        if run.process.wait() != 0 and not run.error:
            run.error, run.advice = "the comparison ended before its end", "Look into the terminal of the server."


def _page(report: Path) -> Shown:
    return shown([Dropped(report.name, report.read_bytes())])


def _process(folder: str, network: bool) -> subprocess.Popen[str]:
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    if not network:
        environment["HF_HUB_OFFLINE"] = "1"
    return subprocess.Popen(
        [sys.executable, "-m", "modelprov.serve.running"], cwd=folder, env=environment, encoding="utf-8",
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip


def _end(process: subprocess.Popen[str]) -> None:
    """Close what it reads, at which it ends; kill it where it does not."""
    assert process.stdin is not None
    try:
        process.stdin.close()
        process.wait(PATIENCE)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        process.kill()
        process.wait()
