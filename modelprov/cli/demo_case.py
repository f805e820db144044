"""The demo's case on trained models, step by step, each step shown as the command to type."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from modelprov.cli.demo_shown import RIO, show_command
from modelprov.cli.terminal import terminal
from modelprov.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from modelprov.reports.case.parts import Case
    from modelprov.reports.comparison.report import Report

FOLDER = "trained"
RECIPE, COMPARED = "rio.yml", "compare.html"
PAGE = "case.html"


def prepare(folder: Path, seed: int | None, console: Console) -> Path:
    """The trained family in `folder`, made where it is not there: unpacked, or trained anew from `seed`.

    Raises `UsageError` when training is asked for where a family lies already, or without the extra.
    """
    from modelprov.demo.tiny.members import RECORD
    from modelprov.demo.tiny.shipped import record, unpack

    family = folder / FOLDER
    if (family / RECORD).exists():
        if seed is not None:
            made_from = record(family).get("seed")
            raise UsageError(
                f"{family} holds a family already (seed {made_from}), so it was not trained anew",
                "Choose another folder, or remove this one.",
            )
        console.print(f"Using the trained family in {family} (delete the folder to make it anew).", soft_wrap=True)
    elif seed is None:
        unpack(family)
        console.print(
            f"Three language models of 0.66 million parameters are now in {family}: "
            "qwen, and nex and sibling, each trained further from it."
        )
    else:
        train(family, seed, console)
    return family


def train(family: Path, seed: int, console: Console) -> None:
    """Train the family with a bar of its steps, and print what it reached."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from modelprov.behavior.extra import require

    require("training")
    from modelprov.demo.tiny.making import make_family
    from modelprov.demo.tiny.members import MEMBERS
    from modelprov.demo.tiny.words import reached

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    started = time.perf_counter()
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("training", total=sum(one.steps for one in MEMBERS))
        made = make_family(
            family,
            seed,
            lambda key, _step, _steps, loss: bar.update(task, advance=1, description=f"{key}, loss {loss:.3f}"),
        )
    console.print(f"Trained {len(MEMBERS)} models in {time.perf_counter() - started:,.0f} s on one core:")
    for line in reached(made):
        console.print(f"  {line}", soft_wrap=True)


def lay_out(family: Path) -> None:
    """Put beside the models what the case begins with: the recipe of rio, and the sums."""
    from modelprov.cli.demo_behaviour import write_sums
    from modelprov.demo.tiny.merging import write_rio_recipe

    write_rio_recipe(family / RECIPE, family)
    write_sums(family)


def merge(family: Path, console: Console) -> str:
    """Make rio from nex and qwen by a recipe that also writes a name into its chat template; gives the command."""
    from modelprov.cli.demo_claims import hide_parent
    from modelprov.cli.progress import Bar
    from modelprov.demo.family import ALPHA
    from modelprov.demo.tiny.merging import HIDDEN_PROMPT, write_rio_recipe
    from modelprov.jobs.merge import merge as job

    recipe, rio = family / RECIPE, family / RIO
    command = show_command(console, "merge", recipe, rio)
    if rio.exists():
        console.print(f"{rio} is already there.", soft_wrap=True)
        return command
    write_rio_recipe(recipe, family)
    with Bar(console) as bar:
        made = job(recipe, rio, progress=bar)
    mixed = f"{ALPHA} × nex + {1 - ALPHA:.3f} × qwen, {len(made.plan.tensors)} tensors"
    console.print(f"{mixed}; its chat template says “{HIDDEN_PROMPT}”")
    hide_parent(rio, console)
    return command


def compare(family: Path, console: Console) -> Report:
    """Settle from the weights where rio came from; the whole report goes beside the family."""
    from modelprov.cli.progress import Bar
    from modelprov.jobs.compare import compare as job

    locations = [str(family / name) for name in (RIO, "nex", "qwen")]
    sibling, page = str(family / "sibling"), family / COMPARED
    command = show_command(console, "compare", *locations, "--control", sibling, "--html", page)
    with Bar(terminal(error=True)) as bar:
        report = job(*locations, control=sibling, progress=bar, command=command)
    report.save(page)
    console.print(report.verdict.summary)
    return report


def settle(family: Path, console: Console) -> Case:
    """The whole case of the trained family, step by step; behaviour only where the extra is installed."""
    from modelprov.behavior.extra import require
    from modelprov.cli.demo_claims import check
    from modelprov.reports.case.parts import Case

    made = merge(family, console)
    weights, checked = compare(family, console), check(family, console)
    commands = (made, weights.command, checked.command)
    try:
        require("what the model says and how it scores")
    except UsageError as error:
        console.print(f"\nLeft out: {error.message}. {error.advice}", soft_wrap=True)
        return Case(weights, commands, check=checked, missing=f"{error.message}. {error.advice}")
    from modelprov.cli.demo_behaviour import evaluate, probe

    said, scored = probe(family, console), evaluate(family, console)
    return Case(weights, (*commands, said.command, scored.command), said, scored, checked)


def conclude(case: Case, reports: dict[str, Report], folder: Path, console: Console) -> None:
    """Write the page of the case and say what was found and where it stands."""
    from rich.text import Text

    from modelprov.demo.family import MEMBERS
    from modelprov.reports.case.parts import Known
    from modelprov.reports.case.words import claims

    known = tuple(Known(name, MEMBERS[name], str(report.verdict.class_)) for name, report in reports.items())
    case, page = replace(case, known=known), folder / PAGE
    case.save(page)
    if case.weights is not None:
        console.print(Text("\nVerdict on rio: ") + Text(str(case.weights.verdict.class_), "bold") + Text("."))
    for text in claims(case):
        console.print(f"- {text}")
    console.print(f"Report: {page}", soft_wrap=True)
