"""Shows how far a run has come, on standard error, so that results on standard output stay clean."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from modelprov.foreign.shown import clean


class _Line:
    """One line that says the stage and how much of it is done; silent where nobody watches."""

    def __init__(self, console: Console, quiet: bool, *columns: ProgressColumn) -> None:
        self._quiet = quiet
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            *columns,
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

    def stage(self, text: str, total: int = 0) -> None:
        """Begin a stage; without a total the bar only pulses."""
        self._progress.start()
        self._progress.reset(self._task, description=clean(text), total=total or None, visible=True)

    def advance(self, done: int) -> None:
        """Count what was done."""
        self._progress.advance(self._task, done)

    def tell(self, text: str) -> None:
        """A sentence that stays above the line, also where no line is drawn."""
        if not self._quiet:
            self._progress.console.print(clean(text), soft_wrap=True)


class Bar(_Line):
    """A `Progress`: bytes, bytes per second and time left, where bytes flow."""

    def __init__(self, console: Console, quiet: bool = False) -> None:
        columns = DownloadColumn(binary_units=False), TransferSpeedColumn(), TimeRemainingColumn()
        super().__init__(console, quiet, *columns)


class CountBar(_Line):
    """A `Progress`: answers, and the time that they took and will take."""

    def __init__(self, console: Console, quiet: bool = False) -> None:
        super().__init__(console, quiet, MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
