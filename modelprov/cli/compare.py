"""`modelprov compare`: parses, opens, compares, renders."""

from __future__ import annotations

import os
import re
import shlex
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modelprov.cli.app import app
from modelprov.cli.terminal import say, terminal
from modelprov.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from modelprov.checkpoints.types import Checkpoint
    from modelprov.forensics.compare import Options
    from modelprov.forensics.results import VerdictClass
    from modelprov.reports.report import Report

UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
WEIGHTS = (".safetensors", ".safetensors.index.json")
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
    from modelprov.forensics.compare import Options

    ordered = _with_reference_last(checkpoints, reference)
    refuse_repeated([*ordered, *(control or [])])
    if device not in ("auto", "cpu", "cuda"):
        raise UsageError(f"--device is auto, cpu or cuda, not {device!r}")
    if reading not in ("auto", "map", "direct", "buffered"):
        raise UsageError(f"--reading is auto, map, direct or buffered, not {reading!r}")
    sample_elements = max(4096, parse_size(sample_size, "--sample-size") // 2)
    options = Options(
        memory=parse_size(memory, "--memory"),
        threads=threads,
        device=device,
        seed=seed,
        sample=sample,
        sample_elements=sample_elements if sample else 1 << 20,
        method=reading,
    )
    page = page_to_open(html) if open_it else html
    outputs = {"json": json_file, "markdown": markdown, "html": page}
    to_stdout = check_outputs(outputs)
    command = shlex.join(["modelprov", *sys.argv[1:]])
    report = run(ordered, control or [], options, command, quiet=quiet)
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
    """Open, compare and assemble the report; shows progress on standard error."""
    from modelprov.checkpoints.labels import unique_labels
    from modelprov.cli.progress import Bar
    from modelprov.forensics.compare import compare as compare_checkpoints
    from modelprov.merge.virtual import open_any
    from modelprov.reports.build import build_report

    started, clock = datetime.now(UTC), time.perf_counter()
    labels = unique_labels([*locations, *control])
    with Bar(terminal(error=True), quiet) as bar:
        bar.stage("opening checkpoints")
        opened: list[Checkpoint] = [
            open_any(where, label) for where, label in zip([*locations, *control], labels, strict=True)
        ]
        main, controls = opened[: len(locations)], opened[len(locations) :]
        bar.stage("loading")
        comparison = compare_checkpoints(main, options, bar, controls)
        bar.stage("assembling the report")
        return build_report(comparison, main, command, started, time.perf_counter() - clock)


def write(report: Report, outputs: dict[str, Path | None]) -> None:
    """Render every report asked for, then write each whole or not at all; standard output last, as it may be closed."""
    from modelprov.reports.writing import write_atomically

    rendered = [(path, _render(name, report)) for name, path in outputs.items() if path is not None]
    for path, text in sorted(rendered, key=lambda one: str(one[0]) == "-"):
        write_atomically(path, text)


def _render(name: str, report: Report) -> str:
    if name == "json":
        from modelprov.reports.as_json import render_json

        return render_json(report)
    if name == "markdown":
        from modelprov.reports.markdown import render_markdown

        return render_markdown(report)
    from modelprov.reports.html import render_html

    return render_html(report)


def show(report: Report, console: Console | None = None) -> None:
    """Print the report to the terminal."""
    from modelprov.reports.terminal import print_report

    print_report(report, console or terminal())


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


def _with_reference_last(checkpoints: list[str], reference: str | None) -> list[str]:
    if len(checkpoints) < 2:
        raise UsageError(
            "compare needs a suspect and at least one parent",
            "Usage: modelprov compare SUSPECT PARENT [PARENT ...]; see `modelprov compare --help`.",
        )
    if reference is None:
        return checkpoints
    suspect, *parents = checkpoints
    if _place(reference) == _place(suspect):
        raise UsageError("the suspect cannot be its own reference", "Name one of the parents.")
    others = [one for one in parents if _place(one) != _place(reference)]
    return [suspect, *others, next((one for one in parents if one not in others), reference)]


def refuse_repeated(locations: list[str]) -> None:
    """A checkpoint has one role: a control that is the suspect, or a parent given twice, would only mislead."""
    seen: dict[str, str] = {}
    for location in locations:
        place = _place(location)
        if place in seen:
            also = f" (as {seen[place]!r} and {location!r})" if seen[place] != location else ""
            raise UsageError(f"the same checkpoint is given twice{also}", "Name every checkpoint once.")
        seen[place] = location


def _place(location: str) -> str:
    """The same text for the same file or folder, however it is written; never fails (links may go in circles)."""
    return os.path.realpath(os.path.expanduser(location))


def check_outputs(outputs: dict[str, Path | None]) -> list[str]:
    """Find out before the long run that a report cannot be written after it; the reports for standard output."""
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
        if path.name.endswith(WEIGHTS):
            raise UsageError(f"{path} has the name of a weights file", "Give the report another name.")
        other = taken.setdefault(_place(str(path)), name)
        if other != name:
            raise UsageError(f"--{other} and --{name} both name {path}", "Give every report its own file.")
    return to_stdout
