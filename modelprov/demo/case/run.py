"""The demo from beginning to end: the case of the trained family, then the family with known histories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from modelprov.behavior.extra import require
from modelprov.demo.case import models, weights
from modelprov.demo.case.claims import check
from modelprov.demo.case.histories import compare_histories, refuse_other_seed
from modelprov.demo.case.listener import Listener
from modelprov.demo.family import MEMBERS
from modelprov.errors import UsageError
from modelprov.reports.case.parts import Case, Known
from modelprov.reports.case.words import claims
from modelprov.reports.comparison.report import Report

PAGE = "case.html"
FORMS = ("html", "json", "md")


def run(folder: Path, listener: Listener, *, seed: int = 0, train: bool = False, only_models: bool = False) -> None:
    """Settle the case in `folder` and write its reports there; with `only_models`, what it begins with and no more.

    The trained family comes with the package, unless `train` makes another from `seed`; the second family is always
    made from the seed. Raises `UsageError` where the folder holds families of another seed.
    """
    refuse_other_seed(folder, seed)
    family = models.prepare(folder, seed if train else None, listener)
    if only_models:
        models.lay_out(family)
        return
    case = settle(family, listener)
    reports = compare_histories(folder, seed, listener)
    for form in FORMS:
        reports["rio"].save(folder / f"report.{form}")
    conclude(case, reports, folder / PAGE, listener)


def settle(family: Path, listener: Listener) -> Case:
    """The whole case of the trained family, step by step; behaviour only where the extra is installed."""
    made = weights.merge(family, listener)
    compared, checked = weights.compare(family, listener), check(family, listener)
    commands = (made, compared.command, checked.command)
    try:
        require("what the model says and how it scores")
    except UsageError as error:
        listener.say(f"\nLeft out: {error.message}. {error.advice}", unbroken=True)
        return Case(compared, commands, check=checked, missing=f"{error.message}. {error.advice}")
    from modelprov.demo.case.behaviour import evaluate, probe

    said, scored = probe(family, listener), evaluate(family, listener)
    return Case(compared, (*commands, said.command, scored.command), said, scored, checked)


def conclude(case: Case, reports: Mapping[str, Report], page: Path, listener: Listener) -> None:
    """Write the page of the case, and tell what was found and where it stands."""
    known = tuple(Known(name, MEMBERS[name], str(report.verdict.class_)) for name, report in reports.items())
    case = replace(case, known=known)
    case.save(page)
    if case.weights is not None:
        listener.verdict("rio", str(case.weights.verdict.class_))
    for text in claims(case):
        listener.say(f"- {text}")
    listener.say(f"Report: {page}", unbroken=True)
