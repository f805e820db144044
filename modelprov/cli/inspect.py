"""`modelprov inspect`: parses, calls the job, publishes."""

from __future__ import annotations

from modelprov.cli.options import inspect as options
from modelprov.cli.options import shared
from modelprov.cli.outputs import asked
from modelprov.cli.terminal import terminal


def inspect(checkpoint: options.Checkpoint, json_file: shared.Json = None, digest: options.Digest = False) -> None:
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
