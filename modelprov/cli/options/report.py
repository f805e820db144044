"""The options of `modelprov report verify` and `modelprov report combine`. Types with help; runs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

File = Annotated[Path, typer.Argument(metavar="REPORT.json", help="What `modelprov compare --json` wrote.")]
Location = Annotated[
    list[str] | None,
    typer.Option(
        metavar="LABEL=PATH", help="Where an input (or alignment) is now, if not where the report says. Repeat."
    ),
]
Tolerance = Annotated[
    float, typer.Option(min=0, max=0.01, help="How far numbers may differ, relatively; counts and words may not.")
]

Files = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="[REPORT.json ...]", help="What `--json` of compare, check, probe and eval wrote, in any order."
    ),
]
Compare = Annotated[
    Path | None, typer.Option(metavar="FILE", help="What `modelprov compare --json` wrote: the weights.")
]
Check = Annotated[Path | None, typer.Option(metavar="FILE", help="What `modelprov check --json` wrote: the claims.")]
Probe = Annotated[
    Path | None, typer.Option(metavar="FILE", help="What `modelprov probe --json` wrote: the names it says.")
]
Evaluation = Annotated[
    Path | None, typer.Option("--eval", metavar="FILE", help="What `modelprov eval --json` wrote: the scores.")
]
