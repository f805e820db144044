"""`modelprov demo`: builds a small family with a known history and settles each case, offline."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from modelprov.cli.main import app
from modelprov.errors import UsageError

CASES = ("rio", "rio-trained", "rio-bf16", "nex", "stranger")


@app.command()
def demo(
    folder: Annotated[Path, typer.Option("--folder", "-o", help="Where the family and the report go.")] = Path(
        "modelprov-demo"
    ),
    seed: Annotated[int, typer.Option(min=0, help="Another family.")] = 0,
) -> None:
    """Build a family of small models (a base, a finetune, merges, a stranger) and say where each came from.

    Takes about ten seconds and 100 MB of disk; needs no network. The names are those of the case that the tool was
    made for; the weights are invented.
    """
    from rich.console import Console
    from rich.table import Table

    from modelprov.checkpoints.opening import read_json_object
    from modelprov.cli.compare import run, show, write
    from modelprov.cli.progress import Bar
    from modelprov.demo.family import MEMBERS, RECIPE, Family, build_family
    from modelprov.demo.layout import SMALL
    from modelprov.forensics.compare import Options

    console = Console()
    if (folder / RECIPE).exists():
        made_from = read_json_object(folder / RECIPE).get("seed")
        if made_from != seed:
            raise UsageError(
                f"the family in {folder} was made from seed {made_from}, not {seed}", "Choose another folder."
            )
        family = Family(folder, seed, SMALL)
        console.print(f"Using the family in {folder} (delete the folder to build it anew).")
    else:
        with Bar(Console(stderr=True)) as bar:
            bar.stage("building a family of small models")
            family = build_family(folder, seed, SMALL, lambda name, *_: bar.stage(f"built {name}"))
    table = Table("suspect", "its true history", "verdict", title="Each compared with nex and qwen, control: sibling")
    reports = {}
    for case in CASES:
        suspect = family.folder / case
        parents = [family.qwen] if case == "nex" else [family.nex, family.qwen]
        locations = [str(suspect), *map(str, parents)]
        control = [] if case == "nex" else [str(family.sibling)]
        command = shlex.join(["modelprov", "compare", *locations, *(w for one in control for w in ("--control", one))])
        reports[case] = run(locations, control, Options(seed=seed), command)
        table.add_row(case, MEMBERS[case], str(reports[case].verdict.class_))
    page = folder / "report.html"
    write(reports["rio"], {"html": page, "json": folder / "report.json", "markdown": folder / "report.md"})
    show(reports["rio"], console)
    console.print(table)
    console.print(f"\nVerdict on rio: [bold]{reports['rio'].verdict.class_}[/]. {reports['rio'].verdict.summary}")
    console.print(f"Report: {page}", soft_wrap=True)
