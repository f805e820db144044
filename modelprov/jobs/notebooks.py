"""A bar in notebooks: whoever calls a job there and gives no `progress` sees how far it has come. Silent elsewhere.

Never imports IPython: inside a notebook's kernel it is loaded already.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from functools import wraps
from html import escape
from threading import Lock
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from modelprov.foreign.shown import clean
from modelprov.jobs.steps import STEPS
from modelprov.progress import Steps

Given = ParamSpec("Given")
Result = TypeVar("Result")

BETWEEN = 0.2  # seconds, at least, from one change of the picture to the next


class NotebookBar:
    """A `Progress` that draws below the cell, and is gone when the job is done; what it was told stays."""

    def __init__(self, display: Callable[..., Any], job: str = "") -> None:
        self._lock, self._drawn = Lock(), 0.0
        self._text, self._done, self._total, self._step, self._begun = "", 0, 0, "", time.monotonic()
        self._steps = Steps(STEPS.get(job, ()))
        self._told: list[str] = []
        self._handle = display({"text/html": ""}, raw=True, display_id=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._show("")

    def steps(self, begins: Sequence[str], /) -> None:
        """Number the stages from here on."""
        self._steps = Steps(begins)

    def stage(self, text: str, total: int = 0, /) -> None:
        """Begin a stage; without a total there is no bar, as nothing is counted."""
        with self._lock:
            self._text, self._done, self._total = text, 0, total
            self._step = self._steps.number(text)
            self._draw(now=True)

    def advance(self, done: int, /) -> None:
        """Count what was done."""
        with self._lock:
            self._done += done
            self._draw()

    def tell(self, text: str, /) -> None:
        """A sentence that stays above the bar."""
        with self._lock:
            self._told.append(f"<div>{escape(clean(text))}</div>")
            self._draw(now=True)

    def _draw(self, *, now: bool = False) -> None:
        if not now and time.monotonic() - self._drawn < BETWEEN:
            return
        self._drawn = time.monotonic()
        done = f'<progress value="{min(1.0, self._done / self._total):.3f}"></progress> ' if self._total else ""
        begun = f"after {time.monotonic() - self._begun:.0f} s"
        where = f"Step {self._step}, {begun}" if self._step else begun.capitalize()
        self._show(f"{done}{where}: {escape(clean(self._text))}")

    def _show(self, page: str) -> None:
        self._handle.update({"text/html": "".join(self._told) + page}, raw=True)


def kernel_display() -> Callable[..., Any] | None:
    """IPython's `display` inside a notebook's kernel; None anywhere else, IPython's own terminal included."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if getattr(shell, "kernel", None) is None:
        return None
    display: Callable[..., Any] | None = getattr(sys.modules.get("IPython.display"), "display", None)
    return display


def shown_in_notebooks(job: Callable[Given, Result]) -> Callable[Given, Result]:
    """The job, which in a notebook draws a bar unless a `progress` is given."""

    @wraps(job)
    def watched(*arguments: Given.args, **named: Given.kwargs) -> Result:
        display = None if "progress" in named else kernel_display()
        if display is None:
            return job(*arguments, **named)
        with NotebookBar(display, job.__name__) as bar:
            named["progress"] = bar
            return job(*arguments, **named)

    return watched
