"""`modelprov inspect`: what a checkpoint is, from its headers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modelprov.cli.app import app
from modelprov.cli.terminal import terminal

if TYPE_CHECKING:
    from modelprov.checkpoints.types import Checkpoint


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
    from modelprov.checkpoints.inspection import inspect_checkpoint
    from modelprov.merge.virtual import open_any
    from modelprov.reports.inspection import print_inspection, render_inspection_json
    from modelprov.reports.writing import write_atomically

    opened = open_any(checkpoint)
    found = inspect_checkpoint(opened)
    weights = _hash(opened) if digest else None
    if json_file is not None:
        write_atomically(json_file, render_inspection_json(found, weights))
    if json_file is None or str(json_file) != "-":
        print_inspection(found, weights, terminal())


def _hash(checkpoint: Checkpoint) -> str:
    """Digest of all weights, with progress."""
    from modelprov.checkpoints.digests import weights_digest
    from modelprov.cli.progress import Bar

    with Bar(terminal(error=True)) as bar:
        bar.stage("hashing", sum(shard.size for shard in checkpoint.shards))
        return weights_digest(checkpoint, bar.advance)
