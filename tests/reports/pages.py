"""Every kind of page once with plain and once with hostile content, for the tests of markup and of the browser."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from modelprov.reports.case.files import render_case
from modelprov.reports.case.telling import Case, Known
from modelprov.reports.checking.files import render_html as check_page
from modelprov.reports.comparison.html import render_html as comparison_page
from modelprov.reports.evaluation.html import render_html as evaluation_page
from modelprov.reports.probing.html import render_probe_html
from tests.reports import checks, samples
from tests.reports.probing_samples import probe_report
from tests.reports.test_evaluation import HOSTILE, sample

LONG = "a" * 300


def scores(hostile: bool = False) -> object:
    """An evaluation of two models, with budgets."""
    names = (f"{HOSTILE}{LONG}", "nex") if hostile else ("rio", "nex")
    return sample({"swir": "rrwwrrwwrr", "cot-budget": "rrwwrrwwwr"}, (64, 128), names, notes=("Look twice.",))


def case(hostile: bool = False) -> Case:
    """All four parts, which nothing but luck ties together."""
    known = (Known(LONG if hostile else "rio", "a merge", "merge"),)
    return Case(
        samples.hostile() if hostile else samples.merge(),
        probe=probe_report(hostile=hostile), evaluation=scores(hostile),  # type: ignore[arg-type]
        check=checks.hostile() if hostile else checks.found(), known=known, missing=LONG if hostile else "",
    )  # fmt: skip


PAGES: dict[str, Callable[[], str]] = {
    **{f"compare {name}": lambda make=make: comparison_page(make()) for name, make in samples.SAMPLES.items()},
    "probe": lambda: render_probe_html(probe_report()),
    "probe hostile": lambda: render_probe_html(probe_report(hostile=True)),
    "eval": lambda: evaluation_page(scores()),  # type: ignore[arg-type]
    "eval hostile": lambda: evaluation_page(scores(hostile=True)),  # type: ignore[arg-type]
    "check": lambda: check_page(checks.found()),
    "check passed": lambda: check_page(checks.passed()),
    "check not judged": lambda: check_page(checks.could_not_judge()),
    "check hostile": lambda: check_page(checks.hostile()),
    "case": lambda: render_case(case()),
    "case hostile": lambda: render_case(case(hostile=True)),
    "case of claims": lambda: render_case(Case(check=checks.could_not_judge())),
    "case of names": lambda: render_case(Case(probe=probe_report())),
    "case of scores": lambda: render_case(Case(evaluation=scores())),  # type: ignore[arg-type]
}


@cache
def page(name: str) -> str:
    """The page of this name; rendered once, since plots take a while."""
    return PAGES[name]()
