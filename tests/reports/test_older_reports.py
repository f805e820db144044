"""Reports of schema version 1 are read under today's names, and say what the older word meant."""

from __future__ import annotations

import json
from typing import Any

import pytest

from modelprov.errors import UsageError
from modelprov.reports.comparison.as_json import load_report, render_json
from modelprov.reports.comparison.beginning import headline
from modelprov.reports.comparison.older import RENAMED
from modelprov.reports.comparison.words import FORMERLY
from modelprov.reports.evidence.rechecking import recheck
from modelprov.reports.saving import rendered
from tests.reports.samples import SAMPLES

NEW = ("share", "histories", "formerly")


def older(name: str, class_: str, rule: str) -> dict[str, Any]:
    data = json.loads(render_json(SAMPLES[name]()))
    verdict = {key: value for key, value in data["verdict"].items() if key not in NEW}
    return data | {"schema_version": "1.2", "verdict": verdict | {"class": class_, "rule": rule}}


@pytest.mark.parametrize("before", RENAMED, ids=str)
def test_a_class_and_rule_of_before_have_todays_names(before: tuple[str, str]) -> None:
    found = load_report(json.dumps(older("on_line", *before))).verdict
    assert (str(found.class_), found.rule) == RENAMED[before]
    assert found.formerly == (before[0] if before[0] != RENAMED[before][0] else None)


def test_a_class_of_before_with_any_rule_and_those_of_controls_are_renamed() -> None:
    data = older("merge", "finetune", "some rule")
    data["verdict"]["controls"][0]["verdict"] = "merge-then-trained"
    found = load_report(json.dumps(data)).verdict
    assert (found.class_, found.rule) == ("same-origin", "some rule")
    assert found.controls[0].verdict == "on-line"


@pytest.mark.parametrize("kind", ["markdown", "html"])
@pytest.mark.parametrize("class_", FORMERLY)
def test_a_report_of_before_says_what_its_word_meant(class_: str, kind: str) -> None:
    page = " ".join(rendered(kind, load_report(json.dumps(older("on_line", class_, "x")))).split())
    assert f"called this verdict “{class_}”" in page


@pytest.mark.parametrize("broken", [{"verdict": []}, {"verdict": {"class": 3}}, {"verdict": {"controls": [3]}}])
def test_what_is_no_report_of_before_is_refused_and_not_guessed_at(broken: dict[str, Any]) -> None:
    data = older("on_line", "merge-then-trained", "merge-then-trained")
    verdict = broken["verdict"] if isinstance(broken["verdict"], list) else data["verdict"] | broken["verdict"]
    with pytest.raises(UsageError, match="does not fit its schema at verdict"):
        load_report(json.dumps(data | {"verdict": verdict}))


def test_a_report_of_before_holds_where_its_numbers_and_its_class_do() -> None:
    today = SAMPLES["on_line"]()
    data = older("on_line", "merge-then-trained", "merge-then-trained")
    data["verdict"]["summary"] = "Rio-3.5 is about 0.6 × Nex-N2 but for a further change."
    assert recheck(load_report(json.dumps(data)), today).holds
    data["verdict"]["parent"] = "someone"
    assert not recheck(load_report(json.dumps(data)), today).holds


def test_a_headline_gives_the_share_the_place_and_the_bits_that_are_the_same() -> None:
    line, copy, kin = (SAMPLES[name]() for name in ("on_line", "copy", "same_origin"))
    assert headline(line).endswith(
        "between Nex-N2 and Qwen3.5 at 0.601, with 9.80 % of their distance beside it (0.04 % of it read)"
    )
    assert headline(copy) == ">99.99 % of Rio-3.5 is a copy of Qwen3.5"
    assert headline(kin) == ">99.99 % of Rio-3.5 shares its origin with Qwen3.5"
    same = kin.overall.model_copy(update={"equal": {"Qwen3.5": 0.9999}})
    assert headline(kin.model_copy(update={"overall": same})).endswith(", and 99.99 % of its bits")
    part = copy.model_copy(update={"verdict": copy.verdict.model_copy(update={"share": 0.43})})
    assert headline(part) == "43.00 % of Rio-3.5 is a copy of Qwen3.5"
