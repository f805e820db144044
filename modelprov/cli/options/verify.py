"""The options of `modelprov verify`. Types with help; runs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from modelprov.cli.options.completion import arithmetics

Suspect = Annotated[
    str, typer.Argument(metavar="SUSPECT", help="A folder, a .safetensors file, org/name, an address, or BASE+ADAPTER.")
]
Recipe = Annotated[
    Path, typer.Option(metavar="RECIPE.yml", help="A merge recipe: mergekit's YAML, or what `compare` found.")
]
Arithmetic = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        autocompletion=arithmetics,
        help="Instead of the recipe's, which is the default: see `modelprov merge --help`.",
    ),
]
Missing = Annotated[
    str | None,
    typer.Option(metavar="base|copy|drop|error", help="A tensor that not every model has (default: the recipe's)."),
]
Alignment = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="See the recipe's output in SUSPECT's coordinates (compare --save-alignment)."),
]
