"""Shows how far a run has come, on standard error, so that results on standard output stay clean."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from modelprov.foreign.shown import clean
from modelprov.jobs.steps import STEPS
from modelprov.progress import Steps
from modelprov.reports.numbers import duration

LOG = logging.getLogger(__name__)


class _Counted(ProgressColumn):
    """A column of what is counted: nothing while a stage counts nothing."""

    def __init__(self, column: ProgressColumn) -> None:
        super().__init__()
        self._column = column

    def render(self, task: Task) -> RenderableType:
        """What the column shows, or nothing."""
        return "" if task.total is None else self._column.render(task)


class _Line:
    """One line that says the step, how much of it is done and how long the run has taken; silent where nobody watches.

    `job` is the name of one whose steps are known (`jobs.steps`); others say theirs themselves, or have no numbers.
    """

    def __init__(self, console: Console, quiet: bool, job: str, *columns: ProgressColumn) -> None:
        self._quiet, self._steps, self._begun = quiet, Steps(STEPS.get(job, ())), time.monotonic()
        self._progress = Progress(
            SpinnerColumn("line", style="none"),
            TextColumn("{task.description}", markup=False),
            *map(_Counted, columns),
            _Elapsed(self._begun),
            console=console,
            transient=True,
            disable=quiet or not console.is_terminal,
        )
        self._task = self._progress.add_task("", total=None, visible=False)

    def __enter__(self) -> Self:
        return self  # nothing is drawn before the first stage: somebody may be asked for a passphrase

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def steps(self, begins: Sequence[str]) -> None:
        """Number the stages from here on."""
        self._steps = Steps(begins)

    def stage(self, text: str, total: int = 0) -> None:
        """Begin a stage; without a total nothing is counted, and the time alone runs."""
        number = self._steps.number(text)
        says = f"step {number}: {clean(text)}" if number else clean(text)
        LOG.info("%s", says)
        self._progress.tasks[0].total = total or None  # before Rich draws, which takes no total for the one before
        self._progress.reset(self._task, description=says, visible=True)
        self._progress.start()

    def advance(self, done: int) -> None:
        """Count what was done."""
        self._progress.advance(self._task, done)

    def tell(self, text: str) -> None:
        """A sentence that stays above the line, also where no line is drawn."""
        LOG.debug("%s", text)
        if not self._quiet:
            self._progress.console.print(clean(text), soft_wrap=True)


class _Elapsed(ProgressColumn):
    """How long the run has taken, all its steps together."""

    def __init__(self, begun: float) -> None:
        super().__init__()
        self._begun = begun

    def render(self, task: Task) -> Text:  # noqa: ARG002
        """As people say it, to the second."""
        return Text(duration(int(time.monotonic() - self._begun)).replace(".0 s", " s"), style="progress.elapsed")


class Bar(_Line):
    """A `Progress`: bytes, bytes per second and time left, where bytes flow."""

    def __init__(self, console: Console, quiet: bool = False, job: str = "") -> None:
        counted = DownloadColumn(binary_units=False), TransferSpeedColumn(), TimeRemainingColumn()
        super().__init__(console, quiet, job, BarColumn(bar_width=16), *counted)


class CountBar(_Line):
    """A `Progress`: answers (or tensors of a merge in memory), and the time that they took and will take."""

    def __init__(self, console: Console, quiet: bool = False, job: str = "") -> None:
        super().__init__(console, quiet, job, BarColumn(bar_width=16), MofNCompleteColumn(), TimeRemainingColumn())
