"""The page says what the result holds, and every case of ours that was not right has its reason."""

from __future__ import annotations

import numpy as np

from benchmarks.lineage import page, published, run, sets
from benchmarks.lineage.extent import extent, sentence
from benchmarks.lineage.sorts import SORTS, Identity, cases


def test_the_tables_of_the_page_are_those_of_its_results() -> None:
    text = page.PAGE.read_text(encoding="utf-8")
    for size in page.RESULTS:
        assert page.filled(text, page.results(size)) == text, f"run: benchmarks.lineage.run --size {size} --write"


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


def test_a_run_that_was_stopped_says_how_far_it_got_of_every_sort() -> None:
    sets.use(None)
    every = list(cases("large"))
    names = {case.sort for case in every}
    part = [case for case in every if case.number < 10]
    found = extent("large", part)
    assert (found["sorts"], found["of sorts"], found["fewest"]) == (len(names), len(names), 10)
    assert found["whole"] == sum(SORTS[name].large <= 10 for name in names)
    assert "at least the first 10" in sentence(found, "2026-11-28")
    one_less = extent("large", [case for case in part if case != Identity("two parents", 9)])
    assert one_less["fewest"] == 9
    whole = extent("large", every)
    assert (whole["cases"], whole["whole"], sum(whole["groups"].values())) == (len(every), len(names), len(every))
    assert sentence(whole, "2026-11-28") == f"2026-11-28: all {len(every):,} cases."


def test_the_large_set_is_asked_the_first_of_every_sort_then_the_second_and_nothing_twice() -> None:
    sets.use(None)
    rows = [{"case": "two parents", "number": 0, "peer": page.OURS}]
    asked = [task[0] for task in run.open_tasks("large", [page.OURS], rows, "", "")]
    numbers = [case.number for case in asked]
    assert numbers == sorted(numbers)
    assert Identity("two parents", 0) not in asked
    assert len({*asked}) == len(asked) == sum(1 for _ in cases("large")) - 1
