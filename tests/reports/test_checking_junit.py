"""JUnit XML of a check: valid by the schema that Jenkins uses, one case a rule, nothing green without evidence."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from lxml import etree

from modelprov.check.results import CheckReport
from modelprov.reports.checking.junit import render_junit, safe
from tests.reports import checks

SCHEMA = etree.XMLSchema(etree.parse(str(Path(__file__).parents[1] / "data" / "schemas" / "junit-10.xsd")))
ALL = [checks.passed, checks.found, checks.could_not_judge, checks.hostile]


def cases(report: CheckReport) -> dict[str, ElementTree.Element]:
    suite = ElementTree.fromstring(render_junit(report, checks.RULES))
    return {str(one.get("name")).split()[0]: one for one in suite.iter("testcase")}


def kinds(report: CheckReport) -> dict[str, list[str]]:
    return {name: [child.tag for child in case] for name, case in cases(report).items()}


@pytest.mark.parametrize("make", ALL, ids=lambda make: make.__name__)
def test_every_file_fits_the_schema(make: Any) -> None:
    SCHEMA.assertValid(etree.fromstring(render_junit(make(), checks.RULES).encode()))


def test_the_schema_is_one_that_can_refuse() -> None:
    broken = render_junit(checks.found(), checks.RULES).replace("<failure", "<fault").replace("</failure", "</fault")
    assert not SCHEMA.validate(etree.fromstring(broken.encode()))


def test_there_is_one_case_a_rule_and_each_says_what_became_of_it() -> None:
    assert kinds(checks.found()) == {
        "MP101": ["failure"],
        "MP102": ["skipped"],
        "MP103": ["system-out"],
        "MP202": ["system-out"],
        "MP501": ["system-out"],
        "MP404": [],
    }
    assert set(map(tuple, kinds(checks.passed()).values())) == {()}


def test_a_required_rule_that_could_not_be_judged_is_an_error_and_not_green() -> None:
    assert kinds(checks.could_not_judge())["MP102"] == ["error"]
    suite = ElementTree.fromstring(render_junit(checks.could_not_judge(), checks.RULES))
    assert suite.get("errors") == "1"


def test_all_findings_of_a_rule_are_in_its_failure_with_their_place() -> None:
    text = cases(checks.found())["MP101"].findtext("failure") or ""
    assert "about nex" in text
    assert "about qwen" in text
    assert "at: README.md:3" in text
    assert "claimed: no base model" in text


def test_an_accepted_finding_is_output_with_its_reason_and_fails_nothing() -> None:
    text = cases(checks.found())["MP103"].findtext("system-out") or ""
    assert "accepted, until 2027-01-31 (agreed with legal)" in text


def test_the_counts_are_those_of_the_cases() -> None:
    suites = ElementTree.fromstring(render_junit(checks.found(), checks.RULES))
    (suite,) = suites
    for one in (suites, suite):
        assert (one.get("tests"), one.get("failures"), one.get("errors")) == ("6", "1", "0")
    assert suite.get("skipped") == "1"


def test_a_rule_that_failed_and_was_partly_not_judged_tells_both() -> None:
    absent = checks.could_not_judge().not_judged[0].model_copy(update={"rule": "MP101", "required": False})
    case = cases(checks.found(not_judged=(absent,)))["MP101"]
    assert [child.tag for child in case] == ["failure", "system-out"]
    assert "not judged: qwen is not on this machine" in (case.findtext("system-out") or "")


@pytest.mark.parametrize("number", [0, 8, 11, 27, 31, 0xD800, 0xDFFF, 0xFFFE, 0xFFFF])
def test_characters_that_xml_cannot_hold_become_escapes(number: int) -> None:
    assert safe(f"a{chr(number)}b") == f"a{chr(number).encode('unicode_escape').decode()}b"


@pytest.mark.parametrize("number", [9, 10, 13, 32, 0xD7FF, 0xE000, 0xFFFD, 0x10000, 0x10FFFF])
def test_characters_that_xml_can_hold_survive(number: int) -> None:
    parsed = etree.fromstring(f"<x>{safe(chr(number))}</x>".encode())
    assert parsed.text == ("\n" if number == 13 else chr(number))  # XML reads a bare return as a line feed


@pytest.mark.parametrize("character", ["\u202e", "\u2066", "\u200b", "\x85", "\x9b", "\u2028"])
def test_characters_that_steer_how_others_show_become_escapes(character: str) -> None:
    assert safe(f"a{character}b") == f"a{character.encode('unicode_escape').decode()}b"
