"""The one way to the terminal: on these consoles foreign text is text, whatever stands in it. Words come from others.

Names, labels, settings and messages of other programs come from files that strangers wrote. Nothing here reads Rich's
markup in them, and no control or bidirectional character leaves here, wherever in a table or panel it stood.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

import typer

from modelprov.cli.closed_pipe import leave_quietly
from modelprov.errors import UsageError
from modelprov.foreign.shown import clean

if TYPE_CHECKING:
    from rich.console import Console

WHITE = "\n\t"


def terminal(*, error: bool = False, wrap: bool = True) -> Console:
    """A console on standard output (or error); `wrap` False leaves long lines to the terminal."""
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    class Plain(Console):
        """Cleans every segment as it leaves, after layout; Rich's own control codes (bars, cursor) are kept apart."""

        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
            for segment in super().render(renderable, options):
                if segment.control or segment.text.isprintable():
                    yield segment
                else:
                    yield Segment(clean(segment.text, WHITE), segment.style)

        def on_broken_pipe(self) -> None:
            """Leave as `| head` asks; Rich would with 1, a finding."""
            leave_quietly()

    return Plain(stderr=error, markup=False, emoji=False, highlight=False, soft_wrap=not wrap)


def say(text: str) -> None:
    """One line on standard error; a line feed in the text does not begin another."""
    typer.echo(clean(text, "\t"), err=True)


def say_exact(text: str) -> None:
    """Text for another program (a diff for `patch`), on standard output as it is; on a terminal, cleaned."""
    typer.echo(clean(text, WHITE) if sys.stdout.isatty() else text, nl=False)


def ask_passphrase() -> str:
    """The passphrase of a key, typed unseen; `UsageError` where nobody can type."""
    if not sys.stdin.isatty():
        raise UsageError(
            "the key has a passphrase, and there is no terminal to ask for it", "Run the command in a terminal."
        )
    return str(typer.prompt("Passphrase of the key", hide_input=True, err=True))
