"""The evaluation report in every format: honest words, foreign text made harmless, the same numbers everywhere."""

from __future__ import annotations

import io
import json
import re
from html.parser import HTMLParser

import pytest
from rich.console import Console

from modelprov.behavior.evaluation.results import EvaluationReport, MethodRecord, ModelRecord, TaskRecord
from modelprov.behavior.evaluation.scoring import Scored, curve, paired_tests, row
from modelprov.behavior.records import BehaviorEnvironment
from modelprov.reports.evaluation import words
from modelprov.reports.saving import rendered, show

HOSTILE = "<script>alert(1)</script>|`x`\u202e\x1b[31m"


def answers(pattern: str, tokens: int) -> list[Scored]:
    kinds = {"r": "right", "w": "wrong", "t": "unfinished thought"}
    return [Scored(place, kinds[one], tokens, tokens // 4, 2) for place, one in enumerate(pattern)]


def sample(patterns, budgets=(None,), model_names=("rio",), task="sums", notes=()) -> EvaluationReport:
    """A report of these patterns of right and wrong, by method; the same for every model and budget."""
    labels = [(name, budget) for budget in budgets for name in patterns]
    methods = tuple(
        MethodRecord(
            label=name if budget is None else f"{name} @{budget}", name=name, budget=budget, samples=1,
            settings={"name": name, "sampling": {"temperature": 0.6}, "max_new_tokens": budget or 1024, "swir": None},
        )
        for name, budget in labels
    )  # fmt: skip
    size = len(next(iter(patterns.values())))
    rows = tuple(
        row(model, method.label, answers(patterns[method.name], method.budget or 40), size, 0)
        for model in model_names for method in methods
    )  # fmt: skip
    return EvaluationReport(
        command=f"modelprov eval {model_names[0]} --task {task}",
        task=TaskRecord(name=task, location=task, digest="d" * 64, questions=tuple(map(str, range(size))),
                        graders={"numeric": size}),
        models=tuple(
            ModelRecord(label=one, location=f"./{one}", digest="a" * 64, digest_covers="everything", template=None,
                        device="cpu", dtype="bfloat16") for one in model_names
        ),
        methods=methods, seed=0, rows=rows, tests=paired_tests(rows, methods, 0), curve=curve(rows, methods),
        notes=tuple(notes), logs=(), answers_reused=0,
        environment=BehaviorEnvironment(modelprov="0", python="3", packages={}, platform="Linux", processor_count=2,
                                device="cpu", dtype="bfloat16", started="2026-01-01T00:00:00", seconds=3.0),
    )  # fmt: skip


def on_terminal(report: EvaluationReport, encoding: str = "utf-8", width: int = 80) -> str:
    raw = io.BytesIO()
    text = io.TextIOWrapper(raw, encoding=encoding)
    show(report, Console(file=text, width=width, force_terminal=False))
    text.flush()
    return raw.getvalue().decode(encoding)


@pytest.fixture(scope="module")
def curved() -> EvaluationReport:
    return sample({"swir": "rrwwrrwwrr", "cot-budget": "rrwwrrwwwr"}, (64, 128), ("rio", "nex"), notes=("Look twice.",))


def test_a_difference_that_chance_makes_is_said_to_be_within_noise():
    report = sample({"cot": "rrrwwwrrrr", "swir": "rrrrwwrrrr"})
    assert words.headline(report).title == "Differences within noise"
    assert words.meaning(report.tests[0]) == "within noise"
    assert "better" not in on_terminal(report).split("What this does not show")[0]
    assert any("equally good" in one for one in words.does_not_show(report))


def test_a_difference_beyond_noise_names_the_better_one_whichever_comes_first():
    for order in (("cot", "swir"), ("swir", "cot")):
        patterns = {"swir": "r" * 12, "cot": "w" * 12}
        report = sample({name: patterns[name] for name in order})
        assert words.headline(report).title == "1 of 1 comparison beyond noise"
        assert "swir is right more often than cot (100.0 points)" in words.headline(report).text
        assert words.meaning(report.tests[0]) == "swir better"


def test_swireasoning_is_credited_only_where_it_beats_every_method_beside_it():
    weak = sample({"swir": "r" * 12, "cot": "r" * 12, "cot-budget": "w" * 12}, (8, 16))
    assert "in 0 of 2 cases" in words.headline(weak).text
    strong = sample({"cot": "w" * 12, "swir": "r" * 12, "cot-budget": "w" * 12}, (8, 16))
    assert "in 2 of 2 cases" in words.headline(strong).text
    assert words.swireasoning(sample({"cot": "r", "cot-budget": "w"})) == ()


def test_one_row_is_an_accuracy_with_its_interval_and_nothing_compared():
    said = words.headline(sample({"cot": "rrrw"}))
    assert said.title == "75.0 % right"
    assert "3 of 4 answers" in said.text
    assert "30.0 to 95.5 %" in said.text


def test_where_nothing_came_to_an_end_nothing_is_claimed():
    report = sample({"cot": "tttt", "swir": "tttt"})
    assert report.graded == 0
    assert words.headline(report).title == "No answer could be graded"


@pytest.mark.parametrize(("value", "text"), [(0.0, "<0.0001"), (0.00009, "<0.0001"), (0.0312, "0.031"), (1.0, "1.00")])
def test_a_p_value_never_reads_as_zero(value, text):
    assert words.p_value(value) == text


def test_every_format_has_the_numbers(curved):
    texts = {
        "terminal": on_terminal(curved),
        "markdown": rendered("markdown", curved).replace("&#8203;", ""),
        "html": rendered("html", curved),
    }
    for name, text in texts.items():
        for expected in ("60.0 %", "cot-budget @64", "swir @128", "Look twice."):
            assert expected.replace(" %", "\u00a0%") in text or expected in text, (name, expected)


def test_the_terminal_fits_eighty_columns_and_ascii(curved):
    for encoding in ("utf-8", "ascii"):
        lines = on_terminal(curved, encoding).splitlines()
        assert max(map(len, lines)) <= 80
        assert all(line == line.rstrip() for line in lines)


def test_json_is_the_whole_report(curved):
    assert EvaluationReport.model_validate_json(rendered("json", curved)) == curved
    assert json.loads(rendered("json", curved))["tool"] == "modelprov eval"
    assert rendered("json", curved).isascii()


def test_the_page_loads_nothing_and_has_a_plot_for_each_model(curved):
    page = rendered("html", curved)
    assert page.count("<svg") == 2
    assert "<script" not in page
    assert not re.search(r'(?:src|href)="(?!#)', page.replace('xlink:href="#', ""))
    identifiers = re.findall(r'\sid="([^"]+)"', page)
    assert len(identifiers) == len(set(identifiers))
    assert rendered("html", curved) == page


def test_without_budgets_there_is_no_curve_in_any_format():
    report = sample({"cot": "rrw", "swir": "rww"})
    assert "<svg" not in rendered("html", report)
    for text in (rendered("html", report), rendered("markdown", report), on_terminal(report)):
        assert "Accuracy against tokens" not in text


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def handle_starttag(self, tag, attrs):  # noqa: ARG002
        self.seen.append(tag)


def test_names_from_outside_are_shown_and_do_nothing():
    report = sample({"swir": "rw", "cot": "wr"}, (8,), (HOSTILE, "b"), HOSTILE, (HOSTILE,))
    page = rendered("html", report)
    tags = _Tags()
    tags.feed(page)
    assert "script" not in tags.seen
    for text in (page, on_terminal(report), rendered("markdown", report)):
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert "<script>" not in re.sub(r"```.*?```", "", rendered("markdown", report), flags=re.DOTALL)
