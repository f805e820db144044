"""A `CheckReport` with everything in it, one that passed, and one that is meant to hurt; and the rules they name."""

from __future__ import annotations

from modelprov.check.interface import Rule
from modelprov.check.results import (
    Acceptance,
    CheckReport,
    Claim,
    Finding,
    Input,
    Lineage,
    Location,
    NotJudged,
    Severity,
)

HOSTILE = "a\x00b\x1b[31m\ud800\ufffe]]><x & \"y\" 'z'\u202e [click](https://evil.example) \U0001f600"


def _rule(identity: str, name: str, title: str, severity: Severity) -> Rule:
    return Rule(identity, name, title, severity, lambda _claims, _measured: [])


RULES = {
    rule.id: rule
    for rule in (
        _rule("MP101", "undeclared-parent", "The weights have a parent that the card does not name.", Severity.ERROR),
        _rule("MP102", "declared-parent-not-in-weights", "A declared parent is not there.", Severity.ERROR),
        _rule("MP103", "relation-contradicted", "The declared relation is not the measured one.", Severity.ERROR),
        _rule("MP202", "licence-missing-or-unknown", "No licence is declared.", Severity.WARNING),
        _rule("MP501", "scores-between-parents", "The scores lie between the parents'.", Severity.NOTE),
        _rule("MP404", "files-incomplete", "Files that the index names are missing.", Severity.ERROR),
    )
}


def passed(**changes: object) -> CheckReport:
    """A check in which nothing was found, of a model below the folder where it ran."""
    told: dict[str, object] = {
        "version": "0.1.0",
        "command": "modelprov check models/rio --candidates nex qwen",
        "started": "2026-11-25T10:11:12+02:00",
        "model": "rio",
        "folder": "models/rio",
        "outcome": "passed",
        "findings": (),
        "not_judged": (),
        "claims": (
            Claim(kind="relation", text="merge", location=Location(file="README.md", line=4), status="confirmed"),
        ),
        "lineage": Lineage(
            verdict="merge",
            summary="rio is 0.565 × nex + 0.435 × qwen.",
            compared=("nex", "qwen"),
            parents=("nex", "qwen"),
            strangers=(),
            shares={"nex": 0.565, "qwen": 0.435},
            recipe="0.565 × nex + 0.435 × qwen",
            bit_equal=1.0,
            command="modelprov compare models/rio nex qwen",
        ),
        "inputs": (
            Input(
                label="rio",
                role="model",
                location="models/rio",
                revision=None,
                digest="ab" * 32,
                digest_covers="names, sizes and headers of the shards, not the weights",
            ),
        ),
        "policy": None,
        "rules": tuple(RULES),
    }
    return CheckReport.model_validate(told | changes)


def found(**changes: object) -> CheckReport:
    """Two errors of one rule, an accepted error, a warning, a note, and a rule that could not be judged."""
    findings = (
        finding("MP101", Location(file="README.md", line=3, column=5), about="nex"),
        finding("MP101", None, about="qwen"),
        finding(
            "MP103",
            Location(file="README.md", line=4, end_line=6),
            accepted=Acceptance(reason="agreed with legal", expires="2027-01-31"),
        ),
        finding("MP202", Location(file="docs/a b#c.md")),
        finding("MP501", Location(file="README.md", line=20)),
    )
    absent = (NotJudged(rule="MP102", name="declared-parent-not-in-weights", reason="qwen is not on this machine"),)
    return passed(**({"outcome": "findings", "findings": findings, "not_judged": absent} | changes))


def could_not_judge() -> CheckReport:
    """Nothing found, and one required rule that could not be judged."""
    absent = NotJudged(
        rule="MP102", name="declared-parent-not-in-weights", reason="qwen is not on this machine", required=True
    )
    return passed(outcome="could not judge", not_judged=(absent,))


def hostile() -> CheckReport:
    """Every text that comes from a card or a folder holds what formats choke on."""
    bad = finding("MP101", Location(file=HOSTILE, line=1), about=HOSTILE, message=HOSTILE)
    return passed(
        outcome="findings",
        findings=(bad, bad.model_copy(update={"accepted": Acceptance(reason=HOSTILE)})),
        not_judged=(NotJudged(rule="MP999", name=HOSTILE, reason=HOSTILE),),
        claims=(Claim(kind="base-model", text=HOSTILE, location=None, status="unverifiable", note=HOSTILE),),
        model=HOSTILE,
        folder=HOSTILE,
        command=HOSTILE,
        started=HOSTILE,
        inputs=(),
    )


def finding(
    rule: str, location: Location | None, *, about: str = "", message: str = "", accepted: Acceptance | None = None
) -> Finding:
    """One finding of a rule in `RULES`, with the rule's own severity."""
    return Finding(
        rule=rule,
        name=RULES[rule].name,
        severity=RULES[rule].severity,
        message=message or f"What {rule} found about {about or 'the model'}.",
        claimed="no base model",
        measured="0.565 of nex",
        advice="Declare it.",
        location=location,
        fingerprint=f"{rule}-{about}",
        accepted=accepted,
    )
