"""Which plots a comparison shows, under which words. Draws nothing itself; holds no numbers."""

from __future__ import annotations

from collections.abc import Callable

from modelprov.forensics.results import Measures
from modelprov.reports.comparison import plots, tables
from modelprov.reports.comparison.report import Report
from modelprov.reports.document import Block, Plot
from modelprov.reports.plotting import Draw

HATCHED = "Hatched: no value, because the layer has no such part or it could not be judged."


def coverage(report: Report) -> list[Block]:
    """How many rounding cells hold each α; none where it was not measured."""
    return _drawn(
        "Coverage of α",
        "For each α, the share of weights whose rounding cell it fits. An exact mix peaks at 100 %.",
        plots.coverage_curve(report),
    )


def by_layer(report: Report) -> list[Block]:
    """α and collinearity by layer, then by layer and component; correlation where there is neither."""
    return _lines(report) + _maps(report)


def _drawn(title: str, caption: str, draw: Draw | None) -> list[Block]:
    return [Plot(title, caption, draw)] if draw is not None else []


def _lines(report: Report) -> list[Block]:
    found = _drawn(
        "α by layer",
        "Filled: α with its interval (often narrower than the dot). Open: least squares, which rounding biases.",
        plots.alpha_by_layer(report),
    )
    found += _drawn(
        "Collinearity by layer",
        "Cosine between the suspect's and the parent's difference from the reference. The scale does not start at 0.",
        plots.collinearity_by_layer(report),
    )
    if not found:
        for _, label in tables.parents(report)[:1]:
            found += _drawn(
                f"Correlation with {label} by layer",
                "Of raw weights, mean-centred. The scale does not start at 0.",
                plots.correlation_by_layer(report, label),
            )
    return found


def _maps(report: Report) -> list[Block]:
    scale = "Colours span the decisive components; norms and biases may lie beyond the scale. "
    single = "One colour throughout means one mixing coefficient. "
    found = _map(report, "α", "alpha-map", lambda row: row.alpha, single, (0.0, 1.0))
    found += _map(report, "Collinearity", "cosine-map", lambda row: row.least_squares.collinearity, scale)
    if not found:
        for _, label in tables.parents(report)[:1]:
            found += _map(
                report,
                f"Correlation with {label}",
                "correlation-map",
                lambda row, label=label: row.raw_correlation.get(label),  # type: ignore[misc]
                "Of raw weights, mean-centred. ",
            )
    return found


def _map(
    report: Report,
    title: str,
    name: str,
    value: Callable[[Measures], float | None],
    remark: str,
    whole: tuple[float, float] | None = None,
) -> list[Block]:
    draw = plots.heatmap(report, value, name, title, whole)
    return _drawn(f"{title} by layer and component", f"{remark}{HATCHED}", draw)
