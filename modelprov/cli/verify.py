"""`modelprov verify`: is this checkpoint what this recipe makes? Parses, calls the job, publishes."""

from __future__ import annotations

import typer

from modelprov.cli.options import shared
from modelprov.cli.options import verify as options
from modelprov.cli.outputs import asked
from modelprov.cli.terminal import terminal


def verify(
    suspect: options.Suspect, recipe: options.Recipe, arithmetic: options.Arithmetic = None,
    missing: options.Missing = None, alignment: options.Alignment = None, json_file: shared.Json = None,
    markdown: shared.Markdown = None, html: shared.Html = None, form: shared.Form = None, open_it: shared.Open = False,
    memory: shared.Memory = shared.MEMORY, threads: shared.Threads = None, tables: shared.Tables = False,
    quiet: shared.Quiet = False,
) -> None:  # fmt: skip
    """Check a claim such as "this is 0.6 A + 0.4 B", bit for bit, without writing the merge.

    Computes the recipe's output block by block and compares it with every weight of SUSPECT. Says the share of equal
    elements, where it differs, and whether another arithmetic fits better.

    Exit codes: 0 reproduced (every bit), 1 not reproduced, 2 bad usage or input, 3 could not judge.

    Example: modelprov verify ./rio --recipe recipe.yml --json verification.json
    """
    from modelprov.cli.progress import Bar
    from modelprov.jobs.verify import verify as job

    outputs = asked({"json": json_file, "markdown": markdown, "html": html}, form=form, open_it=open_it, tables=tables)
    with Bar(terminal(error=True), quiet, "verify") as bar:
        found = job(
            suspect, recipe, arithmetic=arithmetic, missing=missing, alignment=alignment, memory=memory,
            threads=threads, progress=bar,
        )  # fmt: skip
    outputs.publish(found, quiet=quiet)
    raise typer.Exit(0 if found.reproduced else 1)
