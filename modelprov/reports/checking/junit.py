"""A check as JUnit XML, for CI systems that show tests: one test case a rule. Formats a `CheckReport`; judges nothing.

A finding of severity error fails its case, a required rule that could not be judged is an error in it, another one is
skipped. Warnings, notes and accepted findings are its output. The form is the one that Jenkins reads (junit-10.xsd).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from xml.etree import ElementTree

from modelprov.check.interface import Rule
from modelprov.check.results import CheckReport, Claim, Finding, Location, Severity
from modelprov.foreign.shown import clean

WHITE = "\t\n\r"
STEERING = frozenset({"Cc", "Cf", "Zl", "Zp"})
"""Control, bidirectional and invisible characters: XML can hold most of them, and whoever shows it obeys them."""
_IMPOSSIBLE = re.compile("[^\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render_junit(report: CheckReport, rules: Mapping[str, Rule] | None = None) -> str:
    """Return the XML, with its declaration, ending in a line feed; `rules` name the cases (default: our own)."""
    known = rules if rules is not None else _own_rules()
    spoken = {one.rule: one.name for one in report.findings} | {one.rule: one.name for one in report.not_judged}
    suite = ElementTree.Element("testsuite")
    _properties(suite, report)
    for rule in dict.fromkeys((*report.rules, *sorted(spoken))):
        name = known[rule].name if rule in known else spoken.get(rule, "")
        _case(suite, report, rule, f"{rule} {name}".strip())
    _told(suite, _claims(report.claims))
    counts = {
        "tests": len(suite.findall("testcase")),
        "failures": len(suite.findall("testcase/failure")),
        "errors": len(suite.findall("testcase/error")),
    }
    for key, count in counts.items():
        suite.set(key, str(count))
    suite.set("skipped", str(len(suite.findall("testcase/skipped"))))
    suite.set("name", safe(f"modelprov check {report.model}"))
    suite.set("timestamp", safe(report.started))
    suites = ElementTree.Element("testsuites", {"name": "modelprov check"} | {k: str(v) for k, v in counts.items()})
    suites.append(suite)
    ElementTree.indent(suites)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(suites, encoding="unicode") + "\n"


def safe(text: str) -> str:
    r"""The text with every character that XML 1.0 cannot hold, or that shows nothing, as an escape such as `\x1b`."""
    return "".join(one if one in WHITE or _shows(one) else clean(one) for one in text)


def _shows(character: str) -> bool:
    return unicodedata.category(character) not in STEERING and not _IMPOSSIBLE.match(character)


def _own_rules() -> Mapping[str, Rule]:
    from modelprov.check.rules import RULES

    return RULES


def _properties(suite: ElementTree.Element, report: CheckReport) -> None:
    properties = ElementTree.SubElement(suite, "properties")
    told = {"version": report.version, "outcome": report.outcome, "command": report.command}
    told |= {f"digest of {one.label} ({one.digest_covers})": one.digest for one in report.inputs}
    if report.lineage is not None:
        told["lineage"] = report.lineage.summary
    for name, value in told.items():
        ElementTree.SubElement(properties, "property", {"name": safe(name), "value": safe(value)})


def _case(suite: ElementTree.Element, report: CheckReport, rule: str, name: str) -> None:
    case = ElementTree.SubElement(suite, "testcase", {"classname": "modelprov.check", "name": safe(name), "time": "0"})
    found = [one for one in report.findings if one.rule == rule]
    failing = [one for one in found if one.accepted is None and one.severity == Severity.ERROR]
    absent = [one for one in report.not_judged if one.rule == rule]
    if failing:
        _add(case, "failure", "finding", failing[0].message, "\n\n".join(map(_words, failing)))
    for one in absent:
        if one.required:
            _add(case, "error", "could not judge", one.reason, one.reason)
    if absent and not found and not any(one.required for one in absent):
        _add(case, "skipped", "could not judge", absent[0].reason, "\n".join(one.reason for one in absent))
    others = [_words(one) for one in found if one not in failing]
    if found:
        others += [f"not judged: {one.reason}" for one in absent if not one.required]
    _told(case, others)


def _add(case: ElementTree.Element, kind: str, of: str, message: str, text: str) -> None:
    ElementTree.SubElement(case, kind, {"type": of, "message": safe(message)}).text = safe(text)


def _told(parent: ElementTree.Element, paragraphs: list[str]) -> None:
    if paragraphs:
        ElementTree.SubElement(parent, "system-out").text = safe("\n\n".join(paragraphs))


def _words(finding: Finding) -> str:
    lines = [f"{finding.severity.value}: {finding.message}"]
    if finding.accepted is not None:
        until = f", until {finding.accepted.expires}" if finding.accepted.expires else ""
        lines[0] = f"accepted{until} ({finding.accepted.reason}): {finding.message}"
    told = {
        "claimed": finding.claimed, "measured": finding.measured, "do": finding.advice, "see": finding.command,
        "at": _at(finding.location),
    }  # fmt: skip
    lines += [f"  {key}: {value}" for key, value in told.items() if value]
    return "\n".join([*lines, f"  fingerprint: {finding.fingerprint}"])


def _at(location: Location | None) -> str:
    if location is None:
        return ""
    return location.file if location.line is None else f"{location.file}:{location.line}"


def _claims(claims: tuple[Claim, ...]) -> list[str]:
    return [f"claim, {one.status}: {one.text}" + (f" ({one.note})" if one.note else "") for one in claims]
