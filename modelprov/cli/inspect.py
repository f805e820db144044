"""`modelprov inspect`: parses, calls the job, publishes."""

from __future__ import annotations

from typing import Annotated

import typer

from modelprov.cli import options
from modelprov.cli.app import app
from modelprov.cli.outputs import asked
from modelprov.cli.terminal import terminal


@app.command()
def inspect(
    checkpoint: Annotated[
        str, typer.Argument(metavar="CKPT", help="A folder, a .safetensors file, org/name, or a merge recipe (.yml).")
    ],
    json_file: options.Json = None,
    digest: Annotated[
        bool, typer.Option("--digest", help="Also hash every byte of the weights (reads all of them).")
    ] = False,
) -> None:
    """Show what a checkpoint is: parameters, formats, layers, experts, shards, digests. Reads headers only."""
    from modelprov.cli.progress import Bar
    from modelprov.jobs.inspect import inspect as job
    from modelprov.reports.comparison.inspection import print_inspection

    outputs = asked({"json": json_file})
    with Bar(terminal(error=True)) as bar:
        found = job(checkpoint, digest=digest, progress=bar)
    outputs.write(found.rendered)
    if not outputs.to_stdout:
        print_inspection(found, terminal())
