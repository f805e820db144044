"""The options of `modelprov check`. Types with help; runs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from modelprov.cli.options.shared import FORMS, HELP_FILE, printed

Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL", help="The folder that is about to be published, or org/name, hf://, s3:// of a model."
    ),
]
Candidates = Annotated[
    list[str] | None,
    typer.Option(
        "--candidates", "-c", metavar="[NAME=]CKPT",
        help="A possible parent to compare with. NAME is what the card calls it. Repeat.",
    ),
]  # fmt: skip
Control = Annotated[
    list[str] | None, typer.Option(metavar="CKPT", help="An unsuspected finetune of the same base. Repeat.")
]
Policy = Annotated[
    Path | None, typer.Option(metavar="FILE", help="modelprov.toml (default: the nearest one above MODEL).")
]
Baseline = Annotated[Path | None, typer.Option(metavar="FILE", help="Accepted findings (JSON).")]
UpdateBaseline = Annotated[
    str | None, typer.Option(metavar="REASON", help="Accept all present findings, for this reason.")
]
Expires = Annotated[str | None, typer.Option(metavar="DAY", help="Of --update-baseline: 2027-01-31.")]
ExpectedDigest = Annotated[
    str | None,
    typer.Option(metavar="SHA256", help="Of the artefact that was evaluated, as `inspect --digest` prints it."),
]
WriteCard = Annotated[
    bool, typer.Option("--write-card", help="Propose corrected front matter as a diff on standard output.")
]
Form = Annotated[str | None, printed(FORMS)]
Sarif = Annotated[Path | None, typer.Option(metavar="FILE", help=HELP_FILE.format("SARIF 2.1.0"))]
Junit = Annotated[Path | None, typer.Option(metavar="FILE", help=HELP_FILE.format("JUnit XML"))]
Sample = Annotated[bool, typer.Option("--sample", help="Compare a few MB of each checkpoint only.")]
Seed = Annotated[int, typer.Option(min=0, help="Chooses the sampled blocks.")]
