"""`modelprov verify`: is this checkpoint what this recipe makes? Parses, calls the job, renders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from modelprov.cli.app import app
from modelprov.cli.compare import parse_size
from modelprov.cli.terminal import terminal
from modelprov.jobs.arguments import MISSING, refuse_other


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
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write JSON to FILE; `-` is standard output.")
    ] = None,
    memory: Annotated[str, typer.Option(metavar="SIZE", help="Most memory for buffers.")] = "512M",
    threads: Annotated[int | None, typer.Option(min=1, help="Threads (default: all cores).")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no terminal report.")] = False,
) -> None:
    """Check a claim such as "this is 0.6 A + 0.4 B", bit for bit, without writing the merge.

    Computes the recipe's output block by block and compares it with every weight of SUSPECT. Says the share of equal
    elements, where it differs, and whether another arithmetic fits better.

    Exit codes: 0 reproduced (every bit), 1 not reproduced, 2 bad usage or input, 3 could not judge.

    Example: modelprov verify ./rio --recipe recipe.yml --json verification.json
    """
    from modelprov.cli.progress import Bar
    from modelprov.jobs.verify import verify as verify_recipe
    from modelprov.reports.comparison.verification import print_verification, render_verification_json
    from modelprov.reports.writing import write_atomically

    if missing is not None:
        refuse_other("--missing", missing, MISSING)
    size = parse_size(memory, "--memory")
    with Bar(terminal(error=True), quiet) as bar:
        found = verify_recipe(
            suspect, recipe, arithmetic=arithmetic, missing=missing, memory=size, threads=threads, progress=bar
        )
    if json_file is not None:
        write_atomically(json_file, render_verification_json(found.verification, found.about()))
    if not quiet and str(json_file) != "-":
        print_verification(found.verification, found.suspect.label, recipe.name, found.plan.arithmetic, terminal())
    raise typer.Exit(0 if found.reproduced else 1)
