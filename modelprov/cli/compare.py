"""`modelprov compare`: parses, calls the job, publishes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from modelprov.cli import options
from modelprov.cli.app import app
from modelprov.cli.outputs import asked
from modelprov.cli.terminal import terminal

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
    candidates: Annotated[
        list[str] | None,
        typer.Option(
            "--candidates",
            "-c",
            metavar="CKPT",
            help="A model that may be in it beside the parents, held against what they leave unexplained. Repeat.",
        ),
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
    memory: options.Memory = options.MEMORY,
    threads: options.Threads = None,
    device: options.Device = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Chooses the sampled blocks; written into the report.")] = 0,
    reading: Annotated[
        str, typer.Option(metavar="auto|map|direct|buffered", help="How files are read.", hidden=True)
    ] = "auto",
    quiet: options.Quiet = False,
) -> None:
    """Compare a model with its possible parents: copy, merge, merge then trained, finetune, or unrelated.

    Reads every weight once and says, per layer and component, how much of each parent is in the suspect, which exact
    recipe reproduces its bits, what was trained afterwards, and what cannot be told.

    Example: modelprov compare ./rio ./nex ./qwen --control ./other-finetune --html report.html
    """
    from modelprov.cli.progress import Bar
    from modelprov.jobs.compare import compare as job
    from modelprov.reports.saving import show

    outputs = asked({"json": json_file, "markdown": markdown, "html": html}, open_it=open_it)
    with Bar(terminal(error=True), quiet) as bar:
        report = job(
            *checkpoints, reference=reference, control=control or (), candidates=candidates or (),
            sample=sample, sample_size=sample_size, memory=memory, threads=threads, device=device, seed=seed,
            reading=reading, progress=bar, command=options.typed(),
        )  # fmt: skip
    outputs.publish(report.rendered, lambda: show(report, terminal()), quiet=quiet)
    raise typer.Exit(exit_code(report.verdict.class_))


def exit_code(verdict: VerdictClass) -> int:
    """Give 0 for no reuse beyond a finetune, 1 for a copy or merge, 3 where nothing could be concluded."""
    return {"copy": 1, "merge": 1, "merge-then-trained": 1, "inconclusive": 3}.get(str(verdict), 0)
