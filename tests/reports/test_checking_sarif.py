"""SARIF of a check: valid by the official schema, at the card's line, honest about what was not judged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from modelprov.check.results import CheckReport, Location, Severity
from modelprov.reports.checking.sarif import render_sarif
from tests.reports import checks

SCHEMA = json.loads((Path(__file__).parents[1] / "data" / "schemas" / "sarif-2.1.0-rtm.5.json").read_text())
ALL = [checks.passed, checks.found, checks.could_not_judge, checks.hostile]


def run(report: CheckReport, **options: Any) -> Any:
    return json.loads(render_sarif(report, checks.RULES, **options))["runs"][0]


@pytest.mark.parametrize("make", ALL, ids=lambda make: make.__name__)
def test_every_log_fits_the_official_schema_with_its_formats(make: Any) -> None:
    log = json.loads(render_sarif(make(), checks.RULES))
    validator = jsonschema.Draft4Validator(SCHEMA, format_checker=jsonschema.Draft4Validator.FORMAT_CHECKER)
    assert [error.message for error in validator.iter_errors(log)] == []


def test_the_schema_is_one_that_can_refuse() -> None:
    log = json.loads(render_sarif(checks.found(), checks.RULES))
    log["runs"][0]["results"][0]["level"] = "fatal"
    assert not jsonschema.Draft4Validator(SCHEMA).is_valid(log)


def test_results_stand_at_the_line_of_the_card_seen_from_where_the_check_ran() -> None:
    first, whole, accepted, odd, _ = run(checks.found())["results"]
    assert first["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "models/rio/README.md"},
        "region": {"startLine": 3, "startColumn": 5},
    }
    assert whole["locations"][0]["physicalLocation"] == {"artifactLocation": {"uri": "models/rio/"}}
    files = checks.finding("MP404", Location(file="."))
    assert run(checks.passed(findings=(files,)))["results"][0]["locations"] == whole["locations"]
    assert accepted["locations"][0]["physicalLocation"]["region"] == {"startLine": 4, "endLine": 6}
    assert odd["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "models/rio/docs/a%20b%23c.md"


@pytest.mark.parametrize(("folder", "uri"), [(".", "README.md"), ("./", "README.md"), ("a//b/", "a/b/README.md")])
def test_the_way_a_folder_is_written_does_not_change_the_place(folder: str, uri: str) -> None:
    only = checks.finding("MP101", Location(file="README.md", line=1))
    result = run(checks.passed(findings=(only,), folder=folder))["results"][0]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": uri}


@pytest.mark.parametrize(("folder", "base"), [("/data/my rio", "file:///data/my%20rio/"), ("../rio", None)])
def test_a_folder_elsewhere_is_a_base_of_its_own(folder: str, base: str | None) -> None:
    only = checks.finding("MP101", Location(file="README.md", line=1))
    told = run(checks.passed(findings=(only,), folder=folder))
    place = told["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert place == {"uri": "README.md", "uriBaseId": "MODEL"}
    assert told["originalUriBaseIds"]["MODEL"].get("uri") == base


def test_every_region_has_a_line_as_the_final_schema_wants() -> None:
    for make in ALL:
        for result in run(make())["results"]:
            for place in result["locations"]:
                assert place["physicalLocation"].get("region", {"startLine": 1})["startLine"] >= 1


def test_rules_are_described_once_and_results_point_at_them() -> None:
    told = run(checks.found())
    described = told["tool"]["driver"]["rules"]
    assert [one["id"] for one in described] == list(checks.RULES)
    for result in told["results"]:
        assert described[result["ruleIndex"]]["id"] == result["ruleId"]
    assert described[0]["shortDescription"]["text"] == checks.RULES["MP101"].title
    assert [one["defaultConfiguration"]["level"] for one in described] == [
        "error", "error", "error", "warning", "note", "error",
    ]  # fmt: skip
    assert "docs/rules/MP101.md" in described[0]["help"]["text"]
    assert "helpUri" not in described[0]
    with_pages = run(checks.found(), pages="https://example.org/rules/")["tool"]["driver"]["rules"]
    assert with_pages[0]["helpUri"] == "https://example.org/rules/MP101.md"


def test_the_level_is_that_of_the_finding_even_where_a_policy_changed_it() -> None:
    raised = checks.finding("MP202", None).model_copy(update={"severity": Severity.ERROR})
    assert run(checks.passed(findings=(raised,)))["results"][0]["level"] == "error"
    assert [one["level"] for one in run(checks.found())["results"]] == ["error", "error", "error", "warning", "note"]


def test_an_accepted_finding_is_suppressed_with_its_reason_and_the_others_are_not() -> None:
    first, _, accepted, *_ = run(checks.found())["results"]
    assert first["suppressions"] == []
    only = accepted["suppressions"]
    assert [one["status"] for one in only] == ["accepted"]
    assert only[0]["justification"] == "agreed with legal (accepted until 2027-01-31)"


def test_fingerprints_do_not_depend_on_lines_or_text() -> None:
    prints = [one["partialFingerprints"]["modelprovFinding/v1"] for one in run(checks.found())["results"]]
    assert prints == ["MP101-nex", "MP101-qwen", "MP103-", "MP202-", "MP501-"]


def test_what_was_not_judged_is_a_notification_and_no_result() -> None:
    told = run(checks.could_not_judge())
    only = told["invocations"][0]["toolExecutionNotifications"]
    assert told["results"] == []
    assert [one["associatedRule"]["id"] for one in only] == ["MP102"]
    assert only[0]["level"] == "error"
    assert "qwen is not on this machine" in only[0]["message"]["text"]
    assert run(checks.found())["invocations"][0]["toolExecutionNotifications"][0]["level"] == "warning"


@pytest.mark.parametrize(
    ("make", "code", "successful"),
    [(checks.passed, 0, True), (checks.found, 1, True), (checks.could_not_judge, 3, False)],
)
def test_the_exit_code_is_told_and_no_evidence_is_no_success(make: Any, code: int, successful: bool) -> None:
    invocation = run(make())["invocations"][0]
    assert (invocation["exitCode"], invocation["executionSuccessful"]) == (code, successful)
    assert invocation["startTimeUtc"] == "2026-11-25T08:11:12Z"


def test_the_rules_of_the_program_are_described_unless_others_are_given() -> None:
    from modelprov.check.rules import RULES

    told = json.loads(render_sarif(checks.passed(rules=tuple(RULES))))["runs"][0]["tool"]["driver"]["rules"]
    assert [one["id"] for one in told] == list(RULES)
    assert all(one["shortDescription"]["text"] for one in told)


def test_what_was_claimed_and_measured_stands_below_the_message() -> None:
    text = run(checks.found())["results"][0]["message"]["text"]
    assert text.splitlines()[1:] == ["Claimed: no base model", "Measured: 0.565 of nex", "Declare it."]


def test_nothing_is_said_about_version_control() -> None:
    assert "versionControlProvenance" not in render_sarif(checks.found(), checks.RULES)


def test_hostile_text_is_escaped_and_makes_no_link() -> None:
    text = render_sarif(checks.hostile(), checks.RULES)
    assert text.isascii()
    message = json.loads(text)["runs"][0]["results"][0]["message"]["text"]
    assert "\\x1b" in message
    assert "\\[click\\](https" in message
    assert not {"\x00", "\x1b", "\u202e"} & set(message)
