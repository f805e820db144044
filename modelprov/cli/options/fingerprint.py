"""The options of `modelprov fingerprint`. Types with help; runs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from modelprov.cli.options.shared import size

Checkpoint = Annotated[
    str,
    typer.Argument(
        metavar="CKPT", help="A folder, a .safetensors file, org/name, an address, or a merge recipe (.yml)."
    ),
]
Output = Annotated[Path, typer.Option("--output", "-o", metavar="FILE.mpf", help="Where to write it.")]
Size = Annotated[
    int | None,
    typer.Option(
        metavar="SIZE", parser=size("--size"),
        help="Weights that it holds, about (default: 4M; of models below 400 MB a hundredth, at least 256K).",
    ),
]  # fmt: skip
Seed = Annotated[
    int, typer.Option(min=0, help="Chooses the places. Fingerprints of one seed can be compared with each other.")
]
Name = Annotated[
    str | None, typer.Option(metavar="TEXT", help="What it says it is of (default: org/name or the folder's).")
]
