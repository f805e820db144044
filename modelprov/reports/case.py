"""One case as one page: what the weights show and what the model does, side by side. Fills a template; runs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modelprov.behavior.evaluation.results import EvaluationReport
from modelprov.behavior.probing.arms import SHIPPED, STRIPPED
from modelprov.behavior.probing.results import ProbeReport
from modelprov.reports import case_words, probing_words, sections, tables, words
from modelprov.reports import numbers as n
from modelprov.reports.evaluation_html import evaluation_view
from modelprov.reports.page import environment
from modelprov.reports.probing_html import probe_parts
from modelprov.reports.report import Report


@dataclass(frozen=True)
class Known:
    """A suspect whose history is known, and the verdict that it got."""

    name: str
    history: str
    verdict: str


@dataclass(frozen=True)
class Case:
    """Everything that is known about one suspect: `weights` always, the rest where models could be run.

    `commands` are those that anyone can repeat the case with, in order; `missing` says why a part is not there.
    """

    weights: Report
    commands: tuple[str, ...]
    probe: ProbeReport | None = None
    evaluation: EvaluationReport | None = None
    known: tuple[Known, ...] = ()
    missing: str = ""


def known_table(known: Sequence[Known]) -> tables.Table:
    """The suspects whose history is known, with the verdict each got."""
    columns = (tables.Column("Suspect", "suspect", False), tables.Column("Its true history", "history", False),
               tables.Column("Verdict", "verdict", False))  # fmt: skip
    rows = [(one.name, one.history, one.verdict) for one in known]
    return tables.make_table("Models whose history is known", columns, rows)


def side_by_side(case: Case) -> tables.Table:
    """One row a model: its place among the weights, the names it says, the sums it gets right."""
    scored = {one.model: one for one in case.evaluation.rows} if case.evaluation is not None else {}
    methods = [one.label for one in case.evaluation.methods] if case.evaluation is not None else []
    columns = [
        tables.Column("Model", "model", False),
        tables.Column("In the weights", "weights", False),
        tables.Column("Says, as shipped", "shipped", False),
        tables.Column("Says, hidden prompt taken away", "stripped", False),
        *(tables.Column(f"Right with {one}", one) for one in methods),
    ]
    rows = []
    for one in case.weights.inputs:
        given = [_right(case, one.label, method) for method in methods] if scored else []
        rows.append((one.label, _place(case, one.role), _says(case, one.label, SHIPPED),
                     _says(case, one.label, STRIPPED), *given))  # fmt: skip
    note = "Shares of the most likely answers about name, maker and origin, with 95 % intervals."
    return tables.make_table("Weights and behaviour, side by side", columns, rows, note if case.probe else "")


def _place(case: Case, role: str) -> str:
    """The role of a model among the weights; the verdict for the suspect."""
    if role != "suspect":
        return {"reference": "parent, reference"}.get(role, role)
    name = words.VERDICTS[case.weights.verdict.class_].name
    figures = sections.key_figures(case.weights)
    return f"{name}; {figures[0].name}: {figures[0].value}" if figures else name


def _says(case: Case, model: str, arm: str) -> str:
    found = probing_words.arm_of(case.probe, model, arm) if case.probe is not None else None
    share = probing_words.leading(found)
    return n.MISSING if share is None else f"{share.name}, {probing_words.interval(share)}"


def _right(case: Case, model: str, method: str) -> str:
    rows = case.evaluation.rows if case.evaluation is not None else ()
    row = next((one for one in rows if (one.model, one.method) == (model, method)), None)
    return n.MISSING if row is None else f"{row.right} of {row.answers}"


def render_case(case: Case) -> str:
    """The case as one self-contained HTML page: no script, nothing fetched."""
    report = case.weights
    kind = words.VERDICTS[report.verdict.class_]
    return (
        environment()
        .get_template("case.html.j2")
        .render(
            case=case,
            claims=case_words.claims(case),
            not_shown=case_words.NOT_SHOWN,
            table=side_by_side(case),
            report=report,
            kind=kind,
            accent=kind.accent,
            accent_dark=kind.accent_dark,
            started=report.environment.started,
            version=report.environment.modelprov,
            s=sections,
            t=tables,
            words=words,
            known=known_table(case.known),
            probing=probe_parts(case.probe) if case.probe is not None else None,
            evaluation=evaluation_view(case.evaluation) if case.evaluation is not None else None,
        )
    )
