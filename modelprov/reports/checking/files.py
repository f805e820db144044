"""A check as JSON, Markdown, HTML, SARIF or JUnit XML, by name. Renders; writes nothing."""

from __future__ import annotations

import json

from modelprov.check.results import CheckReport
from modelprov.reports import numbers as n
from modelprov.reports.checking import telling as c
from modelprov.reports.comparison.markdown import bullet_lines, code_block, escape, fact_lines, folded, table_lines

FORMATS = ("json", "markdown", "html", "sarif", "junit")


def render(name: str, report: CheckReport) -> str:
    """The report in one of `FORMATS`."""
    if name == "json":
        return render_json(report)
    if name == "markdown":
        return render_markdown(report)
    if name == "sarif":
        from modelprov.reports.checking.sarif import render_sarif

        return render_sarif(report)
    if name == "junit":
        from modelprov.reports.checking.junit import render_junit

        return render_junit(report)
    return render_html(report)


def render_json(report: CheckReport) -> str:
    """The whole report, ASCII only; ends in a line feed."""
    return json.dumps(report.model_dump(mode="json"), indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def render_markdown(report: CheckReport) -> str:
    """A job summary or comment; foreign text is escaped."""
    lines = [
        f"## modelprov check: {escape(c.TITLES[report.outcome])} – {escape(n.clean(report.model))}", "",
        f"**{escape(c.headline(report))}.** {escape(c.summary(report))}", "",
    ]  # fmt: skip
    found = c.counted(report)
    if found:
        lines += ["### Findings", "", *table_lines(c.findings_table(found))]
    if c.accepted(report):
        lines += ["### Accepted findings", "", *table_lines(c.accepted_table(report))]
    if report.claims:
        lines += ["### Claims", "", *table_lines(c.claims_table(report))]
    if report.not_judged:
        lines += ["### Not judged", "", *table_lines(c.not_judged_table(report))]
    if report.lineage is not None:
        lines += ["### Weights", "", *fact_lines(c.lineage_facts(report))]
    lines += folded("Checkpoints", table_lines(c.inputs_table(report)))
    lines += folded("What this does not show", bullet_lines(c.DOES_NOT_SHOW))
    lines += folded("Run", [*fact_lines(c.run_facts(report)[1:]), *code_block(n.clean(report.command), "sh")])
    return "\n".join(lines).rstrip("\n") + "\n"


def render_html(report: CheckReport) -> str:
    """One self-contained page: no script, nothing fetched."""
    from modelprov.reports.rendering.page import environment

    accent, dark, _ = c.ACCENTS[report.outcome]
    return (
        environment()
        .get_template("checking.html.j2")
        .render(
            report=report,
            c=c,
            accent=accent,
            accent_dark=dark,
            started=report.started,
            version=report.version,
        )
    )
