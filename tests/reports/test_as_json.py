"""JSON holds everything, fits its published schema, and comes back unchanged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from modelprov.errors import UsageError
from modelprov.reports.comparison.as_json import load_report, render_json
from modelprov.reports.comparison.report import Report
from tests.calls import calls
from tests.reports import samples
from tests.reports.sample_parts import measures

SCHEMA = Path(__file__).parents[2] / "docs" / "report.schema.json"


def refuse(text: str) -> Any:
    pytest.fail(f"{text} is not JSON")


@pytest.mark.parametrize("name", sorted(samples.SAMPLES.keys() - {"not_finite"}))
def test_the_report_comes_back_unchanged(name: str) -> None:
    report = samples.SAMPLES[name]()
    assert load_report(render_json(report)) == report


def test_the_output_fits_the_published_schema(report: Report) -> None:
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))
    data = json.loads(render_json(report))
    for rows in ("tensors", "cells"):
        data[rows] = data[rows][:20]  # the rest is alike, and validation is slow
    validator.validate(data)


def test_there_is_no_nan_or_infinity(report: Report) -> None:
    json.loads(render_json(report), parse_constant=refuse)


def test_numbers_that_are_not_finite_become_null() -> None:
    row = json.loads(render_json(samples.not_finite()))["overall"]
    assert row["alpha"] is row["low"] is row["least_squares"]["z"] is row["raw_correlation"]["Qwen3.5"] is None
    assert load_report(render_json(samples.not_finite())).overall.alpha is None


def test_keys_are_all_there_and_in_order() -> None:
    full, bare = (json.loads(render_json(report)) for report in (samples.merge(), samples.inconclusive()))
    assert list(full) == list(bare) == list(Report.model_fields)
    assert list(full["overall"]) == list(bare["overall"])
    assert full["verdict"]["class"] == "merge"


def test_rows_stand_one_to_a_line_in_ascii() -> None:
    text = render_json(samples.merge())
    assert text.isascii()
    assert text.endswith("}\n")
    name = samples.merge().tensors[7].name
    line = next(line for line in text.splitlines() if name in line)
    assert json.loads(line.strip().rstrip(","))["name"] == name


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("not json", "not JSON"),
        ("[]", "no schema_version"),
        ("{}", "no schema_version"),
        ('{"schema_version": "9.0"}', "schema version 9.0"),
        ('{"schema_version": "1.0"}', "does not fit its schema at command"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_what_is_no_report_is_refused_with_advice(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        load_report(text)
    assert caught.value.advice


def with_tensors(names: list[str]) -> Report:
    """A report of a merge with these tensors."""
    row = measures("a tensor", "experts", 3)
    rows = tuple(row.model_copy(update={"name": name}) for name in names)
    return samples.merge().model_copy(update={"tensors": rows})


def test_a_name_that_looks_like_the_border_of_two_rows_stays_on_its_line() -> None:
    hostile = ['a}, {"name": "b', "}, {", '},\n    {"name', "c"]
    text = render_json(with_tensors(hostile))
    rows = [json.loads(line.rstrip(",")) for line in text.splitlines() if line.startswith('    {"name"')]
    assert [row["name"] for row in rows[-4:]] == hostile
    assert [row["name"] for row in json.loads(text)["tensors"]] == hostile


def test_a_tensor_more_costs_few_calls_in_a_report() -> None:
    few, many = (with_tensors([f"tensor {number}" for number in range(size)]) for size in (100, 600))
    render_json(few)
    assert (calls(lambda: render_json(many)) - calls(lambda: render_json(few))) / 500 < 8
