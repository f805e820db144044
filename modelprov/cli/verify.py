"""`modelprov verify`: is this checkpoint what this recipe makes? Parses, calls the job, publishes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from modelprov.cli import options
from modelprov.cli.app import app
from modelprov.cli.outputs import asked
from modelprov.cli.terminal import terminal


@app.command()
def verify(
    suspect: Annotated[str, typer.Argument(metavar="SUSPECT", help="A folder, a .safetensors file, or org/name.")],
    recipe: Annotated[
        Path, typer.Option(metavar="RECIPE.yml", help="A merge recipe: mergekit's YAML, or what `compare` found.")
    ],
    arithmetic: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Instead of the recipe's, which is the default: see `modelprov merge --help`."
        ),
    ] = None,
    missing: Annotated[
        str | None,
        typer.Option(metavar="base|copy|drop|error", help="A tensor that not every model has (default: the recipe's)."),
    ] = None,
    alignment: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="See the recipe's output in SUSPECT's coordinates (compare --save-alignment)."
        ),
    ] = None,
    json_file: options.Json = None,
    memory: options.Memory = options.MEMORY,
    threads: options.Threads = None,
    quiet: options.Quiet = False,
) -> None:
    """Check a claim such as "this is 0.6 A + 0.4 B", bit for bit, without writing the merge.

    Computes the recipe's output block by block and compares it with every weight of SUSPECT. Says the share of equal
    elements, where it differs, and whether another arithmetic fits better.

    Exit codes: 0 reproduced (every bit), 1 not reproduced, 2 bad usage or input, 3 could not judge.

    Example: modelprov verify ./rio --recipe recipe.yml --json verification.json
    """
    from modelprov.cli.progress import Bar
    from modelprov.jobs.verify import verify as job
    from modelprov.reports.comparison.verification import print_verification

    outputs = asked({"json": json_file})
    with Bar(terminal(error=True), quiet) as bar:
        found = job(
            suspect,
            recipe,
            arithmetic=arithmetic,
            missing=missing,
            alignment=alignment,
            memory=memory,
            threads=threads,
            progress=bar,
        )
    outputs.write(found.rendered)
    if not quiet and not outputs.to_stdout:
        print_verification(found.verification, found.suspect.label, recipe.name, found.plan.arithmetic, terminal())
    raise typer.Exit(0 if found.reproduced else 1)
