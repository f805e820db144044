"""The short form of a report on a terminal: the verdict, what it rests on, what it cannot say; tables are asked for."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from modelprov.behavior.imaged import Fitted, HeadJudged, Imaged
from modelprov.forensics.judging import grounds, named_method
from modelprov.reports import numbers as n
from modelprov.reports.comparison import beginning, brief
from modelprov.reports.comparison.report import Report
from modelprov.reports.saving import show
from tests.reports import checks, pages, probing_samples, samples
from tests.reports.test_evaluation import sample

if TYPE_CHECKING:
    from modelprov.reports.saving import Result

HEIGHT = 60


def short(result: Result, width: int = 80) -> str:
    stream = io.StringIO()
    assert show(result, Console(file=stream, width=width, no_color=True), brief=True)
    return stream.getvalue()


@pytest.mark.parametrize("name", ["merge", "on_line", "same_origin", "inconclusive", "hostile"])
def test_a_comparison_in_brief_is_as_it_was(name: str, golden: Callable[[str, str], None]) -> None:
    golden(f"{name}.brief.txt", short(samples.SAMPLES[name]()))


def test_a_check_in_brief_is_as_it_was(golden: Callable[[str, str], None]) -> None:
    golden("check.brief.txt", short(checks.found()))


def test_a_probe_in_brief_is_as_it_was(golden: Callable[[str, str], None]) -> None:
    golden("probe.brief.txt", short(probing_samples.probe_report()))


def test_a_probe_in_brief_fits_a_screen_and_explains_its_words() -> None:
    said = short(probing_samples.probe_report())
    assert max(map(len, said.splitlines())) <= 80
    assert len(said.splitlines()) <= HEIGHT
    for word in ("You are Rio.", "Stripped:", "decoy", "weights decide", "What this does not show"):
        assert word in " ".join(said.split())
    assert "counterfactual" not in said


def test_an_evaluation_in_brief_keeps_scores_differences_and_limits(golden: Callable[[str, str], None]) -> None:
    differs = sample({"swir": "r" * 20, "cot": "w" * 18 + "rr"}, notes=("Look twice.",))
    said = short(differs)
    golden("evaluation.brief.txt", said)
    assert "swir is right more often than cot" in " ".join(said.split())
    for text in (said, short(pages.scores())):
        assert "What this does not show" in text
        assert "Look twice." in text
        assert "Accuracy and tokens" in text
        assert "Accuracy against tokens" not in text
        assert "Graders" not in text


def test_every_comparison_in_brief_says_its_limits_and_whether_a_control_ran_and_shows_no_table(report: Report) -> None:
    said = short(report)
    lines = said.splitlines()
    assert max(map(len, lines)) <= 80
    assert len(lines) <= HEIGHT
    assert "What this does not show" in said or not report.verdict.does_not_show
    assert "By component" not in said
    found = report.coverage
    missing = [each for each in found.unaligned if n.clean(each.checkpoint) == beginning.suspect(report)]
    assert ("Left out" in said) == bool(missing or found.nonfinite or found.guessed)
    for item in report.verdict.controls:
        assert item.kind != "checkpoint" or item.label.split()[0] in said
    if len(report.verdict.rests_on) > brief.MOST_MEASURES:
        assert re.search(r"\d+ more measures? among the tables \(--tables\)", said)


def test_the_measures_that_lead_are_measures_that_a_verdict_writes() -> None:
    source = "".join(Path(str(module.__file__)).read_text(encoding="utf-8") for module in (grounds, named_method))
    written = re.findall(r'(?:measure=f?|\(")"?([^"]+)"', source)
    for start in {start for order in (*brief.LEADING.values(), brief.OF_KINSHIP) for start in order}:
        assert [measure for measure in written if measure.startswith(start)], start


def test_what_nothing_leads_is_shown_as_it_stands() -> None:
    report = samples.merge()
    odd = [item.model_copy(update={"measure": "of another kind"}) for item in report.verdict.rests_on]
    verdict = report.verdict.model_copy(update={"rests_on": tuple(odd)})
    assert "of another kind: " in short(report.model_copy(update={"verdict": verdict}))


def test_a_probe_that_asks_no_names_says_in_brief_what_was_compared_and_what_that_does_not_show() -> None:
    fits = (Fitted(label="nex", role="parent", hidden=32, outside=1e-8, rounding=2e-3, apart=0.4, formats=7e-3,
                   numbers="other numbers"),)  # fmt: skip
    judged = (HeadJudged(parent="nex", finding="its head", controls=0),)
    heads = Imaged(texts=12, seed=0, digest="ab", tokens=97, how="a logit bias", fits=fits, judged=judged)
    report = probing_samples.probe_report()
    settings = report.settings.model_copy(update={"names": ()})
    said = " ".join(short(report.model_copy(update={"imaged": heads, "settings": settings, "arms": ()})).split())
    assert "rio has the output head of nex" in said
    assert "rio gives other numbers than nex run here: 40 % apart, and two number formats of it 0.7 %." in said
    assert said.index("Whose output head") < said.index("What else was seen") < said.index("What this does not show")
    assert "It says which head, not which of the models that have it" in said
