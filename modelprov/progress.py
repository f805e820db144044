"""How a run says how far it has come: the one `Progress`, and the one that says nothing. Shows nothing itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol, runtime_checkable


class Progress(Protocol):
    """Hears how far a run has come; called from any thread."""

    def stage(self, text: str, total: int = 0, /) -> None:
        """A new stage begins, of `total` bytes (where models run, answers or tensors); 0 where nothing is counted."""
        ...

    def advance(self, done: int, /) -> None:
        """So many more of them are done."""
        ...


@runtime_checkable
class Telling(Progress, Protocol):
    """A `Progress` that hears sentences too: what a run is about to do, and what it did."""

    def tell(self, text: str, /) -> None:
        """A sentence that stays."""
        ...


def tell(progress: Progress, text: str) -> None:
    """Tell it to whoever hears sentences."""
    if isinstance(progress, Telling):
        progress.tell(text)


@runtime_checkable
class Planned(Progress, Protocol):
    """A `Progress` that numbers the steps of a run."""

    def steps(self, begins: Sequence[str], /) -> None:
        """The beginnings of the stages that this run will have (`Steps`)."""
        ...


def announce(progress: Progress, begins: Sequence[str]) -> None:
    """Say which steps the run will have to whoever numbers them: of a job whose steps hang on what is asked."""
    if isinstance(progress, Planned):
        progress.steps(begins)


def numbered(text: str, place: int, total: int) -> str:
    """The text with its place among several, counted from 1: "control sibling (2 of 5)"; alone, as it is."""
    return f"{text} ({place} of {total})" if total > 1 else text


class Steps:
    """Numbers the stages of a run: "2 of 5".

    `begins` are the beginnings of the stages that every such run has, in their order. A stage that begins like none of
    those that are still to come belongs to the step before it: what is done only where something was found, or inside.
    Without `begins`, or with a single one, nothing is numbered.
    """

    def __init__(self, begins: Sequence[str] = ()) -> None:
        self._begins, self._at = tuple(begins), 0

    def number(self, text: str) -> str:
        """That of the stage which now begins, "" where there is none."""
        if len(self._begins) < 2:
            return ""
        later = range(max(self._at, 1), len(self._begins) + 1)
        alike = [place for place in later if text.startswith(self._begins[place - 1])]
        # of "rio: cot" and "rio: cot, 64 tokens", the one that says more
        self._at = max(alike, key=lambda place: len(self._begins[place - 1]), default=max(self._at, 1))
        return f"{self._at} of {len(self._begins)}"


class Within:
    """The `Progress` of a run inside another: its stages say first what they are for, and which of several that is."""

    def __init__(self, progress: Progress, about: str, place: int = 1, total: int = 1) -> None:
        self._progress, self._about = progress, numbered(about, place, total)
        progress.stage(self._about)

    def stage(self, text: str, total: int = 0, /) -> None:
        """A stage of the run inside."""
        self._progress.stage(f"{self._about}: {text}", total)

    def advance(self, done: int, /) -> None:
        """As the progress outside counts it."""
        self._progress.advance(done)

    def tell(self, text: str, /) -> None:
        """A sentence for whoever hears them."""
        tell(self._progress, text)


class Silent:
    """A `Progress` that nobody watches."""

    def stage(self, text: str, total: int = 0, /) -> None:
        """Say nothing."""

    def advance(self, done: int, /) -> None:
        """Say nothing."""


SILENT: Final[Progress] = Silent()
