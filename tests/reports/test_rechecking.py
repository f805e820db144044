"""Comparing two reports claim by claim: nothing in the file that can be computed anew escapes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from rich.console import Console

from modelprov.reports.comparison.as_json import load_report, render_json
from modelprov.reports.comparison.report import Report
from modelprov.reports.evidence.rechecking import SMALLEST, WORDING, Rechecked, at, recheck
from modelprov.reports.saving import rendered, show
from tests.reports.samples import SAMPLES

NOT_RECOMPUTED = (
    "command", "environment", "schema_version",
    "settings.device", "settings.memory", "settings.threads", "settings.method",
)  # fmt: skip
OTHER_WORDS = {
    "mode": "sample", "class": "copy", "method": "least squares", "kind": "theoretical null", "role": "control",
}  # fmt: skip


def leaves(value: Any, place: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if "." not in key and "[" not in key:
                yield from leaves(item, f"{place}.{key}" if place else key)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from leaves(item, f"{place}[{number}]")
    else:
        yield place


def edit(data: Any, place: str) -> bool:
    """Change one value into another that still fits the schema; False where there is none to change."""
    parent, _, key = place.rpartition("[" if place.endswith("]") else ".")
    holder = at(data, parent) if parent else data
    index: Any = int(key[:-1]) if place.endswith("]") else key
    value = before = holder[index]
    if isinstance(value, bool):
        value = not value
    elif isinstance(value, int):
        value += 1
    elif isinstance(value, float):
        value = value * (1 + 1e-8) + 1e-8
    elif isinstance(value, str):
        value = OTHER_WORDS.get(str(index), f"{value} ")
    holder[index] = value
    return bool(value != before)


@pytest.fixture(scope="module")
def merge() -> Report:
    report = load_report(render_json(SAMPLES["merge"]()))
    return report.model_copy(
        update={key: getattr(report, key)[:2] for key in ("components", "layers", "cells", "tensors")}
    )


def test_a_report_holds_against_itself() -> None:
    for make in SAMPLES.values():
        report = load_report(render_json(make()))
        assert recheck(report, report).holds


def test_every_value_that_can_be_computed_anew_is_compared(merge: Report) -> None:
    data = json.loads(render_json(merge))
    places = [place for place in leaves(data) if place != "tool" and not place.startswith(NOT_RECOMPUTED)]
    changed = [place for place in places if edit(data, place)]
    found = recheck(load_report(json.dumps(data)), merge)
    assert len(changed) > 150
    assert sorted(one.place for claim in found.claims for one in claim.differences) == sorted(changed)


def test_a_seed_that_is_not_the_one_that_was_asked_for_is_a_difference(merge: Report) -> None:
    environment = merge.environment.model_copy(update={"seed": merge.environment.seed + 1})
    found = recheck(merge.model_copy(update={"environment": environment}), merge)
    assert [one.place for claim in found.claims for one in claim.differences] == ["environment.seed"]


def test_a_row_that_was_edited_removed_or_added_is_a_difference(merge: Report) -> None:
    first = merge.components[0].model_copy(update={"elements": 1})
    found = recheck(merge.model_copy(update={"components": (first, *merge.components[1:])}), merge)
    assert [one.row for claim in found.claims for one in claim.differences] == [merge.components[0].name]
    for rows in (merge.components[:1], (*merge.components, merge.components[0])):
        found = recheck(merge.model_copy(update={"components": rows}), merge)
        assert [claim.claim for claim in found.claims if not claim.holds] == ["components"]


def test_a_warning_that_was_removed_is_a_difference(merge: Report) -> None:
    silent = merge.verdict.model_copy(update={"does_not_show": ()})
    found = recheck(merge.model_copy(update={"verdict": silent}), merge)
    assert [claim.claim for claim in found.claims if not claim.holds] == ["wording"]


def test_numbers_may_differ_by_the_tolerance_and_no_more(merge: Report) -> None:
    assert merge.mixing.alpha is not None
    for change, holds in ((1e-10, True), (1e-8, False)):
        mixing = merge.mixing.model_copy(update={"alpha": merge.mixing.alpha * (1 + change)})
        assert recheck(merge.model_copy(update={"mixing": mixing}), merge).holds is holds
    assert SMALLEST < 1e-11


def test_what_an_older_schema_lacks_is_named_and_what_this_one_lacks_differs(merge: Report) -> None:
    data = json.loads(render_json(merge))
    assert data["reproduction"].pop("programs") is not None
    assert not recheck(load_report(json.dumps(data)), merge).holds
    older = recheck(load_report(json.dumps(data | {"schema_version": "1.0"})), merge)
    assert (older.holds, older.older) == (True, ("reproduction.programs", *WORDING))


def test_the_answer_is_said_in_words_and_as_json(merge: Report) -> None:
    mixing = merge.mixing.model_copy(update={"alpha": 0.5})
    found = recheck(merge.model_copy(update={"mixing": mixing}), merge)
    console = Console(width=80, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    result = Rechecked(found, "r.json", ("Not checked: the moon.",), "2026-11-27T10:00:00+00:00")
    show(result, console)
    text = console.export_text()
    assert "1 OF" in text.splitlines()[0]
    assert "mixing.alpha" in text
    assert "recorded   0.5\n" in text
    assert "the moon" in text
    data = json.loads(rendered("json", result))
    assert data["holds"] is False
    assert [one["claim"] for one in data["claims"] if not one["holds"]] == ["proportion"]
