"""The demo's second family: larger models with invented weights and known histories, each of them compared."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from modelprov.checkpoints.json_files import read_json_object
from modelprov.demo import layout
from modelprov.demo.case.listener import Listener
from modelprov.demo.family import MEMBERS, RECIPE, Family, build_family
from modelprov.errors import UsageError
from modelprov.jobs.compare import compare
from modelprov.reports.comparison.report import Report

CASES = ("rio", "rio-trained", "rio-bf16", "nex", "stranger")


def refuse_other_seed(folder: Path, seed: int) -> None:
    """Raise `UsageError` where the generated family in the folder is of another seed."""
    if (folder / RECIPE).exists():
        made_from = read_json_object(folder / RECIPE).get("seed")
        if made_from != seed:
            raise UsageError(
                f"the family in {folder} was made from seed {made_from}, not {seed}", "Choose another folder."
            )


def compare_histories(folder: Path, seed: int, listener: Listener) -> Mapping[str, Report]:
    """The report on each of the `CASES`, and a table of their verdicts beside what is true of them."""
    family = _generated(folder, seed, listener)
    reports = {name: _compared(family, name, seed, listener) for name in CASES}
    listener.say("\nLarger models with invented weights, whose histories are known:\n")
    listener.table(
        "Each compared with nex and qwen, control: sibling",
        ("suspect", "its true history", "verdict"),
        [(name, MEMBERS[name], str(report.verdict.class_)) for name, report in reports.items()],
    )
    return reports


def _generated(folder: Path, seed: int, listener: Listener) -> Family:
    """The family of invented weights in the folder, built where it is not there."""
    if (folder / RECIPE).exists():
        listener.say(f"Using the family in {folder} (delete the folder to build it anew).", unbroken=True)
        return Family(folder, seed, layout.SMALL)
    with listener.progress() as progress:
        progress.stage("building a family of small models")
        return build_family(folder, seed, layout.SMALL, lambda name, *_: progress.stage(f"built {name}"))


def _compared(family: Family, case: str, seed: int, listener: Listener) -> Report:
    """Settle one suspect of the family on nex and qwen, with the sibling as control; nex on qwen alone."""
    parents = [family.qwen] if case == "nex" else [family.nex, family.qwen]
    control = () if case == "nex" else family.sibling
    with listener.progress() as progress:
        return compare(family.folder / case, *parents, control=control, seed=seed, progress=progress)
