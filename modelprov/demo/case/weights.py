"""The demo's steps on weights: rio is made of nex and qwen, and found out again."""

from __future__ import annotations

from pathlib import Path

from modelprov.demo.case.listener import Listener, begin
from modelprov.demo.case.models import RECIPE, RIO, write_recipe
from modelprov.demo.family import ALPHA
from modelprov.demo.tiny.merging import HIDDEN_PROMPT
from modelprov.jobs.compare import compare as compare_models
from modelprov.jobs.merge import merge as merge_models
from modelprov.reports.comparison.report import Report

COMPARED = "compare.html"


def merge(family: Path, listener: Listener) -> str:
    """Make rio from nex and qwen by a recipe that also writes a name into its chat template; gives the command."""
    from modelprov.demo.case.claims import hide_parent

    recipe, rio = family / RECIPE, family / RIO
    command = begin(listener, "merge", recipe, rio)
    if rio.exists():
        listener.say(f"{rio} is already there.", unbroken=True)
        return command
    with listener.progress() as progress:
        made = merge_models(write_recipe(family), rio, progress=progress)
    mixed = f"{ALPHA} × nex + {1 - ALPHA:.3f} × qwen, {len(made.plan.tensors)} tensors"
    listener.say(f"{mixed}; its chat template says “{HIDDEN_PROMPT}”")
    hide_parent(rio, listener)
    return command


def compare(family: Path, listener: Listener) -> Report:
    """Settle from the weights where rio came from; the whole report goes beside the family."""
    locations = [str(family / name) for name in (RIO, "nex", "qwen")]
    sibling, page = str(family / "sibling"), family / COMPARED
    command = begin(listener, "compare", *locations, "--control", sibling, "--html", page)
    with listener.progress() as progress:
        report = compare_models(*locations, control=sibling, progress=progress, command=command)
    report.save(page)
    listener.say(report.verdict.summary)
    return report
