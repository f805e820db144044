"""`modelprov report verify`: does a report hold, computed anew from its inputs? Parses, calls the job, publishes."""

from __future__ import annotations

import typer

from modelprov.cli.options import report as options
from modelprov.cli.options import shared
from modelprov.cli.outputs import asked
from modelprov.cli.terminal import terminal


def verify(
    file: options.File, location: options.Location = None, tolerance: options.Tolerance = 1e-9,
    json_file: shared.Json = None, markdown: shared.Markdown = None, html: shared.Html = None, form: shared.Form = None,
    open_it: shared.Open = False, memory: shared.Memory = shared.MEMORY, threads: shared.Threads = None,
    device: shared.Device = "auto", quiet: shared.Quiet = False,
) -> None:  # fmt: skip
    """Compute a report anew from the inputs it names, and say claim by claim what holds.

    Opens every input where the report says (or where --location says), compares the digests, repeats the comparison
    with the report's seed and mode, and compares every number and word. A report that was edited by hand does not
    pass; neither does one whose inputs have changed.

    Exit codes: 0 every claim holds, 1 something differs, 2 bad usage or input, 3 an input is missing.

    Example: modelprov report verify report.json --location rio=/data/rio
    """
    from modelprov.cli.progress import Bar
    from modelprov.jobs.recheck import recheck as job

    outputs = asked({"json": json_file, "markdown": markdown, "html": html}, form=form, open_it=open_it, read=[file])
    with Bar(terminal(error=True), quiet, "recheck") as bar:
        found = job(
            file, location=location or (), tolerance=tolerance, memory=memory, threads=threads, device=device,
            progress=bar,
        )  # fmt: skip
    outputs.publish(found, quiet=quiet)
    raise typer.Exit(0 if found.holds else 1)
