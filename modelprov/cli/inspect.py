"""`modelprov inspect`: parses, calls the job, publishes."""

from __future__ import annotations

from modelprov.cli.options import inspect as options
from modelprov.cli.options import shared
from modelprov.cli.outputs import asked
from modelprov.cli.terminal import terminal


def inspect(
    checkpoint: options.Checkpoint, json_file: shared.Json = None, markdown: shared.Markdown = None,
    html: shared.Html = None, form: shared.Form = None, open_it: shared.Open = False, digest: options.Digest = False,
    tables: shared.Tables = False,
) -> None:  # fmt: skip
    """Show what a checkpoint is: parameters, formats, layers, experts, shards, digests. Reads headers only."""
    from modelprov.cli.progress import Bar
    from modelprov.jobs.inspect import inspect as job

    outputs = asked({"json": json_file, "markdown": markdown, "html": html}, form=form, open_it=open_it, tables=tables)
    with Bar(terminal(error=True)) as bar:
        found = job(checkpoint, digest=digest, progress=bar)
    outputs.publish(found, quiet=False)
