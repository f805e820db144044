"""How a run says how far it has come: the one `Progress`, and the one that says nothing. Shows nothing itself."""

from __future__ import annotations

from typing import Final, Protocol, runtime_checkable


class Progress(Protocol):
    """Hears how far a run has come; called from any thread."""

    def stage(self, text: str, total: int = 0, /) -> None:
        """A new stage begins, of `total` bytes (or answers, where models speak); 0 where nothing is counted."""
        ...

    def advance(self, done: int, /) -> None:
        """So many more bytes (or answers) of the stage are done."""
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


def numbered(text: str, place: int, total: int) -> str:
    """The text with its place among several, counted from 1: "control sibling (2 of 5)"; alone, as it is."""
    return f"{text} ({place} of {total})" if total > 1 else text


class Silent:
    """A `Progress` that nobody watches."""

    def stage(self, text: str, total: int = 0, /) -> None:
        """Say nothing."""

    def advance(self, done: int, /) -> None:
        """Say nothing."""


SILENT: Final[Progress] = Silent()
