"""`modelprov inspect`: parses, calls the job, shows what came back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from modelprov.cli.app import app
from modelprov.cli.terminal import terminal


@app.command()
def inspect(
    checkpoint: Annotated[
        str, typer.Argument(metavar="CKPT", help="A folder, a .safetensors file, org/name, or a merge recipe (.yml).")
    ],
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write JSON to FILE; `-` is standard output.")
    ] = None,
    digest: Annotated[
        bool, typer.Option("--digest", help="Also hash every byte of the weights (reads all of them).")
    ] = False,
) -> None:
    """Show what a checkpoint is: parameters, formats, layers, experts, shards, digests. Reads headers only."""
    from modelprov.cli.progress import Bar
    from modelprov.jobs.inspect import inspect as inspect_checkpoint
    from modelprov.reports.comparison.inspection import print_inspection, render_inspection_json
    from modelprov.reports.writing import write_atomically

    with Bar(terminal(error=True)) as bar:
        found = inspect_checkpoint(checkpoint, digest=digest, progress=bar)
    if json_file is not None:
        write_atomically(json_file, render_inspection_json(found))
    if json_file is None or str(json_file) != "-":
        print_inspection(found, terminal())
