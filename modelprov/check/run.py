"""Runs a check: claims, measurements, rules, baseline, outcome. Renders nothing, prints nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from modelprov import __version__
from modelprov.check.baseline import Baseline, apply
from modelprov.check.claims_judged import judged_claims
from modelprov.check.interface import Claims, Measured, Outcome
from modelprov.check.measure import Request, Taken, measure
from modelprov.check.policy import Policy
from modelprov.check.published import rule_pages
from modelprov.check.read_claims import read_claims
from modelprov.check.results import CheckReport, Finding, NotJudged, Severity
from modelprov.check.rules import RULES
from modelprov.check.rules.files import DIGEST
from modelprov.checkpoints.remote.locations import shown
from modelprov.progress import Progress

__all__ = ["Checked", "Request", "run_check"]


@dataclass(frozen=True)
class Checked:
    """The report, what it was made from, and what whoever keeps the baseline should know."""

    report: CheckReport
    claims: Claims
    taken: Taken
    unaccepted: tuple[Finding, ...]
    notes: tuple[str, ...]


def run_check(
    location: str, request: Request, policy: Policy, baseline: Baseline, command: str, started: datetime,
    progress: Progress, folder: Path | None = None,
) -> Checked:  # fmt: skip
    """Check the model at `location`; `started` is when, and its day decides what a baseline accepts.

    `folder` holds the files beside its weights where the model is elsewhere.

    `unaccepted` are all findings as they were before the baseline. Raises `UsageError` for a candidate that is not
    there, `CheckpointNotFoundError` for a folder that is none, and what reading raises.
    """
    claims = read_claims(folder or Path(location))
    taken = measure(location, claims, request, progress, folder)
    progress.stage("holding the claims against what was measured")
    asked = (DIGEST.id,) if request.expected_digest is not None else ()
    outcomes = judge(claims, taken.measured, policy, asked)
    found = [one for one in outcomes if isinstance(one, Finding)]
    not_judged = [one for one in outcomes if isinstance(one, NotJudged)]
    applied = apply(found, baseline, started.date())
    report = CheckReport(
        version=__version__,
        command=command,
        started=started.isoformat(timespec="seconds"),
        model=taken.measured.label,
        folder=shown(location),
        outcome=_outcome(applied.findings, not_judged),
        findings=applied.findings,
        not_judged=tuple(not_judged),
        claims=judged_claims(claims, taken.measured, outcomes),
        lineage=taken.measured.lineage,
        inputs=taken.inputs,
        policy=str(policy.path) if policy.path is not None else None,
        rules=tuple(rule for rule, one in RULES.items() if policy.severity(rule, one.severity) is not Severity.OFF),
        rule_pages=policy.rule_pages or rule_pages(),
    )
    return Checked(report, claims, taken, tuple(found), applied.notes)


def judge(claims: Claims, measured: Measured, policy: Policy, asked: Sequence[str] = ()) -> list[Outcome]:
    """What every rule that is not off says, with the policy's severities; required ones, and those `asked`, are marked.

    A policy's severity replaces the rule's own, also where the rule itself was milder than usual; it never makes a mild
    finding an error on its own: only a rule that the policy names is changed.
    """
    outcomes: list[Outcome] = []
    for rule in RULES.values():
        severity = policy.severity(rule.id, rule.severity)
        if severity is Severity.OFF:
            continue
        for outcome in rule.judge(claims, measured):
            if isinstance(outcome, Finding) and rule.id in policy.severities:
                outcomes.append(outcome.model_copy(update={"severity": severity}))
            elif isinstance(outcome, NotJudged):
                outcomes.append(outcome.model_copy(update={"required": rule.id in (*policy.required, *asked)}))
            else:
                outcomes.append(outcome)
    return outcomes


def _outcome(findings: tuple[Finding, ...], not_judged: list[NotJudged]) -> str:
    if any(one.severity is Severity.ERROR and one.accepted is None for one in findings):
        return "findings"
    return "could not judge" if any(one.required for one in not_judged) else "passed"
