"""What every form of a probe's report owes its reader."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from modelprov.behavior.probing.results import ArmResult, ProbeReport
from modelprov.errors import UsageError
from modelprov.reports.as_json import load_probe
from modelprov.reports.probing import tables as t
from modelprov.reports.probing import words as w
from modelprov.reports.saving import rendered, show
from tests.reports.probing_samples import HOSTILE, arm, probe_report
from tests.reports.test_renderers import Page, on_page

KINDS = ("terminal", "markdown", "html")


def on_terminal(report: ProbeReport, width: int = 80, encoding: str = "utf-8") -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="")
    show(report, Console(file=stream, width=width, legacy_windows=False))
    stream.seek(0)
    return stream.read()


def shown(report: ProbeReport, kind: str) -> str:
    if kind == "terminal":
        return " ".join(on_terminal(report).replace("│", " ").split())
    return on_page(rendered("html", report)) if kind == "html" else rendered("markdown", report)


@pytest.mark.parametrize("kind", KINDS)
def test_every_form_says_the_finding_the_hidden_prompt_the_code_and_the_limits(kind):
    text = shown(probe_report(), kind)
    for part in (
        "rio says Rio with its hidden prompt, Nex without",
        "You are Rio.",
        "custom_generate/generate.py",
        "weights decide",
        "2411.10683",
        "no estimate of how much",
        "The server adds 17 tokens",
        "no system role",
        "as shipped",
        "stripped",
    ):
        assert part in text, part


@pytest.mark.parametrize("kind", KINDS)
def test_every_share_comes_with_its_interval(kind):
    text = shown(probe_report(), kind).replace("\\[", "[")
    assert "98 % [93, 100]" in text
    assert "90 % [84, 95]" in text


def test_the_interval_of_a_share_is_rounded_so_that_it_holds_the_bounds():
    share = probe_report().arms[0].classes[0].model_copy(update={"share": 95 / 120, "low": 0.7109, "high": 0.8549})
    assert w.interval(share) == "79 % [71, 86]"


def test_the_headline_does_not_speak_of_a_hidden_prompt_where_there_is_none():
    report = probe_report()
    plain = report.model_copy(
        update={"models": (report.models[0].model_copy(update={"hidden_prompts": ()}), report.models[1])}
    )
    assert w.headline(plain) == "rio mostly names Rio"


def shipped_as(report: ProbeReport, counts=None, reason=None, **models) -> ProbeReport:
    """The sample, with other greedy answers of the suspect as shipped; `models` change the suspect."""
    first = ArmResult(model="rio", role="suspect", arm="as shipped", sampling="greedy", temperature=0.0, reason=reason)
    if counts is not None:
        first = arm("rio", "suspect", "as shipped", counts)
    suspect = report.models[0].model_copy(update={"hidden_prompts": (), **models})
    return report.model_copy(update={"arms": (first, *report.arms[2:]), "models": (suspect, report.models[1])})


def test_a_name_that_less_than_half_of_the_answers_say_is_not_what_it_mostly_names():
    assert w.headline(shipped_as(probe_report(), {"Rio": 40, "other": 60})) == (
        "rio names Rio most, in 40 % [35, 45] of its answers"
    )
    assert w.headline(shipped_as(probe_report(), {"other": 60})) == "rio says none of the declared names"


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_that_could_not_be_asked_is_not_one_that_says_no_name(kind):
    report = shipped_as(probe_report(), reason="the chat template did not finish")
    assert w.headline(report) == "rio could not be asked as shipped: the chat template did not finish"
    text = shown(report, kind)
    assert "rio could not be asked as shipped: the chat template did not finish" in text
    assert "none of the declared names." not in text
    assert "Without what its template adds, it says Nex" in text


def test_empty_answers_are_no_answer_and_not_an_answer_without_a_name():
    report = shipped_as(probe_report(), {"no answer": 108})
    assert w.headline(report).startswith("rio gave no answer as shipped: ")
    assert w.suspect_silent(report)
    assert w.suspect_silent(probe_report()) is None
    sampled = report.model_copy(update={"arms": (*report.arms, probe_report().arms[1])})
    assert w.headline(sampled).startswith("rio gave no greedy answer as shipped: ")
    assert w.suspect_silent(sampled) is None


def test_a_model_without_a_template_is_spoken_of_as_it_answers_without_one():
    report = shipped_as(probe_report(), reason="it has no chat template", templates=())
    bare = arm("rio", "suspect", "no template", {"Nex": 90, "other": 10})
    settings = report.settings.model_copy(update={"arms": ("as shipped", "no template")})
    report = report.model_copy(update={"arms": (report.arms[0], bare), "settings": settings})
    assert w.headline(report) == "rio, no template, mostly names Nex"
    assert w.suspect_silent(report) is None


def test_arms_that_could_not_be_asked_for_one_reason_stand_in_one_sentence():
    report = probe_report()
    two = [ArmResult(model="rio", role="suspect", arm=name, sampling="greedy", temperature=0.0, reason="it loops")
           for name in ("neutral system", "counterfactual")]  # fmt: skip
    said = w.findings(report.model_copy(update={"arms": (*report.arms, *two)}))
    assert "rio could not be asked (neutral system, counterfactual): it loops." in said


def test_without_parents_or_controls_the_report_says_what_is_missing():
    report = probe_report()
    assert any("no --control was given" in one for one in report.does_not_show)
    assert not any("no --parent was given" in one for one in report.does_not_show)


def test_all_models_and_arms_stand_in_one_table_and_one_plot():
    report = probe_report()
    rows = t.greedy_table(report).rows
    assert [row[:2] for row in rows] == [
        ("rio (suspect)", "as shipped"), ("rio (suspect)", "stripped"), ("nex (parent)", "as shipped"),
        ("nex (parent)", "stripped (= as shipped)"),
    ]  # fmt: skip
    page = rendered("html", report)
    assert page.count("<svg") == 1


def test_the_likeliest_alias_stands_for_a_name():
    (row,) = t.probability_table(probe_report()).rows
    assert row[2:4] == ("-0.75", "-3.25")


def test_the_terminal_fits_80_columns_and_ascii():
    for encoding in ("utf-8", "ascii"):
        text = on_terminal(probe_report(), encoding=encoding)
        assert max(map(len, text.splitlines())) <= 80
    assert text.isascii()


def test_foreign_text_cannot_become_markup():
    report = probe_report(hostile=True)
    page = rendered("html", report)
    assert {tag for tag, _ in Page(page).tags} & {"script", "b", "a"} <= {"a"}
    assert "alert(1)" in page
    markdown = rendered("markdown", report)
    assert "<script>" not in markdown.split("```")[0]
    for text in (page, markdown, on_terminal(report)):
        assert "\u202e" not in text
    assert HOSTILE in json.loads(rendered("json", report))["examples"][0]["answer"]


def test_the_page_loads_nothing_and_runs_nothing():
    tags = Page(rendered("html", probe_report())).tags
    assert not {tag for tag, _ in tags} & {"script", "link", "img", "iframe"}
    assert all(not str(value).startswith(("http", "//")) for _, attributes in tags for value in attributes.values())


def test_json_comes_back_as_it_was():
    report = probe_report()
    text = rendered("json", report)
    assert text.isascii()
    assert load_probe(text) == report


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"tool": "modelprov compare", "schema_version": "1.0"}'])
def test_another_json_is_no_report_of_a_probe(text):
    with pytest.raises(UsageError):
        load_probe(text)


def test_a_newer_major_version_is_refused():
    data = json.loads(rendered("json", probe_report())) | {"schema_version": "2.0"}
    with pytest.raises(UsageError, match=r"2\.0"):
        load_probe(json.dumps(data))
