"""What a case holds: the reports about one model, as they are. Data only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from modelprov.behavior.evaluation.results import EvaluationReport
from modelprov.behavior.probing.results import ProbeReport
from modelprov.check.results import CheckReport
from modelprov.reports.comparison.report import Report
from modelprov.savable import Page


@dataclass(frozen=True)
class Known:
    """A suspect whose history is known, and the verdict that it got."""

    name: str
    history: str
    verdict: str


@dataclass(frozen=True)
class Case(Page):
    """Everything that is known about one model: at least one report, of `compare`, `check`, `probe` or `eval`.

    `commands` are those that anyone can repeat the case with, in order; `missing` says why a part is not there;
    `sources` names the file (and its digest) that a part was read from, by the part's name.
    """

    forms: ClassVar = {".html": "html", ".md": "markdown"}

    weights: Report | None = None
    commands: tuple[str, ...] = ()
    probe: ProbeReport | None = None
    evaluation: EvaluationReport | None = None
    check: CheckReport | None = None
    known: tuple[Known, ...] = ()
    missing: str = ""
    sources: tuple[tuple[str, str], ...] = ()
