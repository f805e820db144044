"""The one plot of a probe: shares of answers by class, for each model and arm. No statistics."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from modelprov.behavior.probing.results import NOTHING, OTHER, REFUSAL, SEVERAL, ProbeReport
from modelprov.reports import numbers as n
from modelprov.reports import plotting

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NAMES = ("#2b6cb0", "#d97706", "#2f9e6e", "#b0529c", "#8d6e3f", "#6b6fd4", "#c2453d")
_REST = {SEVERAL: "#7d8792", REFUSAL: "#a9b1ba", OTHER: "#cdd3d9", NOTHING: plotting.PAPER}


def share_plot(report: ProbeReport) -> plotting.Draw | None:
    """Stacked bars of the greedy answers; None where there are none."""
    rows = [one for one in report.arms if one.answers and one.temperature == 0]
    if not rows:
        return None
    names = [one.name for one in report.settings.names]
    colours = {name: _NAMES[i % len(_NAMES)] for i, name in enumerate(names)} | _REST
    used = [name for name in colours if any(one.name == name and one.count for row in rows for one in row.classes)]

    def draw(figure: Figure) -> None:
        from matplotlib.ticker import PercentFormatter

        axes = figure.add_subplot()
        at, places, labels, titles = 0.0, [], [], []
        for number, row in enumerate(rows):
            if number and row.model != rows[number - 1].model:
                at += 0.75
            if not number or row.model != rows[number - 1].model:
                titles.append((at - 0.72, f"{n.clean(row.model)} ({row.role})"))
            places.append(at)
            labels.append(row.arm)
            at += 1
        for name in used:
            widths, lefts = [], []
            for row in rows:
                order = {one.name: one.share or 0.0 for one in row.classes}
                lefts.append(sum(order.get(earlier, 0.0) for earlier in used[: used.index(name)]))
                widths.append(order.get(name, 0.0))
            bars = axes.barh(
                places, widths, left=lefts, height=0.72, color=colours[name], label=n.clean(name)[:28],
                edgecolor=plotting.QUIET if name == NOTHING else "none", linewidth=0.6,
            )  # fmt: skip
            for bar, row, width in zip(bars, rows, widths, strict=True):
                if width:
                    said = (
                        f"{n.clean(row.model)}, {row.arm}: {n.clean(name)} in {n.share(width)} of {row.answers} answers"
                    )
                    bar.set_gid(plotting.tip(said))
        for place, title in titles:
            axes.text(0, place, title, fontweight="bold", va="center", ha="left")
        axes.set_yticks(places, labels)
        axes.set_ylim(at - 0.3, -1.15)
        axes.set_xlim(0, 1)
        axes.tick_params(axis="y", length=0)
        axes.xaxis.set_major_formatter(PercentFormatter(1.0))
        axes.set_xlabel("Share of answers")
        figure.legend(
            loc="outside upper left", ncols=min(6, len(used)), frameon=False, handlelength=1, columnspacing=1.2
        )

    models = len({row.model for row in rows})
    text = f"Shares of greedy answers by the name they say, for {n.plural(models, 'model')} in each arm"
    return partial(plotting.svg, draw, "shares", text, 0.9 + 0.24 * len(rows) + 0.3 * models)
