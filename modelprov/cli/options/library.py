"""The options of `modelprov library` and `modelprov identify`. Types with help; runs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from modelprov.cli.options.completion import entries
from modelprov.cli.options.shared import size

Library = Annotated[Path, typer.Option("--library", "-l", metavar="DIR", help="The folder of the library.")]
Checkpoint = Annotated[
    str,
    typer.Argument(
        metavar="CKPT", help="A folder, a .safetensors file, org/name, an address, or a merge recipe (.yml)."
    ),
]
Suspect = Annotated[
    str,
    typer.Argument(
        metavar="SUSPECT", help="The model in question: as `compare` takes it, or its fingerprint (.mpf).",
    ),
]  # fmt: skip
Name = Annotated[
    str | None, typer.Option(metavar="TEXT", help="What the entry is called (default: org/name or the folder's).")
]
Size = Annotated[
    int | None,
    typer.Option(metavar="SIZE", parser=size("--size"), help="Weights that each holds, about (default: 4M)."),
]
Models = Annotated[
    Path | None,
    typer.Argument(
        metavar="[FILE.toml]", help="The models (default: public bases that come along).", show_default=False
    ),
]
Limit = Annotated[
    int | None, typer.Option(min=1, help="Make at most so many now, and go on another time (default: all).")
]
Pinned = Annotated[
    bool,
    typer.Option("--toml", help="As a list for `library build`, each model at the revision that is held here."),
]
Source = Annotated[
    str, typer.Argument(metavar="FROM", help="A folder with a library, its web address, or hf://datasets/org/name.")
]
Target = Annotated[str, typer.Argument(metavar="TO", help="The folder that gets it, or hf://datasets/org/name.")]
LeaveOut = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME", autocompletion=entries, help="An entry to leave out, such as the suspect's own. Repeat."
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="Chooses what is drawn; written into the answer.")]
