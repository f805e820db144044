"""The evaluation report as JSON, Markdown or one HTML page, by name. Renders; writes nothing."""

from __future__ import annotations

import json

from modelprov.behavior.evaluation.results import EvaluationReport
from modelprov.reports import numbers as n
from modelprov.reports.comparison.markdown import bullet_lines, code_block, escape, fact_lines, folded, table_lines
from modelprov.reports.evaluation import tables
from modelprov.reports.evaluation import telling as words


def render(name: str, report: EvaluationReport) -> str:
    """The report as `json`, `markdown` or `html`."""
    if name == "json":
        return render_json(report)
    if name == "markdown":
        return render_markdown(report)
    from modelprov.reports.evaluation.html import render_html

    return render_html(report)


def render_json(report: EvaluationReport) -> str:
    """The whole report; null for what was not measured. ASCII only, ends in a line feed."""
    return json.dumps(report.model_dump(mode="json"), indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def render_markdown(report: EvaluationReport) -> str:
    """The report as GitHub-flavoured Markdown; foreign text is escaped."""
    said = words.headline(report)
    lines = [f"## {escape(said.title)}", "", f"**{escape(said.text)}**", ""]
    lines += ["### Accuracy and tokens", "", *table_lines(tables.results_table(report))]
    if report.tests:
        lines += ["### Differences", "", *table_lines(tables.tests_table(report))]
    if report.curve:
        lines += ["### Accuracy against tokens", "", *table_lines(tables.curve_table(report))]
    if report.notes:
        lines += ["### To be known", "", *bullet_lines(report.notes)]
    lines += ["### What this does not show", "", *bullet_lines(words.does_not_show(report))]
    lines += ["### Run", "", *fact_lines(tables.run_facts(report)), *code_block(n.clean(report.command), "sh")]
    lines += folded("Models", table_lines(tables.models_table(report)))
    lines += folded("Methods", table_lines(tables.methods_table(report)))
    lines += folded("Environment", fact_lines(tables.environment_facts(report)))
    return "\n".join(lines).rstrip("\n") + "\n"
