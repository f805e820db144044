"""The options of `modelprov merge`. Types with help, and what the words mean; runs nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from modelprov.called import DEVICES
from modelprov.cli.options.completion import among, arithmetics
from modelprov.cli.options.shared import size
from modelprov.errors import UsageError
from modelprov.jobs.arguments import MISSING, Location

Words = Annotated[
    list[str],
    typer.Argument(
        metavar="RECIPE.yml OUT  |  --linear MODEL=WEIGHT ... OUT",
        help="A recipe file (mergekit's YAML) and the folder to make; or, with --linear, models with their weights "
        "and the folder.",
        show_default=False,
    ),
]
Linear = Annotated[bool, typer.Option("--linear", help="A weighted mean, without a recipe file.")]
Arithmetic = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        autocompletion=arithmetics,
        help="Exact arithmetic: float32, float32-fused, float64, bf16-stepwise, mergekit-0.1.4, mergekit-0.1.5; "
        "default: the recipe's, else mergekit-0.1.5 (--linear: float32).",
    ),
]
Missing = Annotated[
    str | None,
    typer.Option(
        metavar="|".join(MISSING),
        autocompletion=among(MISSING),
        help="A tensor that not every model has: copy it if only the base has it (default), copy it from whoever has "
        "it, drop it, or stop.",
    ),
]
OutDtype = Annotated[
    str | None,
    typer.Option(
        metavar="DTYPE",
        help="Format to store: bfloat16, float16 or float32 (default: the recipe's, else as it is).",
    ),
]
ShardSize = Annotated[
    int, typer.Option(metavar="SIZE", parser=size("--shard-size"), help="Most bytes in a file of weights.")
]
Device = Annotated[
    str,
    typer.Option(
        metavar="|".join(DEVICES),
        help="Where to compute: auto and cpu are the processors; cuda is refused: disks and hashes bound a merge.",
    ),
]
Seed = Annotated[
    int | None, typer.Option(min=0, help="For random methods (dare, della; default: the recipe's, else 0).")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check and show the plan; write nothing.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no summary.")]

SHARD_SIZE: Any = "5G"  # as the help shows it; what the command hears is bytes


def recipe_and_folder(words: Sequence[str], *, linear: bool) -> tuple[Path | Mapping[Location, float], Path]:
    """A recipe's file, or models with their weights, and the folder to make; `UsageError` where words are amiss."""
    return (_weights(words) if linear else _recipe(words)), Path(words[-1])


def _recipe(words: Sequence[str]) -> Path:
    from modelprov.recipes.suffixes import is_recipe

    if len(words) != 2 or not is_recipe(words[0]):
        raise UsageError(
            "merge needs a recipe file (.yml) and the folder to make",
            "Usage: modelprov merge RECIPE.yml OUT, or modelprov merge --linear NEX=0.6 QWEN=0.4 OUT.",
        )
    return Path(words[0])


def _weights(words: Sequence[str]) -> dict[Location, float]:
    """The models of --linear with their weights."""
    if len(words) < 3:
        raise UsageError("--linear needs at least two MODEL=WEIGHT and the folder to make", "e.g. A=0.6 B=0.4 OUT")
    weights: dict[Location, float] = {}
    for word in words[:-1]:
        location, equals, weight = word.rpartition("=")
        try:
            number = float(weight) if equals and location else None
        except ValueError:
            number = None
        if number is None:
            raise UsageError(f"{word!r} is not MODEL=WEIGHT", "Write it like ./nex=0.6; the last word is the folder.")
        if location in weights:
            raise UsageError(f"{location} is given twice", "Name every model once.")
        weights[location] = number
    return weights
