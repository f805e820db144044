"""`modelprov report verify`: does a report hold, computed anew from its inputs? Parses, calls the job, publishes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from modelprov.cli import options
from modelprov.cli.app import app
from modelprov.cli.outputs import asked
from modelprov.cli.terminal import terminal

report_app = typer.Typer(name="report", help="Check what reports say, or put them on one page.", no_args_is_help=True)
app.add_typer(report_app)


@report_app.callback()
def group() -> None:
    """Check what a report of `modelprov compare` says, or put reports of one model on one page."""


@report_app.command()
def verify(
    file: Annotated[Path, typer.Argument(metavar="REPORT.json", help="What `modelprov compare --json` wrote.")],
    location: Annotated[
        list[str] | None,
        typer.Option(metavar="LABEL=PATH", help="Where an input is now, if not where the report says. Repeat."),
    ] = None,
    tolerance: Annotated[
        float, typer.Option(min=0, max=0.01, help="How far numbers may differ, relatively; counts and words may not.")
    ] = 1e-9,
    json_file: options.Json = None,
    memory: options.Memory = options.MEMORY,
    threads: options.Threads = None,
    device: options.Device = "auto",
    quiet: options.Quiet = False,
) -> None:
    """Compute a report anew from the inputs it names, and say claim by claim what holds.

    Opens every input where the report says (or where --location says), compares the digests, repeats the comparison
    with the report's seed and mode, and compares every number and word. A report that was edited by hand does not
    pass; neither does one whose inputs have changed.

    Exit codes: 0 every claim holds, 1 something differs, 2 bad usage or input, 3 an input is missing.

    Example: modelprov report verify report.json --location rio=/data/rio
    """
    from modelprov.cli.progress import Bar
    from modelprov.jobs.recheck import recheck as job
    from modelprov.reports.evidence.rechecking_words import print_recheck

    outputs = asked({"json": json_file})
    with Bar(terminal(error=True), quiet) as bar:
        found = job(
            file, location=location or (), tolerance=tolerance, memory=memory, threads=threads, device=device,
            progress=bar,
        )  # fmt: skip
    outputs.write(found.rendered)
    if not quiet and not outputs.to_stdout:
        print_recheck(found.found, found.file, found.notes, terminal())
    raise typer.Exit(0 if found.holds else 1)
