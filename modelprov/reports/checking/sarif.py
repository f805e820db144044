"""A check as SARIF 2.1.0 (OASIS), for code scanning and editors. Formats a `CheckReport`; judges nothing.

Findings are results at their line; rules that could not be judged are notifications, never results; where a required
one is among them, the run does not count as successful. Nothing is said about version control: the report knows none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from modelprov.check.interface import Rule
from modelprov.check.results import CheckReport, Finding, Location, NotJudged, Severity
from modelprov.reports.numbers import clean

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
BASE = "MODEL"
FINGERPRINT = "modelprovFinding/v1"
EXIT = {
    "passed": (0, "every claim that was judged holds"),
    "findings": (1, "findings that count and are not accepted"),
    "could not judge": (3, "a required rule could not be judged"),
}
_LEVEL = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note", Severity.OFF: "none"}


def render_sarif(report: CheckReport, rules: Mapping[str, Rule] | None = None, pages: str | None = None) -> str:
    """Return one SARIF log with one run, ASCII only, ending in a line feed.

    `rules` are those the tool knows (default: modelprov's own). `pages` is the absolute address under which the rules'
    pages are published; SARIF takes no relative `helpUri`, so without it the page is named in the rule's help text.
    """
    known = rules if rules is not None else _own_rules()
    order = {name: number for number, name in enumerate(_ids(report))}
    code, meaning = EXIT[report.outcome]
    invocation = {
        "commandLine": report.command,
        "executionSuccessful": report.outcome != "could not judge",
        "exitCode": code,
        "exitCodeDescription": meaning,
        "toolExecutionNotifications": [_notification(one, order) for one in report.not_judged],
    }
    started = _utc(report.started)
    if started is not None:
        invocation["startTimeUtc"] = started
    names = spoken(report)
    bases = _bases(report)
    run = {
        "tool": {
            "driver": {
                "name": "modelprov",
                "version": report.version,
                "rules": [_rule(name, known.get(name), names.get(name), pages) for name in order],
            }
        },
        "automationDetails": {"id": f"modelprov check/{_uri(report.model, '')}/"},
        "columnKind": "unicodeCodePoints",
        "invocations": [invocation],
        **({"originalUriBaseIds": bases} if bases else {}),
        "results": [_result(one, order, report) for one in report.findings],
        "properties": {
            "outcome": report.outcome,
            "lineage": report.lineage.model_dump(mode="json") if report.lineage else None,
            "inputs": [one.model_dump(mode="json") for one in report.inputs],
            "claims": [one.model_dump(mode="json") for one in report.claims],
        },
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, allow_nan=False) + "\n"


def _own_rules() -> Mapping[str, Rule]:
    from modelprov.check.rules import RULES

    return RULES


def _ids(report: CheckReport) -> tuple[str, ...]:
    """Every rule that ran or is spoken of, once, in order."""
    return tuple(dict.fromkeys((*report.rules, *sorted(spoken(report)))))


def spoken(report: CheckReport) -> dict[str, str]:
    """Names by id of the rules that found something or could not be judged."""
    return {one.rule: one.name for one in report.findings} | {one.rule: one.name for one in report.not_judged}


def _rule(name: str, rule: Rule | None, other: str | None, pages: str | None) -> dict[str, Any]:
    page = f"docs/rules/{name}.md"
    told: dict[str, Any] = {"id": name}
    if rule is not None or other is not None:
        told["name"] = rule.name if rule is not None else other
    if rule is not None:
        told["shortDescription"] = {"text": rule.title}
        told["defaultConfiguration"] = {"enabled": rule.severity != Severity.OFF, "level": _LEVEL[rule.severity]}
    told["help"] = {"text": f"What the rule asks, when it is not judged, and what to do: {page} of modelprov."}
    if pages is not None:
        told["helpUri"] = f"{pages.rstrip('/')}/{name}.md"
    told["properties"] = {"page": page, "tags": ["provenance", "model-weights"]}
    return told


def _result(finding: Finding, order: Mapping[str, int], report: CheckReport) -> dict[str, Any]:
    told = {
        "Claimed: ": finding.claimed,
        "Measured: ": finding.measured,
        "": finding.advice,
        "To see it: ": finding.command,
    }
    lines = [finding.message, *(f"{key}{value}" for key, value in told.items() if value)]
    return {
        "ruleId": finding.rule,
        "ruleIndex": order[finding.rule],
        "kind": "fail",
        "level": _LEVEL[finding.severity],
        "message": {"text": _text("\n".join(lines))},
        "locations": [_location(finding.location, report)],
        "partialFingerprints": {FINGERPRINT: finding.fingerprint},
        "suppressions": _suppressions(finding),
    }


def _suppressions(finding: Finding) -> list[dict[str, Any]]:
    """SARIF wants the list on every result or on none: an empty one says that the finding stands."""
    if finding.accepted is None:
        return []
    accepted = finding.accepted
    until = f" (accepted until {accepted.expires})" if accepted.expires else ""
    return [
        {
            "kind": "external",
            "status": "accepted",
            "justification": clean(accepted.reason) + until,
            "properties": {"expires": accepted.expires},
        }
    ]


def _notification(one: NotJudged, order: Mapping[str, int]) -> dict[str, Any]:
    return {
        "level": "error" if one.required else "warning",
        "message": {"text": _text(f"{one.rule} ({one.name}) could not be judged: {one.reason}")},
        "associatedRule": {"id": one.rule, "index": order[one.rule]},
        "properties": {"required": one.required},
    }


def _location(location: Location | None, report: CheckReport) -> dict[str, Any]:
    """A place in a file, or the model's folder where a finding is about no file."""
    prefix = _prefix(report)
    file = "" if location is None or location.file == "." else PurePosixPath(location.file).as_posix()
    where = f"{prefix}{file}" if prefix is not None else file
    artifact: dict[str, Any] = {"uri": _uri(where or "./")}
    if prefix is None:
        artifact["uriBaseId"] = BASE
    physical: dict[str, Any] = {"artifactLocation": artifact}
    if location is not None and location.line is not None:
        region = {"startLine": max(location.line, 1)}
        if location.column is not None:
            region["startColumn"] = max(location.column, 1)
        if location.end_line is not None:
            region["endLine"] = max(location.end_line, region["startLine"])
        physical["region"] = region
    return {"physicalLocation": physical}


def _prefix(report: CheckReport) -> str | None:
    """What stands before a file's path, seen from where the check ran; None for a folder that is not below that."""
    folder = PurePosixPath(report.folder.replace("\\", "/"))
    if folder.is_absolute() or ".." in folder.parts or folder.parts[:1] == ("~",):
        return None
    return "".join(f"{part}/" for part in folder.parts)


def _bases(report: CheckReport) -> dict[str, Any]:
    if _prefix(report) is not None:
        return {}
    folder = report.folder
    about: dict[str, Any] = {"description": {"text": _text(f"the folder of the model, given as {folder}")}}
    if PurePosixPath(folder).is_absolute() and ".." not in PurePosixPath(folder).parts:
        about["uri"] = "file://" + _uri(folder.rstrip("/") + "/")
    return {BASE: about}


def _utc(moment: str) -> str | None:
    """The ISO time as SARIF writes it; None where it is none."""
    try:
        parsed = datetime.fromisoformat(moment)
    except ValueError:
        return None
    aware = parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)
    return aware.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _uri(path: str, safe: str = "/") -> str:
    return quote(path, safe=safe, errors="replace")


def _text(text: str) -> str:
    """Plain text of a SARIF message: what a card says must not become a link, nor hide in control characters."""
    return re.sub(r"\[([^\[\]]*)\](?=\()", r"\\[\1\\]", clean(text, "\n"))
