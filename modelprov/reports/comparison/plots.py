"""The plots of a comparison, each as a function that draws it; None where there is nothing to draw. No statistics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from modelprov.forensics.results import Measures
from modelprov.reports import numbers as n
from modelprov.reports.comparison.report import Report
from modelprov.reports.plotting import ACCENT, PAPER, QUIET, Draw, answering, nice_range, svg, tip
from modelprov.reports.plotting import cells as said_of_cells

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_ANSWERS = 12


def _points(rows: Sequence[Measures], value: Callable[[Measures], float | None]) -> list[tuple[int, float]]:
    """Return (layer, value) of the rows that have both."""
    pairs = [(row.layer, n.finite(value(row))) for row in rows]
    return [(layer, known) for layer, known in pairs if layer is not None and known is not None]


def _frame(axes: Axes, layers: Sequence[int], bounds: tuple[float, float], label: str) -> None:
    from matplotlib.ticker import MaxNLocator

    low, high = bounds
    axes.grid(axis="y")
    axes.set_axisbelow(True)
    axes.set_ylim(low - 0.03 * (high - low), high + 0.03 * (high - low))
    axes.ticklabel_format(axis="y", useOffset=False)
    axes.set_ylabel(label)
    axes.set_xlim(min(layers) - 0.8, max(layers) + 0.8)
    axes.set_xlabel("Layer")
    axes.xaxis.set_major_locator(MaxNLocator(12, integer=True))


def alpha_by_layer(report: Report) -> Draw | None:
    """Plot alpha of each layer with its interval, and least squares beside it; None if there is no alpha."""
    exact = _points(report.layers, lambda row: row.alpha)
    squares = _points(report.layers, lambda row: row.least_squares.alpha)
    lows, highs = dict(_points(report.layers, lambda row: row.low)), dict(_points(report.layers, lambda row: row.high))
    if not exact and not squares:
        return None
    values = [value for _, value in exact + squares]
    whole = n.finite(report.mixing.alpha)

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        if whole is not None:
            axes.axhline(whole, color=ACCENT, linewidth=1, linestyle=(0, (4, 3)), label="whole model")
        if squares:
            axes.plot(*_xy(squares), "o", mfc="none", mec=QUIET, ms=5, mew=0.9, label="least squares")
        if exact:
            axes.plot(*_xy(exact), "o", color=ACCENT, ms=3.5, label="respecting rounding")
        bounded = [layer for layer, _ in exact if layer in lows and layer in highs]
        axes.vlines(bounded, [lows[i] for i in bounded], [highs[i] for i in bounded], color=ACCENT, lw=1.5)
        for layer, value in exact or squares:
            low, high = lows.get(layer), highs.get(layer)
            says = f"Layer {layer}, all components: α {n.coefficient(value, low, high)}"
            bounds = n.interval(low, high)
            answering(axes, layer, value, says + (f", interval {bounds}" if bounds != n.MISSING else ""))
        _frame(axes, [layer for layer, _ in exact + squares], nice_range(values, (0.0, 1.0)), "α")
        figure.legend(loc="outside upper left", ncols=3, frameon=False, handletextpad=0.4)

    text = f"Mixing coefficient by layer, from {n.number(min(values), 3)} to {n.number(max(values), 3)}"
    return partial(svg, draw, "alpha", text, 2.7)


def _spread(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The highest point and a dozen more along the curve: enough to read it by, few enough to step through."""
    step = max(1, len(points) // MOST_ANSWERS)
    return sorted({*points[::step], max(points, key=lambda point: point[1])})


def _xy(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]


def _one_series(points: Sequence[tuple[int, float]], name: str, label: str, text: str) -> Draw | None:
    if not points:
        return None
    values = [value for _, value in points]

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.plot(*_xy(points), "o-", color=ACCENT, ms=3.5, lw=0.8)
        for layer, value in points:
            answering(axes, layer, value, f"Layer {layer}, all components: {label.lower()} {n.cosine(value)}")
        _frame(axes, [layer for layer, _ in points], nice_range(values), label)

    return partial(svg, draw, name, f"{text}, from {n.cosine(min(values))} to {n.cosine(max(values))}", 2.3)


def collinearity_by_layer(report: Report) -> Draw | None:
    """Plot collinearity of each layer; None if there is none."""
    points = _points(report.layers, lambda row: row.least_squares.collinearity)
    return _one_series(points, "collinearity", "Collinearity", "Collinearity by layer")


def correlation_by_layer(report: Report, label: str) -> Draw | None:
    """Plot the correlation of raw weights with one parent, by layer; None if there is none."""
    points = _points(report.layers, lambda row: row.raw_correlation.get(label))
    return _one_series(points, "correlation", "Correlation", f"Correlation with {n.clean(label)} by layer")


def heatmap(
    report: Report,
    value: Callable[[Measures], float | None],
    name: str,
    label: str,
    whole: tuple[float, float] | None = None,
) -> Draw | None:
    """Plot one value for each of `report.cells`, layers across and components down; hatched where there is none.

    The colours span `whole` where it holds all values, else the decisive cells; others may lie beyond the scale.
    """
    cells = [row for row in report.cells if row.layer is not None and row.component is not None]
    known = {(row.component, row.layer): shown for row in cells if (shown := n.finite(value(row))) is not None}
    if not known:
        return None
    layers = sorted({row.layer for row in cells if row.layer is not None})
    present = dict.fromkeys(row.component for row in cells if row.component is not None)
    components = list({row.name: None for row in report.components if row.name in present} | present)
    places = [(row.component, row.layer) for row in cells if row.decisive]
    decisive = [known[place] for place in places if place in known]
    low, high = nice_range(decisive or list(known.values()), whole)
    below, above = min(known.values()) < low, max(known.values()) > high
    extend = "both" if below and above else "min" if below else "max" if above else "neither"

    def draw(figure: Figure) -> None:
        import numpy as np
        from matplotlib import colormaps
        from matplotlib.colors import LinearSegmentedColormap

        axes = figure.add_subplot()
        table = np.ma.masked_invalid([[known.get((row, layer), np.nan) for layer in layers] for row in components])
        axes.patch.set(facecolor=PAPER, hatch="////////", edgecolor=QUIET, linewidth=0)
        edges = np.arange(len(layers) + 1), np.arange(len(components) + 1)
        colours = LinearSegmentedColormap.from_list("blues", colormaps["YlGnBu"](np.linspace(0.12, 1, 64)), 64)
        mesh = axes.pcolormesh(*edges, table, vmin=low, vmax=high, cmap=colours)
        said = {(row.component, row.layer): _of_cell(row, label, value, report.overall.elements) for row in cells}
        mesh.set_gid(said_of_cells([said.get((row, layer), "") for row in components for layer in layers]))
        for place, component in enumerate(components):
            values = [
                f"layer {layer} {n.number(known[component, layer])}" for layer in layers if (component, layer) in known
            ]
            _row(axes, place, f"{n.clean(component)}, {label}: {', '.join(values) or 'no value'}")
        every = max(1, round(len(layers) / 12))
        axes.set_xticks(np.arange(0, len(layers), every) + 0.5, [str(layer) for layer in layers[::every]])
        axes.set_yticks(np.arange(len(components)) + 0.5, [n.clean(text)[:28] for text in components])
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.invert_yaxis()
        axes.set_xlabel("Layer")
        bar = figure.colorbar(mesh, ax=axes, fraction=0.03, pad=0.015, aspect=16, extend=extend)
        bar.outline.set_visible(False)
        if bar.solids is not None:
            bar.solids.set_rasterized(False)  # an image would be a data URL
        bar.ax.ticklabel_format(axis="y", useOffset=False)

    text = f"{label} by layer and component, from {n.number(min(known.values()))} to {n.number(max(known.values()))}"
    return partial(svg, draw, name, text, 0.9 + 0.27 * len(components))


def _of_cell(row: Measures, label: str, value: Callable[[Measures], float | None], whole: int) -> str:
    """What a cell says: its place, the value, the interval where it is of α, and how much of the weights it holds."""
    shown = n.finite(value(row))
    said = "has no value" if shown is None else n.number(shown)
    says = f"Layer {row.layer}, {n.clean(row.component or '')}: {label} {said}"
    bounds = n.interval(row.low, row.high)
    if shown is not None and shown == n.finite(row.alpha) and bounds != n.MISSING:
        says += f", interval {bounds}"
    return f"{says}, {n.share(row.elements / whole if whole else None)} of the weights compared"


def _row(axes: Axes, place: int, says: str) -> None:
    """An unseen strip beside a row of cells, for the keyboard, that says all of them."""
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((0, place), 0.12, 1, color=PAPER, alpha=0.0, gid=tip(says)))


def coverage_curve(report: Report) -> Draw | None:
    """Plot the share of rounding cells that hold alpha, against alpha, and what chance gives; None if unmeasured."""
    points = sorted(
        (point.alpha, point.share)
        for point in report.mixing.coverage_curve
        if n.finite(point.alpha) is not None and n.finite(point.share) is not None
    )
    if len(points) < 2:
        return None

    def draw(figure: Figure) -> None:
        from matplotlib.ticker import PercentFormatter

        axes = figure.add_subplot()
        axes.grid(axis="y")
        axes.set_axisbelow(True)
        axes.plot(*_xy(points), color=ACCENT, lw=1.4, label="share of cells that hold α")
        null = n.finite(report.mixing.null_coverage)
        if null is not None:
            axes.axhline(null, color=QUIET, lw=1, linestyle=(0, (4, 3)), label=f"by chance ({n.share(null)})")
        for alpha, share in _spread(points):
            answering(axes, alpha, share, f"α {n.number(alpha)}: {n.share(share)} of the rounding cells hold it")
        axes.set_ylim(0, 1.03)
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.set_xlabel("α")
        figure.legend(loc="outside upper left", ncols=2, frameon=False)

    best = max(points, key=lambda point: point[1])
    text = f"Coverage of alpha: highest at {n.number(best[0])} with {n.share(best[1])}"
    return partial(svg, draw, "coverage", text, 2.6)
