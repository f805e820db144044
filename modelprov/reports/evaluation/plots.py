"""The plots of an evaluation report, each as a function that draws it. No statistics."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from modelprov.behavior.evaluation.results import CurvePoint, EvaluationReport
from modelprov.reports import numbers as n
from modelprov.reports.plotting import ACCENT, FAINT, INK, PAPER, QUIET, Draw, answering, svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LOOKS = {
    "swir": ("o", ACCENT, "-"), "cot-budget": ("s", INK, "-"), "cot": ("^", QUIET, "--"),
    "cot-greedy": ("D", QUIET, ":"), "soft-gumbel": ("v", ACCENT, "--"), "multiplex": ("P", ACCENT, ":"),
}  # fmt: skip


def accuracy_against_tokens(report: EvaluationReport, model: str) -> Draw | None:
    """Accuracy against tokens spent, a line for each method, intervals as bars; None without budgets."""
    points = [one for one in report.curve if one.model == model]
    if not points:
        return None

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        for method in dict.fromkeys(one.method_name for one in points):
            _line(axes, [one for one in points if one.method_name == method])
        for budget in sorted({one.budget for one in points}):
            top = max((one for one in points if one.budget == budget), key=lambda one: one.accuracy)
            axes.annotate(
                f"{budget:,}", (top.tokens, top.accuracy), xytext=(-4, 6), textcoords="offset points", color=QUIET,
                fontsize=8, horizontalalignment="right",
            )  # fmt: skip
        front = sorted((one.tokens, one.accuracy) for one in points if one.on_front)
        axes.step([x for x, _ in front], [y for _, y in front], where="post", color=FAINT, linewidth=5, zorder=1)
        axes.grid(axis="y")
        axes.set_axisbelow(True)
        axes.set_ylim(-0.03, 1.03)
        axes.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
        axes.set_ylabel("Accuracy")
        axes.set_xlabel("Tokens spent per answer")
        axes.margins(x=0.08)
        axes.legend(loc="best", frameon=False, labelcolor=INK)

    lows, highs = min(one.accuracy for one in points), max(one.accuracy for one in points)
    described = (
        f"{n.clean(model)}: accuracy from {n.share(lows, 1)} to {n.share(highs, 1)} over "
        f"{n.plural(len({one.budget for one in points}), 'budget')}; the table below has the values"
    )
    return partial(svg, draw, f"tokens-{report.models.index(_record(report, model))}", described, 3.6)


def _record(report: EvaluationReport, model: str) -> object:
    return next(one for one in report.models if one.label == model)


def _line(axes: Axes, points: list[CurvePoint]) -> None:
    mark, colour, dashes = _LOOKS.get(points[0].method_name, ("o", INK, "-"))
    ordered = sorted(points, key=lambda one: one.budget)
    x, y = [one.tokens for one in ordered], [one.accuracy for one in ordered]
    below = [max(0.0, one.accuracy - one.low) for one in ordered]
    above = [max(0.0, one.high - one.accuracy) for one in ordered]
    axes.errorbar(
        x, y, (below, above), color=colour, marker=mark, linestyle=dashes, markersize=5, linewidth=1.2,
        elinewidth=0.9, capsize=2, markeredgecolor=PAPER, label=points[0].method_name, zorder=3,
    )  # fmt: skip
    for point in ordered:
        answering(
            axes, point.tokens, point.accuracy,
            f"{point.method_name}, budget {point.budget:,}: {n.share(point.accuracy)} right, interval "
            f"{n.share(point.low)} to {n.share(point.high)}, {n.number(point.tokens)} tokens an answer",
        )  # fmt: skip
