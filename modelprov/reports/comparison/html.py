"""The report as one HTML page that needs nothing else: no script, no request. Fills the template; computes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from markupsafe import Markup

from modelprov.forensics.results import Measures
from modelprov.reports import numbers as n
from modelprov.reports.comparison import plots, sections, tables, words
from modelprov.reports.comparison.report import Report
from modelprov.reports.rendering.page import environment

MOST_TENSORS = 40


class Plot(NamedTuple):
    """An inline SVG with its caption."""

    title: str
    caption: str
    svg: Markup


def _plot(title: str, caption: str, svg: str) -> list[Plot]:
    return [Plot(title, caption, Markup(svg))] if svg else []


def _layer_plots(report: Report) -> list[Plot]:
    found = _plot(
        "α by layer",
        "Filled: α with its interval (often narrower than the dot). Open: least squares, which rounding biases.",
        plots.alpha_by_layer(report),
    )
    found += _plot(
        "Collinearity by layer",
        "Cosine between the suspect's and the parent's difference from the reference. The scale does not start at 0.",
        plots.collinearity_by_layer(report),
    )
    if not found:
        for _, label in tables.parents(report)[:1]:
            found += _plot(
                f"Correlation with {n.clean(label)} by layer",
                "Of raw weights, mean-centred. The scale does not start at 0.",
                plots.correlation_by_layer(report, label),
            )
    return found


def _heatmaps(report: Report) -> list[Plot]:
    scale = "Colours span the decisive components; norms and biases may lie beyond the scale. "
    hatched = "Hatched: no value, because the layer has no such part or it could not be judged."

    def one(
        title: str,
        name: str,
        value: Callable[[Measures], float | None],
        remark: str,
        whole: tuple[float, float] | None = None,
    ) -> list[Plot]:
        svg = plots.heatmap(report, value, name, title, whole)
        return _plot(f"{title} by layer and component", f"{remark}{hatched}", svg)

    single = "One colour throughout means one mixing coefficient. "
    found = one("α", "alpha-map", lambda row: row.alpha, single, (0.0, 1.0))
    found += one("Collinearity", "cosine-map", lambda row: row.least_squares.collinearity, scale)
    if not found:
        for _, label in tables.parents(report)[:1]:
            found += one(
                f"Correlation with {n.clean(label)}",
                "correlation-map",
                lambda row, label=label: row.raw_correlation.get(label),  # type: ignore[misc]
                "Of raw weights, mean-centred. ",
            )
    return found


def render_html(report: Report) -> str:
    """Render the report as one self-contained page: styles and plots inline, no script, nothing fetched."""
    kind = words.VERDICTS[report.verdict.class_]
    curve = _plot(
        "Coverage of α",
        "For each α, the share of weights whose rounding cell it fits. An exact mix peaks at 100 %.",
        plots.coverage_curve(report),
    )
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            report=report,
            s=sections,
            t=tables,
            words=words,
            kind=kind,
            accent=kind.accent,
            accent_dark=kind.accent_dark,
            started=report.environment.started,
            version=report.environment.modelprov,
            layer_plots=_layer_plots(report),
            heatmaps=_heatmaps(report),
            curve=curve,
            tensors=tables.notable_tensors(report, MOST_TENSORS),
        )
    )
