"""`modelprov merge`: parses, calls the job, says what was done."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modelprov.cli import options
from modelprov.cli.app import app
from modelprov.cli.terminal import terminal
from modelprov.errors import UsageError
from modelprov.foreign.shown import clean
from modelprov.jobs.arguments import MISSING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelprov.jobs.arguments import Location
    from modelprov.merge.planned import MergePlan


@app.command()
def merge(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="RECIPE.yml OUT  |  --linear MODEL=WEIGHT ... OUT",
            help="A recipe file (mergekit's YAML) and the folder to make; or, with --linear, models with their weights "
            "and the folder.",
            show_default=False,
        ),
    ],
    linear: Annotated[bool, typer.Option("--linear", help="A weighted mean, without a recipe file.")] = False,
    arithmetic: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Exact arithmetic: float32, float32-fused, float64, bf16-stepwise, "
                     "mergekit-0.1.4, mergekit-0.1.5; default: the recipe's, else mergekit-0.1.5 (--linear: float32)."),
    ] = None,
    missing: Annotated[
        str | None, typer.Option(metavar="|".join(MISSING), help="A tensor that not every model has: copy it if only "
                                 "the base has it (default), copy it from whoever has it, drop it, or stop.")
    ] = None,
    out_dtype: Annotated[
        str | None, typer.Option(metavar="DTYPE", help="Format to store: bfloat16, float16 or "
                                   "float32 (default: the recipe's, else as it is).")
    ] = None,
    memory: options.Memory = options.MEMORY,
    shard_size: Annotated[
        int, typer.Option(metavar="SIZE", parser=options.size("--shard-size"), help="Most bytes in a file of weights.")
    ] = options.SHARD_SIZE,
    threads: options.Threads = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="For random methods (dare, della; default: the recipe's, else 0)."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check and show the plan; write nothing.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no summary.")] = False,
) -> None:  # fmt: skip
    """Merge models exactly, streaming: memory stays within --memory however large they are.

    Writes OUT whole or not at all: shards, index, config, tokenizer files, model card, recipe and a receipt with every
    digest. Run an interrupted command again and it goes on from the finished shards. No tensor is ever left out
    without a word.

    Examples:
      modelprov merge recipe.yml ./merged

      modelprov merge --linear ./nex=0.6 ./qwen=0.4 ./merged

      modelprov merge --linear ./nex=0.6 ./qwen=0.4 ./merged --arithmetic mergekit-0.1.4 --memory 2G

    A recipe file is also a checkpoint that need not be written: modelprov compare recipe.yml ./a ./b

    """
    from modelprov.cli.progress import Bar
    from modelprov.jobs.merge import merge as job

    out = Path(words[-1])
    recipe = _weights(words) if linear else _recipe(words)
    console, started = terminal(error=True, wrap=False), time.perf_counter()
    with Bar(console, quiet) as bar:
        made = job(
            recipe, out, arithmetic=arithmetic, missing=missing, out_dtype=out_dtype, seed=seed, memory=memory,
            threads=threads, shard_size=shard_size, dry_run=dry_run, progress=bar,
        )  # fmt: skip
    plan, written = made.plan, made.written
    if quiet:
        return
    if written is None:
        console.print(_summary(plan, plan.notes))
        return
    seconds = time.perf_counter() - started
    console.print(_summary(plan, written.notes))
    kept = f"; {written.resumed} finished shards were kept" if written.resumed else ""
    if written.remade:
        kept += f"; {written.remade} of an unfinished run were not those of this merge and were made anew"
    console.print(
        f"wrote {clean(str(out))}: {len(written.files)} shards, {plan.bytes / 1e9:,.3f} GB in {seconds:,.1f} s{kept}"
    )


def _recipe(words: Sequence[str]) -> Path:
    from modelprov.recipes.reading import is_recipe

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


def _summary(plan: MergePlan, notes: tuple[str, ...]) -> str:
    merged = sum(tensor.copy is None for tensor in plan.tensors)
    lines = [
        f"{plan.method.name} of {len(plan.checkpoints)} models in {plan.arithmetic}: {merged:,} tensors merged, "
        f"{len(plan.tensors) - merged:,} copied, {plan.bytes / 1e9:,.3f} GB"
    ]
    return "\n".join([*lines, *(clean(f"note: {note}") for note in notes)])
