"""`modelprov compare`: parses, calls the job, publishes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modelprov.cli import options
from modelprov.cli.app import app
from modelprov.cli.outputs import asked
from modelprov.cli.terminal import say, terminal

if TYPE_CHECKING:
    from modelprov.forensics.results import VerdictClass


@app.command()
def compare(
    checkpoints: Annotated[
        list[str],
        typer.Argument(
            metavar="SUSPECT PARENT [PARENT ...]",
            help="The model in question, then one or more possible sources. The last is the reference, usually the "
            "common base. Each is a folder, a .safetensors file, an org/name in the local Hugging Face cache, or a "
            "merge recipe (.yml).",
            show_default=False,
        ),
    ],
    reference: Annotated[
        str | None, typer.Option(metavar="CKPT", help="Which parent is the reference, if not the last.")
    ] = None,
    control: Annotated[
        list[str] | None,
        typer.Option(metavar="CKPT", help="An unsuspected finetune of the same base; gets the same numbers. Repeat."),
    ] = None,
    json_file: options.Json = None,
    markdown: options.Markdown = None,
    html: options.Html = None,
    open_it: options.Open = False,
    sample: Annotated[bool, typer.Option("--sample", help="Read only a few MB of each, and say what share.")] = False,
    sample_size: Annotated[
        int,
        typer.Option(
            metavar="SIZE", parser=options.size("--sample-size"), help="What --sample reads of each checkpoint, about."
        ),
    ] = options.SAMPLE_SIZE,
    thorough: Annotated[
        bool,
        typer.Option("--thorough", help="Look for other coordinates (reordered, rotated, stacked) in any case."),
    ] = False,
    alignment: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Undo other coordinates as this file says (--save-alignment).")
    ] = None,
    save_alignment: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write what was undone, if anything, for others to check.")
    ] = None,
    memory: options.Memory = options.MEMORY,
    threads: options.Threads = None,
    device: options.Device = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Chooses the sampled blocks; written into the report.")] = 0,
    reading: Annotated[
        str, typer.Option(metavar="auto|map|direct|buffered", help="How files are read.", hidden=True)
    ] = "auto",
    quiet: options.Quiet = False,
) -> None:
    """Compare a model with its possible parents: copy, merge, on a line, same origin, or unrelated.

    Reads every weight once and says, per layer and component, how much of each parent is in the suspect, which exact
    recipe reproduces its bits, what was trained afterwards, and what cannot be told.

    Example: modelprov compare ./rio ./nex ./qwen --control ./other-finetune --html report.html
    """
    from modelprov.cli.progress import Bar
    from modelprov.jobs.compare import compare as job
    from modelprov.reports.saving import show

    outputs = asked({"json": json_file, "markdown": markdown, "html": html}, open_it=open_it)
    asked({"save-alignment": save_alignment})
    with Bar(terminal(error=True), quiet) as bar:
        report = job(
            *checkpoints, reference=reference, control=control or (), sample=sample, sample_size=sample_size,
            thorough=thorough, alignment=alignment, save_alignment=save_alignment,
            memory=memory, threads=threads, device=device, seed=seed, reading=reading, progress=bar,
            command=options.typed(),
        )  # fmt: skip
    outputs.publish(report.rendered, lambda: show(report, terminal()), quiet=quiet)
    if save_alignment is not None and not quiet:
        undone = report.coordinates is not None and report.coordinates.undone
        say(f"wrote {save_alignment}" if undone else f"nothing was undone: {save_alignment} was not written")
    raise typer.Exit(exit_code(report.verdict.class_))


def exit_code(verdict: VerdictClass) -> int:
    """Give 1 for a copy or merge, 0 for no more than a common origin or none, 3 where somebody has to look."""
    return {"copy": 1, "merge": 1, "same-origin": 0, "unrelated": 0}.get(str(verdict), 3)
