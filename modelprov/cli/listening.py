"""The demo's `Listener` on a terminal: sentences, commands, a table; bars on standard error."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.table import Table
from rich.text import Text

from modelprov.cli.progress import Bar, CountBar
from modelprov.cli.terminal import terminal
from modelprov.reports.rendering.commands import in_lines

WIDTH = 80


class Terminal:
    """Prints on standard output what a demo tells."""

    def __init__(self) -> None:
        self._console = terminal()

    def say(self, text: str, *, unbroken: bool = False) -> None:
        """Print a sentence, `unbroken` or folded at the width of the terminal."""
        self._console.print(text, soft_wrap=unbroken)

    def command(self, words: Sequence[str]) -> None:
        """Print a command in lines that fit and can be pasted."""
        self._console.print("")
        for line in in_lines(words, WIDTH, "$ "):
            self._console.print(Text(line, style="bold"), soft_wrap=True)

    def verdict(self, model: str, verdict: str) -> None:
        """Print what was found about a model, in bold."""
        self._console.print(Text(f"\nVerdict on {model}: ") + Text(verdict, "bold") + Text("."))

    def table(self, title: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Print findings side by side."""
        table = Table(*headings, title=title)
        for row in rows:
            table.add_row(*row)
        self._console.print(table)

    def progress(self, *, answers: bool = False) -> Bar | CountBar:
        """A bar on standard error, gone when its step is done."""
        return (CountBar if answers else Bar)(terminal(error=True))
