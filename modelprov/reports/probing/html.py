"""A probe as one HTML page, and as the body that other pages include. Fills the template; computes nothing."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from modelprov.behavior.probing.results import ProbeReport
from modelprov.reports.comparison.html import Plot
from modelprov.reports.probing import tables as t
from modelprov.reports.probing import words as w
from modelprov.reports.probing.plot import share_plot
from modelprov.reports.rendering.page import environment


def probe_parts(report: ProbeReport) -> dict[str, Any]:
    """What `probing_body.html.j2` needs, under the one name `probing`."""
    svg = share_plot(report)
    caption = "Greedy answers about name, maker and origin. A name said when stripped comes from the weights."
    plot = [Plot("Who the models say they are", caption, Markup(svg))] if svg else []
    tables = (
        t.templates_table, t.code_table, t.affirmation_table, t.probability_table, t.backstory_table,
    )  # fmt: skip
    return {
        "report": report, "w": w, "plot": plot, "main": t.greedy_table(report),
        "tables": [made for make in tables if (made := make(report)).rows],
        "more": [made for make in (t.sampled_table, t.thinking_table, t.split_table) if (made := make(report)).rows],
        "examples": [made for one in report.models if (made := t.examples_table(report, one.label)).rows],
        "models": t.models_table(report),
    }  # fmt: skip


def render_probe_html(report: ProbeReport) -> str:
    """The report as one self-contained page: no script, nothing fetched."""
    return (
        environment()
        .get_template("probing.html.j2")
        .render(
            probing=probe_parts(report),
            accent=w.ACCENT,
            accent_dark=w.ACCENT_DARK,
            started=report.environment.started,
            version=report.environment.modelprov,
        )
    )
