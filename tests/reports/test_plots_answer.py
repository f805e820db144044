"""Points of a plot say what they are: under a pointer and on the keyboard, without script."""

from __future__ import annotations

import re

import pytest
from lxml import html

from modelprov.reports import numbers as n
from modelprov.reports.comparison.plots import alpha_by_layer, collinearity_by_layer, coverage_curve, heatmap
from tests.reports import pages, samples


@pytest.mark.parametrize("plot", [alpha_by_layer, collinearity_by_layer])
def test_each_layer_of_a_plot_says_its_number_and_can_be_reached_by_keyboard(plot: object) -> None:
    report = samples.merge()
    draw = plot(report)  # type: ignore[operator]
    assert draw is not None
    source = draw()
    points = html.fragment_fromstring(source).xpath(".//*[@class='tipped']")
    known = [row.layer for row in report.layers if row.least_squares.collinearity is not None]
    assert [int(re.search(r"Layer (\d+)", each[0].text)[1]) for each in points] == known  # type: ignore[index]
    assert all(each.get("tabindex") == "0" and each.get("aria-label") == each[0].text for each in points)
    assert "tip-" not in source
    if plot is alpha_by_layer:
        assert all("interval [" in each[0].text for each in points)


def test_each_cell_of_a_map_says_place_value_interval_and_share_and_a_keyboard_reaches_each_row() -> None:
    report = samples.merge()
    draw = heatmap(report, lambda row: row.alpha, "alpha-map", "α")
    assert draw is not None
    drawn = html.fragment_fromstring(draw())
    cells = drawn.xpath(".//*[@class='cells']/*")
    placed = [row for row in report.cells if row.layer is not None and row.component is not None]
    said = [each[0].text for each in cells if len(each)]
    assert len(said) == len(placed)
    assert {re.match(r"Layer (\d+), ([^:]+): α ", each).groups() for each in said} == {  # type: ignore[union-attr]
        (str(row.layer), row.component) for row in placed
    }
    assert all("of the weights compared" in each for each in said)
    assert any("interval [" in each for each in said)
    rows = drawn.xpath(".//*[@class='tipped']")
    assert len(rows) == len({row.component for row in placed})
    assert all(each.get("tabindex") == "0" and ", α: " in each.get("aria-label") for each in rows)


def test_the_curve_of_coverage_says_its_highest_point() -> None:
    report = samples.merge()
    draw = coverage_curve(report)
    assert draw is not None
    points = html.fragment_fromstring(draw()).xpath(".//*[@class='tipped']")
    best = max(report.mixing.coverage_curve, key=lambda point: point.share or 0)
    assert f"α {n.number(best.alpha)}: {n.share(best.share)} of the rounding cells hold it" in [
        each[0].text for each in points
    ]


def test_bars_of_a_probe_and_points_of_an_evaluation_answer_too() -> None:
    for kind, says in (("probe", " answers"), ("eval", " tokens an answer")):
        page = html.document_fromstring(pages.page(kind))
        answers = [each[0].text for each in page.xpath("//*[@class='tipped']")]
        assert answers, kind
        assert all(each.endswith((says, " answer")) for each in answers)
