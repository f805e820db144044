"""The `modelprov` command: its subcommands, and the one place where errors become words and exit codes."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import sys
import threading
import traceback
from typing import Annotated, NoReturn

import typer

from modelprov import __version__
from modelprov.errors import CouldNotJudgeError, InterruptedRunError, ModelprovError, UnreadableFileError

STOPPED = InterruptedRunError.exit_code

app = typer.Typer(
    name="modelprov",
    help="""Say, from the weights themselves, where a language model came from.

    Start with: [bold]modelprov demo[/]  (builds a small family of models and compares them; no network)

    Then: [bold]modelprov compare SUSPECT PARENT BASE[/]""",
    epilog="Exit codes: 0 nothing found, 1 findings (a copy or merge), 2 bad usage or input, 3 could not judge.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"modelprov {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")] = False,
) -> None:
    """Take the options that belong to no subcommand."""


def main() -> NoReturn:
    """Run the command; every expected failure ends in one message that says what to do next."""
    # Before numpy is imported: the estimators' small products run faster without BLAS threads beside our own.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from modelprov.cli import attest, check, compare, demo, eval, inspect, merge, probe, report, report_combine, verify  # noqa: A004, F401  (they add themselves)

    _prepare_process()
    try:
        app(standalone_mode=True)
    except ModelprovError as error:
        fail(error)
    except SystemExit as leaving:
        if leaving.code == STOPPED:  # typer has already swallowed the KeyboardInterrupt
            fail(
                InterruptedRunError(
                    "stopped by the user",
                    "Run the command again; no unfinished file was left, and finished parts are used again.",
                )
            )
        raise
    except OSError as error:  # such as a full disk under standard output
        fail(UnreadableFileError(f"the system refused to read or write: {error}", "Check the disk and permissions."))
    except MemoryError as error:
        fail(ModelprovError(f"there is not enough memory ({error})", "Try a smaller --memory and fewer --threads."))
    except Exception:  # a fault of ours must not look like a finding (1)
        traceback.print_exc()
        fail(
            CouldNotJudgeError("this is a fault of modelprov; nothing was concluded", "Please report the lines above.")
        )
    sys.exit(0)


def _prepare_process() -> None:
    """Die of a closed pipe (`| head`) as other programs do: status 141, which is no verdict; and never die silently.

    A mapped shard that is cut short at the wrong moment ends any program with SIGBUS: then at least say where.
    """
    if hasattr(signal, "SIGPIPE") and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    with contextlib.suppress(OSError, ValueError, RuntimeError, AttributeError):  # no standard error to write to
        faulthandler.enable()


def fail(error: ModelprovError) -> NoReturn:
    """Say what went wrong and what to do, on standard error, and leave with the error's exit code."""
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(Text("error: ", style="bold red") + Text(error.message))
    if error.advice:
        console.print(Text("  → " if console.encoding.lower().startswith("utf") else "  -> ") + Text(error.advice))
    sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
