"""The `modelprov` command: the one place where errors become words and exit codes."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import sys
import traceback
from typing import NoReturn

from modelprov.cli.app import app, prepare_help
from modelprov.cli.closed_pipe import leave_quietly
from modelprov.cli.options.completion import ASKED, join_what_bash_parted
from modelprov.cli.process import collect_seldom
from modelprov.cli.terminal import terminal
from modelprov.errors import CouldNotJudgeError, InterruptedRunError, ModelprovError, UnreadableFileError
from modelprov.foreign.shown import clean

STOPPED = InterruptedRunError.exit_code


def main() -> NoReturn:
    """Run the command; a reader that has left ends it quietly, whatever else would have been its status."""
    try:
        try:
            _run()
        finally:
            sys.stdout.flush()  # here, and not when the interpreter ends, where nobody could say what it means
    except BrokenPipeError:
        leave_quietly()


def _run() -> NoReturn:
    """Run the command; every expected failure ends in one message that says what to do next."""
    # Before numpy is imported: the estimators' small products run faster without BLAS threads beside our own.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Before pydantic is: looking for its plugins reads the metadata of every package that is installed.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    _prepare_process()
    collect_seldom()
    if ASKED in os.environ:
        join_what_bash_parted()
    if len(sys.argv) == 1 or not {"-h", "--help"}.isdisjoint(sys.argv):
        prepare_help()
    try:
        app(standalone_mode=True)
    except ModelprovError as error:
        fail(error)
    except SystemExit as leaving:
        if leaving.code == STOPPED:  # typer has already swallowed the KeyboardInterrupt
            fail(
                InterruptedRunError(
                    "stopped by the user",
                    "Run the command again; no unfinished file was left. `merge`, `library`, --resume and --log go on "
                    "from what is finished.",
                )
            )
        raise
    except OSError as error:  # such as a full disk under standard output
        fail(UnreadableFileError(f"the system refused to read or write: {error}", "Check the disk and permissions."))
    except MemoryError as error:
        fail(ModelprovError(f"there is not enough memory ({error})", "Try a smaller --memory and fewer --threads."))
    except Exception:  # a fault of ours must not look like a finding (1)
        sys.stderr.write(clean(traceback.format_exc(), "\n"))
        fail(
            CouldNotJudgeError("this is a fault of modelprov; nothing was concluded", "Please report the lines above.")
        )
    sys.exit(0)


def _prepare_process() -> None:
    """Never die silently.

    A mapped shard that is cut short at the wrong moment ends any program with SIGBUS: then at least say where.
    """
    with contextlib.suppress(OSError, ValueError, RuntimeError, AttributeError):  # no standard error to write to
        faulthandler.enable()


def fail(error: ModelprovError) -> NoReturn:
    """Say what went wrong and what to do, on standard error, and leave with the error's exit code."""
    from rich.text import Text

    console = terminal(error=True, wrap=False)
    console.print(Text("error: ", style="bold red") + Text(clean(error.message)))
    if error.advice:
        console.print(
            Text("  → " if console.encoding.lower().startswith("utf") else "  -> ") + Text(clean(error.advice))
        )
    sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
