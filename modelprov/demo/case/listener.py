"""Who hears what the demo does: each step, shown as the command to type, and what came of it. Prints nothing itself."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from modelprov.progress import Progress


class Listener(Protocol):
    """Hears a demo as it goes: the terminal of the command, or nobody."""

    def say(self, text: str, *, unbroken: bool = False) -> None:
        """A sentence; one that holds a path stays `unbroken`."""
        ...

    def command(self, words: Sequence[str]) -> None:
        """The command that does what comes next; its words are quoted for a shell."""
        ...

    def verdict(self, model: str, verdict: str) -> None:
        """What was found about a model."""
        ...

    def table(self, title: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Several findings side by side."""
        ...

    def progress(self, *, answers: bool = False) -> AbstractContextManager[Progress]:
        """How far one step has come, in bytes or in answers."""
        ...


def begin(listener: Listener, *words: object) -> str:
    """Tell the command that does what comes next, and give it."""
    quoted = ["modelprov", *(shlex.quote(str(word)) for word in words)]
    listener.command(quoted)
    return " ".join(quoted)


def each(option: str, values: Iterable[object]) -> Iterator[object]:
    """An option once for each value."""
    for value in values:
        yield from (option, value)
