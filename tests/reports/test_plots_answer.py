"""Points of a plot say what they are: under a pointer and on the keyboard, without script."""

from __future__ import annotations

import re

import pytest
from lxml import html

from modelprov.reports.comparison.plots import alpha_by_layer, collinearity_by_layer
from tests.reports import samples


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
