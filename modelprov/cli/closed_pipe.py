"""When whoever reads our output has left (`| head`): the command ends, quietly, as other programs do. Prints nothing.

SIGPIPE stays ignored, as Python has it: else a server that hangs up while something is sent to it ends the command
without a word.
"""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from modelprov.errors import UnreadableFileError

STATUS = 141
"""What a shell calls the end by SIGPIPE, 128 + 13; no verdict ends so."""


def reader_left() -> bool:
    """Whether nobody reads standard output, or standard error, any more."""
    return any(_closed(stream.fileno()) for stream in (sys.__stdout__, sys.__stderr__) if stream is not None)


def _closed(output: int) -> bool:
    if not hasattr(select, "poll"):  # on Windows: then a broken pipe is taken for that of the output
        return True
    poll = select.poll()
    poll.register(output, select.POLLOUT)
    return any(said & (select.POLLERR | select.POLLHUP) for _, said in poll.poll(0))


def leave_quietly() -> NoReturn:
    """End the command; what is still to be written goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None and _closed(stream.fileno()):
            os.dup2(nowhere, stream.fileno())
    sys.exit(STATUS)


@contextmanager
def told_of_broken_pipes() -> Iterator[None]:
    """Of a pipe that breaks say which it was, where typer would leave with 1, a finding.

    Raises `UnreadableFileError` for one that is not ours to write to.
    """
    try:
        yield
    except BrokenPipeError as error:
        if reader_left():
            leave_quietly()
        raise UnreadableFileError(
            "a server or program hung up while something was sent to it", "Run the command again."
        ) from error
