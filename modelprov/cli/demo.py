"""`modelprov demo`: settles one case from weights to behaviour, then a family with a known history; offline."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from modelprov.cli.app import app
from modelprov.cli.terminal import terminal
from modelprov.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from modelprov.demo.family import Family
    from modelprov.reports.comparison.report import Report

CASES = ("rio", "rio-trained", "rio-bf16", "nex", "stranger")
FORMS = ("html", "json", "md")


@app.command()
def demo(
    folder: Annotated[Path, typer.Option("--folder", "-o", help="Where the models and the reports go.")] = Path(
        "modelprov-demo"
    ),
    seed: Annotated[int, typer.Option(min=0, help="Another family.")] = 0,
    train: Annotated[
        bool, typer.Option("--train", help="Train the small models anew, a few minutes on one core.")
    ] = False,
    only_models: Annotated[
        bool, typer.Option("--only-models", help="Put the trained models, rio's recipe and the sums there; no more.")
    ] = False,
) -> None:
    """Settle a case on small models: where the weights came from, what the model says it is, how it scores.

    Merges two trained models of 0.66 million parameters under another name, and finds that out again from the weights
    and from the answers. Then builds a family of larger, invented weights (a base, a finetune, merges, a stranger) and
    says where each came from. Takes about a minute and 110 MB of disk; needs no network. The names are those of the
    case that the tool was made for.
    """
    from modelprov.cli import demo_case

    console = terminal()
    _check_seed(folder, seed)
    trained = demo_case.prepare(folder, seed if train else None, console)
    if only_models:
        demo_case.lay_out(trained)
        return
    case = demo_case.settle(trained, console)
    family = _generated(folder, seed, console)
    reports = {name: _compared(family, name, seed) for name in CASES}
    _show_verdicts(reports, console)
    for form in FORMS:
        reports["rio"].save(folder / f"report.{form}")
    demo_case.conclude(case, reports, folder, console)


def _check_seed(folder: Path, seed: int) -> None:
    """Raise `UsageError` where the generated family in the folder is of another seed."""
    from modelprov.checkpoints.json_files import read_json_object
    from modelprov.demo.family import RECIPE

    if (folder / RECIPE).exists():
        made_from = read_json_object(folder / RECIPE).get("seed")
        if made_from != seed:
            raise UsageError(
                f"the family in {folder} was made from seed {made_from}, not {seed}", "Choose another folder."
            )


def _generated(folder: Path, seed: int, console: Console) -> Family:
    """The family of invented weights in the folder, built where it is not there."""
    from modelprov.cli.progress import Bar
    from modelprov.demo.family import RECIPE, Family, build_family
    from modelprov.demo.layout import SMALL

    if (folder / RECIPE).exists():
        console.print(f"Using the family in {folder} (delete the folder to build it anew).", soft_wrap=True)
        return Family(folder, seed, SMALL)
    with Bar(terminal(error=True)) as bar:
        bar.stage("building a family of small models")
        return build_family(folder, seed, SMALL, lambda name, *_: bar.stage(f"built {name}"))


def _compared(family: Family, case: str, seed: int) -> Report:
    """Settle one suspect of the family on nex and qwen, with the sibling as control; nex on qwen alone."""
    from modelprov.cli.progress import Bar
    from modelprov.jobs.compare import compare

    parents = [family.qwen] if case == "nex" else [family.nex, family.qwen]
    control = () if case == "nex" else family.sibling
    with Bar(terminal(error=True)) as bar:
        return compare(family.folder / case, *parents, control=control, seed=seed, progress=bar)


def _show_verdicts(reports: dict[str, Report], console: Console) -> None:
    from rich.table import Table

    from modelprov.demo.family import MEMBERS

    table = Table("suspect", "its true history", "verdict", title="Each compared with nex and qwen, control: sibling")
    for case, report in reports.items():
        table.add_row(case, MEMBERS[case], str(report.verdict.class_))
    console.print("\nLarger models with invented weights, whose histories are known:\n")
    console.print(table)
