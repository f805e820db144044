"""The evaluation report as one HTML page, and as a part of other pages. Fills the template; computes nothing."""

from __future__ import annotations

from typing import NamedTuple

from markupsafe import Markup

from modelprov.behavior.evaluation.results import EvaluationReport
from modelprov.reports import numbers as n
from modelprov.reports.comparison.html import Plot
from modelprov.reports.comparison.tables import Fact, Table
from modelprov.reports.evaluation import tables
from modelprov.reports.evaluation import telling as words
from modelprov.reports.evaluation.plots import accuracy_against_tokens
from modelprov.reports.rendering.page import environment


class EvaluationView(NamedTuple):
    """All that `evaluation_body.html.j2` shows, under the name `evaluation`."""

    said: words.Headline
    results: Table
    tests: Table
    curve: Table
    plots: tuple[Plot, ...]
    notes: tuple[str, ...]
    does_not_show: tuple[str, ...]
    facts: tuple[Fact, ...]
    command: str
    models: Table
    methods: Table
    environment: tuple[Fact, ...]
    terms: tuple[tuple[str, str], ...]


def evaluation_view(report: EvaluationReport) -> EvaluationView:
    """The report in words, tables and plots: give it to a template as `evaluation` and include the body."""
    return EvaluationView(
        said=words.headline(report),
        results=tables.results_table(report),
        tests=tables.tests_table(report),
        curve=tables.curve_table(report),
        plots=tuple(_plots(report)),
        notes=report.notes,
        does_not_show=words.does_not_show(report),
        facts=tables.run_facts(report),
        command=n.clean(report.command),
        models=tables.models_table(report),
        methods=tables.methods_table(report),
        environment=tables.environment_facts(report),
        terms=words.TERMS,
    )


def render_html(report: EvaluationReport) -> str:
    """Render the report as one self-contained page: styles and plots inline, no script, nothing fetched."""
    return (
        environment()
        .get_template("evaluation.html.j2")
        .render(
            evaluation=evaluation_view(report),
            task=n.clean(report.task.name),
            accent=words.ACCENT,
            accent_dark=words.ACCENT_DARK,
            started=report.environment.started,
            version=report.environment.modelprov,
            schema=report.schema_version,
        )
    )


def _plots(report: EvaluationReport) -> list[Plot]:
    several = len(report.models) > 1
    found = []
    for one in report.models:
        drawn = accuracy_against_tokens(report, one.label)
        if drawn:
            title = "Accuracy against tokens" + (f": {n.clean(one.label)}" if several else "")
            caption = (
                "Each point is one method under one budget (the small number). Bars: 95 % intervals. The pale line "
                "behind joins what no other point beats."
            )
            found.append(Plot(title, caption, Markup(drawn)))
    return found
