"""`--verbose`: what a run does, line by line, on standard error. Of this program only; libraries log what they send."""

from __future__ import annotations

import logging
from typing import Annotated, Any

import typer

from modelprov.foreign.shown import clean

NAME = "modelprov"
LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)


class _Cleaned(logging.Formatter):
    """A line for each record, with the seconds since the program began; foreign text in it is shown, never obeyed."""

    def format(self, record: logging.LogRecord) -> str:
        seconds = record.relativeCreated / 1000
        return f"{seconds:8.2f} s  {record.levelname.lower():7}  {clean(record.getMessage())}"


def listen(times: int) -> None:
    """Show what is logged: warnings, once what is done, twice the details too."""
    if times < 1:
        return
    handler = logging.StreamHandler()
    handler.setFormatter(_Cleaned())
    logger = logging.getLogger(NAME)
    logger.handlers = [handler]
    logger.setLevel(LEVELS[min(times, len(LEVELS) - 1)])
    logger.propagate = False


Verbose = Annotated[
    int,
    typer.Option(
        "--verbose", "-v", count=True, callback=listen,
        help="Say what is done, and when, on standard error; twice: in detail.",
    ),
]  # fmt: skip


def option() -> Any:
    """The option, for a command that need not know of it."""
    holder = typer.Typer(add_completion=False)

    @holder.command()
    def with_it(verbose: Verbose = 0) -> None:
        pass

    made = next(each for each in typer.main.get_command(holder).params if each.name == "verbose")
    made.expose_value = False
    return made
