"""Every kind of page once with plain and once with hostile content, for the tests of markup and of the browser."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from modelprov.behavior.evaluation.results import EvaluationReport
from modelprov.reports.case.parts import Case, Known
from modelprov.reports.saving import rendered
from tests.reports import atlases, checks, samples, short_answers
from tests.reports.probing_samples import probe_report
from tests.reports.test_evaluation import HOSTILE, sample

if TYPE_CHECKING:
    from modelprov.reports.saving import Result

LONG = "a" * 300


def scores(hostile: bool = False) -> EvaluationReport:
    """An evaluation of two models, with budgets."""
    names = (f"{HOSTILE}{LONG}", "nex") if hostile else ("rio", "nex")
    return sample({"swir": "rrwwrrwwrr", "cot-budget": "rrwwrrwwwr"}, (64, 128), names, notes=("Look twice.",))


def case(hostile: bool = False) -> Case:
    """All four parts, which nothing but luck ties together."""
    known = (Known(LONG if hostile else "rio", "a merge", "merge"),)
    return Case(
        samples.hostile() if hostile else samples.merge(),
        probe=probe_report(hostile=hostile), evaluation=scores(hostile),
        check=checks.hostile() if hostile else checks.found(), known=known, missing=LONG if hostile else "",
    )  # fmt: skip


RESULTS: dict[str, Callable[[], Result]] = {
    **{f"compare {name}": make for name, make in samples.SAMPLES.items()},
    "probe": probe_report,
    "probe hostile": lambda: probe_report(hostile=True),
    "eval": scores,
    "eval hostile": lambda: scores(hostile=True),
    "check": checks.found,
    "check passed": checks.passed,
    "check not judged": checks.could_not_judge,
    "check hostile": checks.hostile,
    "inspect": short_answers.inspection,
    "inspect hostile": short_answers.hostile_inspection,
    "verify": short_answers.verified,
    "verify reproduced": short_answers.reproduced,
    "verify hostile": lambda: short_answers.verified(short_answers.verification(HOSTILE), HOSTILE),
    "recheck": short_answers.rechecked,
    "recheck holds": short_answers.holding,
    "attest": short_answers.confirmed,
    "attest fails": lambda: short_answers.confirmed(good=False),
    "atlas": atlases.drawn,
    "atlas hostile": atlases.hostile,
    "case": case,
    "case hostile": lambda: case(hostile=True),
    "case of claims": lambda: Case(check=checks.could_not_judge()),
    "case of names": lambda: Case(probe=probe_report()),
    "case of scores": lambda: Case(evaluation=scores()),
}


@cache
def page(name: str) -> str:
    """The page of this name; rendered once, since plots take a while."""
    return rendered("html", RESULTS[name]())
