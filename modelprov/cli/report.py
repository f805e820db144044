"""`modelprov report verify`: does a report hold, computed anew from its inputs? Parses, opens, compares, renders."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modelprov.cli.app import app
from modelprov.cli.compare import parse_size
from modelprov.cli.terminal import terminal
from modelprov.errors import CheckpointNotFoundError, CouldNotJudgeError, ModelprovError, UsageError
from modelprov.jobs.arguments import DEVICES, refuse_other

if TYPE_CHECKING:
    from modelprov.checkpoints.types import Checkpoint
    from modelprov.forensics.compare import Options
    from modelprov.reports.comparison.report import Input, Report

LIMIT = 1 << 30
DEFAULT_SAMPLE = "16M"

report_app = typer.Typer(name="report", help="Check what reports say, or put them on one page.", no_args_is_help=True)
app.add_typer(report_app)


@report_app.callback()
def group() -> None:
    """Check what a report of `modelprov compare` says, or put reports of one model on one page."""


@report_app.command()
def verify(
    file: Annotated[Path, typer.Argument(metavar="REPORT.json", help="What `modelprov compare --json` wrote.")],
    location: Annotated[
        list[str] | None,
        typer.Option(metavar="LABEL=PATH", help="Where an input is now, if not where the report says. Repeat."),
    ] = None,
    tolerance: Annotated[
        float, typer.Option(min=0, max=0.01, help="How far numbers may differ, relatively; counts and words may not.")
    ] = 1e-9,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write JSON to FILE; `-` is standard output.")
    ] = None,
    memory: Annotated[str, typer.Option(metavar="SIZE", help="Most memory for buffers.")] = "512M",
    threads: Annotated[int | None, typer.Option(min=1, help="Threads (default: all cores).")] = None,
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where to compute.")] = "auto",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no terminal report.")] = False,
) -> None:
    """Compute a report anew from the inputs it names, and say claim by claim what holds.

    Opens every input where the report says (or where --location says), compares the digests, repeats the comparison
    with the report's seed and mode, and compares every number and word. A report that was edited by hand does not
    pass; neither does one whose inputs have changed.

    Exit codes: 0 every claim holds, 1 something differs, 2 bad usage or input, 3 an input is missing.

    Example: modelprov report verify report.json --location rio=/data/rio
    """
    from modelprov.checkpoints.files import read_small_file
    from modelprov.reports.evidence.rechecking import recheck
    from modelprov.reports.evidence.rechecking_words import print_recheck, render_recheck_json
    from modelprov.reports.writing import write_atomically

    refuse_other("--device", device, DEVICES)
    recorded = parse_report(read_small_file(file.expanduser(), LIMIT), file)
    moved = labelled(location or [], [one.label for one in recorded.inputs], needed=True)
    options = _options(recorded, parse_size(memory, "--memory"), threads, device)
    opened, notes = _open(recorded, moved, file.parent)
    found = recheck(recorded, _compare(recorded, opened, options, quiet), tolerance)
    if json_file is not None:
        write_atomically(json_file, render_recheck_json(found, str(file), notes))
    if not quiet and str(json_file) != "-":
        print_recheck(found, str(file), notes, terminal())
    raise typer.Exit(0 if found.holds else 1)


def parse_report(content: bytes, file: Path) -> Report:
    """The report that a file holds, with inputs that make sense together; `UsageError` for what is no report."""
    from modelprov.reports.comparison.as_json import load_report

    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not a text file", "Give a file that `modelprov compare --json` wrote.") from error
    report = load_report(text)
    roles = [one.role for one in report.inputs]
    main = [role for role in roles if role != "control"]
    whole = main[:1] == ["suspect"] and main[1:] == ["parent"] * (len(main) - 2) + ["reference"]
    if not whole or roles[: len(main)] != main:
        raise UsageError(
            f"the inputs of {file} are not a suspect, its parents and a reference", "Was it edited? Write it anew."
        )
    labels = [one.label for one in report.inputs]
    if len(set(labels)) < len(labels) or report.environment.seed < 0:
        raise UsageError(f"{file} names two inputs alike, or has no valid seed", "Was it edited? Write it anew.")
    return report


def labelled(given: list[str], labels: list[str], *, needed: bool = False) -> dict[str, str]:
    """Paths by label, from options such as LABEL=PATH; without a label it is the first input, unless it is `needed`."""
    from modelprov.reports.numbers import clean

    found: dict[str, str] = {}
    for one in given:
        label = next((known for known in sorted(labels, key=len, reverse=True) if one.startswith(f"{known}=")), None)
        if label is None and (needed or "=" in one):
            known_labels = ", ".join(map(clean, labels))
            raise UsageError(f"{one!r} names no input of the report", f"Write LABEL=PATH; labels: {known_labels}.")
        path = one if label is None else one[len(label) + 1 :]
        if found.setdefault(label or labels[0], path) != path:
            raise UsageError(f"{label or labels[0]} is given two places", "Name every input once.")
    return found


def _options(report: Report, memory: int, threads: int | None, device: str) -> Options:
    """As the comparison was asked for. Reports older than `settings` have a sample's size in their command only."""
    from modelprov.forensics.compare import Options

    options = Options(memory=memory, threads=threads, device=device, seed=report.environment.seed)
    asked = report.settings
    if asked is not None:
        return replace(options, seed=asked.seed, sample=asked.sample, sample_elements=asked.sample_elements)
    if report.mode == "full":
        return options
    size = DEFAULT_SAMPLE
    with suppress(ValueError):
        words = shlex.split(report.command)
        for number, word in enumerate(words):
            if word.startswith("--sample-size="):
                size = word.partition("=")[2]
            elif word == "--sample-size" and number + 1 < len(words):
                size = words[number + 1]
    elements = max(4096, parse_size(size, "the report's --sample-size") // 2)
    return replace(options, sample=True, sample_elements=elements)


def _open(report: Report, moved: Mapping[str, str], folder: Path) -> tuple[list[Checkpoint], list[str]]:
    """Every input, under its label and location of then; and what cannot be checked about them.

    Raises `CouldNotJudgeError` that lists all inputs that are not there.
    """
    from modelprov.reports.numbers import clean

    opened, notes, missing = [], [], []
    if report.mode == "sample":
        notes.append("Not checked: weights that the sample did not read; the digests do not cover them.")
    for one in report.inputs:
        try:
            checkpoint = _open_one(one, moved.get(one.label), folder)
        except CheckpointNotFoundError as error:
            missing.append((one, error))
            continue
        if checkpoint.revision is None and one.revision is not None:
            notes.append(f"Not checked: that {one.label} is revision {one.revision}; the files found do not say.")
            checkpoint = replace(checkpoint, revision=one.revision)
        opened.append(replace(checkpoint, location=one.location))
    if missing:
        named = clean(", ".join(f"{one.label} ({one.location})" for one, _ in missing))
        first = clean(missing[0][0].label)
        raise CouldNotJudgeError(
            f"not found: {named}",
            f"Say where: --location {shlex.quote(f'{first}=PATH')}. {clean(missing[0][1].advice)}",
        )
    return opened, notes


def _open_one(one: Input, moved: str | None, folder: Path) -> Checkpoint:
    """The input where it is now; else as the report says: a hub's at its revision, a path from here or the file."""
    from modelprov.checkpoints.opening import REPOSITORY
    from modelprov.merge.virtual import open_any

    if moved is not None:
        return open_any(moved, one.label)
    places = [one.location, str(folder / one.location)]
    if one.revision is not None and REPOSITORY.fullmatch(one.location) and not Path(one.location).exists():
        places = [f"{one.location.partition('@')[0]}@{one.revision}"]  # another revision is another model
    failure: ModelprovError | None = None
    for place in places:
        try:
            return open_any(place, one.label)
        except CheckpointNotFoundError as error:
            failure = failure or error
    raise failure or CheckpointNotFoundError(f"nothing is at {one.location!r}")


def _compare(report: Report, opened: list[Checkpoint], options: Options, quiet: bool) -> Report:
    from datetime import UTC, datetime

    from modelprov.cli.progress import Bar
    from modelprov.forensics.compare import compare
    from modelprov.reports.comparison.build import build_report

    count = sum(one.role != "control" for one in report.inputs)
    with Bar(terminal(error=True), quiet) as bar:
        bar.stage("comparing anew")
        comparison = compare(opened[:count], options, bar, opened[count:])
        return build_report(comparison, opened[:count], report.command, datetime.now(UTC), 0.0)
