"""Shows how far a run has come, on standard error, so that results on standard output stay clean."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)


class Bar:
    """A `forensics.compare.Progress`: a line a stage, with bytes, bytes per second and time left where bytes flow."""

    def __init__(self, console: Console, quiet: bool = False) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            DownloadColumn(binary_units=False),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=quiet or not console.is_terminal,
        )
        self._task = self._progress.add_task("", total=None, visible=False)

    def __enter__(self) -> Bar:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def stage(self, text: str, total_bytes: int = 0) -> None:
        """Begin a stage; without bytes the bar only pulses."""
        self._progress.reset(self._task, description=text, total=total_bytes or None, visible=True)

    def advance(self, read: int) -> None:
        """Count bytes."""
        self._progress.advance(self._task, read)


class CountBar:
    """A `behavior.evaluation.run.Progress`: a line a stage, with its answers counted and the time left."""

    def __init__(self, console: Console, quiet: bool = False) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=quiet or not console.is_terminal,
        )
        self._task = self._progress.add_task("", total=None, visible=False)

    def __enter__(self) -> CountBar:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def stage(self, text: str, answers: int = 0) -> None:
        """Begin a stage; without answers the bar only pulses."""
        self._progress.reset(self._task, description=text, total=answers or None, visible=True)

    def advance(self, answers: int) -> None:
        """Count answers."""
        self._progress.advance(self._task, answers)
