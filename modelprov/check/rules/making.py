"""Makes findings of a rule, with a fingerprint that outlives line numbers. Judges nothing."""

from __future__ import annotations

import hashlib

from modelprov.check.interface import Rule
from modelprov.check.results import Finding, Location, NotJudged, Severity


def finding(
    rule: Rule, about: str, message: str, *, claimed: str = "", measured: str = "", advice: str = "",
    command: str = "", location: Location | None = None, severity: Severity | None = None,
) -> Finding:  # fmt: skip
    """A finding of `rule`; `about` names its subject (a parent, a file): what tells fingerprints apart."""
    return Finding(
        rule=rule.id,
        name=rule.name,
        severity=severity or rule.severity,
        message=message,
        claimed=claimed,
        measured=measured,
        advice=advice,
        command=command,
        location=location,
        fingerprint=hashlib.sha256(f"{rule.id}|{about}".encode()).hexdigest()[:16],
    )


def not_judged(rule: Rule, reason: str) -> NotJudged:
    """The rule lacks evidence; a policy says whether it is required."""
    return NotJudged(rule=rule.id, name=rule.name, reason=reason)
