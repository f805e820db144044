"""`modelprov compare`: parses, calls the job, publishes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from modelprov.cli.options import compare as options
from modelprov.cli.options import shared
from modelprov.cli.outputs import asked
from modelprov.cli.terminal import say, terminal, typed

if TYPE_CHECKING:
    from modelprov.forensics.results import VerdictClass


def compare(
    checkpoints: options.Checkpoints, reference: options.Reference = None, control: options.Control = None,
    candidates: options.Candidates = None, json_file: shared.Json = None, markdown: shared.Markdown = None,
    html: shared.Html = None, open_it: shared.Open = False, sample: options.Sample = False,
    sample_size: options.SampleSize = options.SAMPLE_SIZE, full: options.Full = False, budget: options.Budget = None,
    thorough: options.Thorough = False,
    alignment: options.Alignment = None, save_alignment: options.SaveAlignment = None,
    memory: shared.Memory = shared.MEMORY, threads: shared.Threads = None, device: shared.Device = "auto",
    seed: options.Seed = 0, reading: options.Reading = "auto", quiet: shared.Quiet = False,
) -> None:  # fmt: skip
    """Compare a model with its possible parents: copy, merge, on a line, same origin, or unrelated.

    Reads every weight once and says, per layer and component, how much of each parent is in the suspect, which exact
    recipe reproduces its bits, what was trained afterwards, and what cannot be told.

    Example: modelprov compare ./rio ./nex ./qwen --control ./other-finetune --html report.html
    """
    from modelprov.cli.progress import Bar
    from modelprov.jobs.compare import compare as job

    outputs = asked({"json": json_file, "markdown": markdown, "html": html}, open_it=open_it)
    asked({"save-alignment": save_alignment})
    with Bar(terminal(error=True), quiet) as bar:
        report = job(
            *checkpoints, reference=reference, control=control or (), candidates=candidates or (),
            sample=sample, sample_size=sample_size, full=full, budget=budget, thorough=thorough, alignment=alignment,
            save_alignment=save_alignment, memory=memory, threads=threads, device=device, seed=seed, reading=reading,
            progress=bar, command=typed(),
        )  # fmt: skip
    outputs.publish(report, quiet=quiet)
    if save_alignment is not None and not quiet:
        undone = report.coordinates is not None and report.coordinates.undone
        say(f"wrote {save_alignment}" if undone else f"nothing was undone: {save_alignment} was not written")
    raise typer.Exit(exit_code(report.verdict.class_))


def exit_code(verdict: VerdictClass) -> int:
    """Give 1 for a copy or merge, 0 for no more than a common origin or none, 3 where somebody has to look."""
    return {"copy": 1, "merge": 1, "same-origin": 0, "unrelated": 0}.get(str(verdict), 3)
