"""The page says what the result holds, and every case of ours that was not right has its reason."""

from __future__ import annotations

import numpy as np

from benchmarks.lineage import page, published


def test_the_tables_of_the_page_are_those_of_its_results() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.filled(text, page.results()) == text, "run: python -m benchmarks.lineage.run --write"


def test_every_case_of_ours_that_was_not_right_says_why_and_what_would_settle_it() -> None:
    found = page.results()
    assert found["open"]
    assert all(each["why"] and each["settled_by"] for each in found["open"])
    ours = found["tools"][page.OURS]
    false = sum(held["count"] for held in ours["false"].values())
    assert sum(len(each["false"]) for each in found["open"]) == false


def test_gains_of_norms_are_alike_and_their_patterns_are_not() -> None:
    raw, centred = published.cosines_of_gains(np.random.default_rng(0), 0.1)
    assert raw > 0.985
    assert abs(centred) < 0.06


def test_curves_of_one_trend_correlate_though_they_are_independent() -> None:
    found = published.correlations_of_curves(np.random.default_rng(0), 0.9, 500)
    assert 0.87 < np.median(found) < 0.93
    assert abs(np.median(published.correlations_of_curves(np.random.default_rng(0), 0.0, 500))) < 0.05
