"""`| head` ends a command quietly with 141; a server that hangs up ends it with words. Neither is a verdict."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli.conftest import MAIN, program

HUNG_UP = """
import socket
import modelprov.jobs.inspect as job
def send(*arguments, **settings):
    ours, theirs = socket.socketpair()
    theirs.close()
    ours.sendall(b"a request")
job.inspect = send
"""

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGPIPE")


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        (("--version",), {}),
        (("--help",), {}),
        (("inspect", "rio"), {}),
        (("inspect", "rio"), {"PYTHONUNBUFFERED": "1"}),
    ],
    ids=["an option", "help", "a table", "a table, line by line"],
)
def test_a_reader_that_leaves_ends_the_command_quietly(
    words: tuple[str, ...], settings: dict[str, str], models: Path
) -> None:
    running = program(MAIN, *(models / each if each == "rio" else each for each in words), **settings)
    assert running.stdout is not None
    running.stdout.close()
    assert running.stderr is not None
    assert running.stderr.read() == ""
    assert running.wait(60) == 141


def test_a_server_that_hangs_up_does_not_end_the_command_silently(models: Path) -> None:
    running = program(HUNG_UP + MAIN, "inspect", models / "rio")
    out, err = running.communicate(timeout=60)
    assert running.returncode == 2
    assert out == ""
    assert err.startswith("error: a server or program hung up while something was sent to it\n")
