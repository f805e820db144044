"""`modelprov compare`: parses, calls the job, publishes."""

from __future__ import annotations

from typing import Any

from modelprov.cli.compared import publish, sum_part
from modelprov.cli.given import typed
from modelprov.cli.options import compare as options
from modelprov.cli.options import shared
from modelprov.cli.outputs import asked
from modelprov.cli.terminal import terminal


def compare(
    checkpoints: options.Checkpoints, reference: options.Reference = None, control: options.Control = None,
    candidates: options.Candidates = None, json_file: shared.Json = None, markdown: shared.Markdown = None,
    html: shared.Html = None, form: shared.Form = None, open_it: shared.Open = False, sample: options.Sample = False,
    sample_size: options.SampleSize = options.SAMPLE_SIZE, full: options.Full = False, budget: options.Budget = None,
    thorough: options.Thorough = False,
    alignment: options.Alignment = None, save_alignment: options.SaveAlignment = None, part: options.Part = None,
    output: options.Output = None, resume: options.Resume = None, memory: shared.Memory = shared.MEMORY,
    threads: shared.Threads = None, device: shared.Device = "auto", seed: options.Seed = 0,
    reading: options.Reading = "auto", engine: options.Engine = "local", address: options.Address = None,
    tables: shared.Tables = False, quiet: shared.Quiet = False,
) -> None:  # fmt: skip
    """Compare a model with its possible parents: copy, merge, on a line, same origin, or unrelated.

    Reads every weight once and says, per layer and component, how much of each parent is in the suspect, which exact
    recipe reproduces its bits, how much lies beside any mix, and what cannot be told.

    Exit codes: 0 no more than a common origin with these parents, 1 a copy or merge, 2 bad usage or input, 3 somebody
    has to look.

    Example: modelprov compare ./rio ./nex ./qwen --control ./other-finetune --html report.html
    """
    from modelprov.cli.process import keep_freed_memory
    from modelprov.cli.progress import Bar
    from modelprov.collector import paused

    keep_freed_memory()
    with paused():  # what is imported stays: a tenth of the time goes into looking through it
        from modelprov.jobs.compare import compare as job
    from modelprov.native import native

    if native() is None:
        from modelprov.compiled import without_linear_algebra

        without_linear_algebra()

    outputs = asked({"json": json_file, "markdown": markdown, "html": html}, form=form, open_it=open_it, tables=tables)
    asked({"save-alignment": save_alignment, "resume": resume})
    given: dict[str, Any] = {
        "reference": reference, "control": control or (), "candidates": candidates or (), "thorough": thorough,
        "alignment": alignment, "resume": resume, "memory": memory, "threads": threads, "device": device, "seed": seed,
        "reading": reading,
    }  # fmt: skip
    if part is not None or output is not None:
        beside = {
            "engine": engine != "local",
            "sample": sample,
            "save-alignment": save_alignment,
            "open": open_it,
            **outputs.files,
        }
        sum_part(checkpoints, part, output, given, {**beside, **outputs.files}, quiet=quiet)
    with Bar(terminal(error=True), quiet, "compare") as bar:
        report = job(
            *checkpoints, sample=sample, sample_size=sample_size, full=full, budget=budget,
            save_alignment=save_alignment, progress=bar, engine=engine, address=address, command=typed(), **given,
        )  # fmt: skip
    publish(report, outputs, save_alignment, quiet=quiet)
