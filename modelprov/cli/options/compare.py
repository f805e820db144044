"""The options of `modelprov compare`. Types with help; runs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from modelprov.called import ENGINES
from modelprov.cli.options.completion import among
from modelprov.cli.options.shared import size

Checkpoints = Annotated[
    list[str],
    typer.Argument(
        metavar="SUSPECT PARENT [PARENT ...]",
        help="The model in question, then one or more possible sources. The last is the reference, usually the "
        "common base. Each is a folder, a .safetensors file, an org/name on the Hugging Face Hub, an address "
        "(https://, s3://, gs://), BASE+ADAPTER, or a merge recipe (.yml). Of what is not on this machine a sample is "
        "read.",
        show_default=False,
    ),
]
Reference = Annotated[str | None, typer.Option(metavar="CKPT", help="Which parent is the reference, if not the last.")]
Candidates = Annotated[
    list[str] | None,
    typer.Option(
        "--candidates", "-c", metavar="CKPT",
        help="A model that may be in it beside the parents, held against what they leave unexplained. Repeat.",
    ),
]  # fmt: skip
Control = Annotated[
    list[str] | None,
    typer.Option(metavar="CKPT", help="An unsuspected finetune of the same base; gets the same numbers. Repeat."),
]
Sample = Annotated[bool, typer.Option("--sample", help="Read only a few MB of each, and say what share.")]
SampleSize = Annotated[
    int,
    typer.Option(metavar="SIZE", parser=size("--sample-size"), help="What --sample reads of each checkpoint, about."),
]
Full = Annotated[
    bool, typer.Option("--full", help="Read every weight, also of checkpoints that are not on this machine.")
]
Budget = Annotated[
    int | None,
    typer.Option(
        metavar="SIZE", parser=size("--budget"), help="Most to fetch over the network, e.g. 500M (default: any)."
    ),
]
Thorough = Annotated[
    bool, typer.Option("--thorough", help="Look for other coordinates (reordered, rotated, stacked) in any case.")
]
Alignment = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Undo other coordinates as this file says (--save-alignment).")
]
SaveAlignment = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write what was undone, if anything, for others to check.")
]
Part = Annotated[
    str | None,
    typer.Option(metavar="I/N", help="Do part I of N only, and write its sums to --output; `modelprov add` takes all."),
]
Parts = Annotated[
    list[str],
    typer.Argument(metavar="FILE [FILE ...]", help="What `compare --part` wrote, of all parts.", show_default=False),
]
Output = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where --part writes its sums.")]
Resume = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Keep sums in FILE every minute; go on from what a stopped run left there."),
]
Engine = Annotated[
    str,
    typer.Option(
        metavar="|".join(ENGINES),
        autocompletion=among(ENGINES),
        help="Who reads: this machine, or a Ray cluster that sees the files.",
    ),
]
Address = Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Of the Ray cluster (default: RAY_ADDRESS).")]
Seed = Annotated[int, typer.Option(min=0, help="Chooses the sampled blocks; written into the report.")]
Reading = Annotated[str, typer.Option(metavar="auto|map|direct|buffered", help="How files are read.", hidden=True)]

SAMPLE_SIZE: Any = "16M"  # as the help shows it; what the command hears is bytes
