"""`modelprov compare`: parses, calls the job, renders; and what its relatives share with it."""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modelprov.cli.app import app
from modelprov.cli.terminal import say, terminal
from modelprov.errors import UsageError
from modelprov.jobs.arguments import DEVICES, READINGS, place, refuse_other

if TYPE_CHECKING:
    from rich.console import Console

    from modelprov.forensics.compare import Options
    from modelprov.forensics.results import VerdictClass
    from modelprov.reports.comparison.report import Report

UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
HELP_FILE = "Write {} to FILE; `-` is standard output."


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
    json_file: Annotated[Path | None, typer.Option("--json", metavar="FILE", help=HELP_FILE.format("JSON"))] = None,
    markdown: Annotated[Path | None, typer.Option(metavar="FILE", help=HELP_FILE.format("Markdown"))] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help=HELP_FILE.format("one HTML page"))] = None,
    open_it: Annotated[
        bool, typer.Option("--open", help="Show the HTML page in a browser (a temporary file without --html).")
    ] = False,
    sample: Annotated[bool, typer.Option("--sample", help="Read only a few MB of each, and say what share.")] = False,
    sample_size: Annotated[
        str, typer.Option(metavar="SIZE", help="What --sample reads of each checkpoint, about.")
    ] = "16M",
    memory: Annotated[str, typer.Option(metavar="SIZE", help="Most memory for buffers.")] = "512M",
    threads: Annotated[int | None, typer.Option(min=1, help="Threads (default: all cores).")] = None,
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where to compute.")] = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Chooses the sampled blocks; written into the report.")] = 0,
    reading: Annotated[
        str, typer.Option(metavar="auto|map|direct|buffered", help="How files are read.", hidden=True)
    ] = "auto",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no terminal report.")] = False,
) -> None:
    """Compare a model with its possible parents: copy, merge, merge then trained, finetune, or unrelated.

    Reads every weight once and says, per layer and component, how much of each parent is in the suspect, which exact
    recipe reproduces its bits, what was trained afterwards, and what cannot be told.

    Example: modelprov compare ./rio ./nex ./qwen --control ./other-finetune --html report.html
    """
    from modelprov.cli.progress import Bar
    from modelprov.jobs.compare import compare as compare_checkpoints

    refuse_other("--device", device, DEVICES)
    refuse_other("--reading", reading, READINGS)
    sample_bytes, memory_bytes = parse_size(sample_size, "--sample-size"), parse_size(memory, "--memory")
    page = page_to_open(html) if open_it else html
    outputs = {"json": json_file, "markdown": markdown, "html": page}
    to_stdout = check_outputs(outputs)
    with Bar(terminal(error=True), quiet) as bar:
        report = compare_checkpoints(
            *checkpoints, reference=reference, control=control or (), sample=sample, sample_size=sample_bytes,
            memory=memory_bytes, threads=threads, device=device,
            seed=seed, reading=reading, progress=bar, command=shlex.join(["modelprov", *sys.argv[1:]]),
        )  # fmt: skip
    write(report, outputs)
    if not quiet and not to_stdout:
        show(report)
        for path in outputs.values():
            if path is not None:
                say(f"wrote {path}")
    if open_it and page is not None:
        show_page(page, temporary=html is None)
    raise typer.Exit(exit_code(report.verdict.class_))


def run(locations: list[str], control: list[str], options: Options, command: str, *, quiet: bool = False) -> Report:
    """Run the job with options that are made already; shows progress on standard error."""
    from modelprov.cli.progress import Bar
    from modelprov.jobs.compare import run as run_job

    with Bar(terminal(error=True), quiet) as bar:
        return run_job(locations, control, options, command, bar)


def write(report: Report, outputs: dict[str, Path | None]) -> None:
    """Render every report asked for, then write each whole or not at all; standard output last, as it may be closed."""
    from modelprov.reports.saving import rendered
    from modelprov.reports.writing import write_atomically

    texts = [(path, rendered(name, report)) for name, path in outputs.items() if path is not None]
    for path, text in sorted(texts, key=lambda one: str(one[0]) == "-"):
        write_atomically(path, text)


def show(report: Report, console: Console | None = None) -> None:
    """Print the report to the terminal."""
    from modelprov.reports.saving import show as print_result

    print_result(report, console or terminal())


def page_to_open(html: Path | None) -> Path:
    """The page that --open will show; `UsageError` where it would go to standard output."""
    from modelprov.reports.opening import temporary_page

    if html is not None and str(html) == "-":
        raise UsageError("--open needs a file, not standard output", "Give --html a file name, or leave it out.")
    return html or temporary_page()


def show_page(page: Path, *, temporary: bool) -> None:
    """Open a page in the browser and say on standard error where it lies; never fails."""
    from modelprov.reports.opening import open_page

    opened = open_page(page)
    kept = " (temporary; --html FILE puts it where you want it)" if temporary else ""
    say(f"{'opened' if opened else 'no browser could be started; the page is'} {page}{kept}")


def exit_code(verdict: VerdictClass) -> int:
    """Give 0 for no reuse beyond a finetune, 1 for a copy or merge, 3 where nothing could be concluded."""
    return {"copy": 1, "merge": 1, "merge-then-trained": 1, "inconclusive": 3}.get(str(verdict), 0)


def parse_size(text: str, option: str) -> int:
    """Read a size such as 512M, 2G or 1048576 as bytes (powers of 1,024)."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    size = int(float(match[1]) * UNITS[match[2].upper()]) if match else 0
    if size < 1:
        raise UsageError(f"{option} {text!r} is not a size", "Write it like 512M or 2G.")
    return size


def check_outputs(outputs: dict[str, Path | None]) -> list[str]:
    """Find out before the long run that a report cannot be written after it; the reports for standard output."""
    from modelprov.reports.saving import refuse_weights

    given = {name: path for name, path in outputs.items() if path is not None}
    to_stdout = [name for name, path in given.items() if str(path) == "-"]
    if len(to_stdout) > 1:
        raise UsageError(f"only one report can go to standard output, not {' and '.join(to_stdout)}")
    taken: dict[str, str] = {}
    for name, path in given.items():
        if name in to_stdout:
            continue
        if not path.parent.is_dir():
            raise UsageError(f"the folder {path.parent} does not exist", "Create it, or write the report elsewhere.")
        if path.is_dir():
            raise UsageError(f"{path} is a folder", "Give the report a file name.")
        refuse_weights(path)
        other = taken.setdefault(place(str(path)), name)
        if other != name:
            raise UsageError(f"--{other} and --{name} both name {path}", "Give every report its own file.")
    return to_stdout
