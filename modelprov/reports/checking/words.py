"""What every rendering of a check shows, as words and tables. No layout of any format; judges nothing."""

from __future__ import annotations

from urllib.parse import quote

from modelprov.check.results import CheckReport, Claim, Finding, Location, Severity
from modelprov.reports import numbers as n
from modelprov.reports.document import Colours, Column, Fact, Table, anchor, facts, make_table

TITLES = {"passed": "Passed", "findings": "Findings", "could not judge": "Could not judge"}
COLOURS = {
    "passed": Colours("#3d5a26", "#add48a", "green"),
    "findings": Colours("#8a3d12", "#f0a679", "red"),
    "could not judge": Colours("#50555e", "#b9bfca", "yellow"),
}
MARK = "rule"
STATUSES = ("contradicted", "not tested", "unverifiable", "confirmed")
ORDER = (Severity.ERROR, Severity.WARNING, Severity.NOTE)
DOES_NOT_SHOW = (
    "A parent that neither the card nor anyone else named: only candidates on this machine are compared.",
    "Who made the weights, who used whose, with what permission or intent.",
    "Whether unverifiable claims are true: they leave no trace in files.",
    "That licence findings are legal advice: they repeat a small table of terms.",
)
UNCONTROLLED = "none was run (--control): how a model that nobody suspects would fare is not known"


def counted(report: CheckReport) -> tuple[Finding, ...]:
    """Findings that nobody accepted, most severe first."""
    return tuple(
        sorted((one for one in report.findings if one.accepted is None), key=lambda one: ORDER.index(one.severity))
    )


def accepted(report: CheckReport) -> tuple[Finding, ...]:
    """Findings that the baseline accepts."""
    return tuple(one for one in report.findings if one.accepted is not None)


def headline(report: CheckReport) -> str:
    """The outcome in a few words."""
    if report.outcome == "could not judge":
        required = [one for one in report.not_judged if one.required]
        return (
            f"{n.plural(len(required), 'required rule')} could not be judged" if required else "Nothing could be judged"
        )
    found = counted(report)
    if not found:
        return "No claim is contradicted by what was measured"
    parts = [
        n.plural(sum(one.severity is severity for one in found), str(severity))
        for severity in ORDER if any(one.severity is severity for one in found)
    ]  # fmt: skip
    return ", ".join(parts)


def summary(report: CheckReport) -> str:
    """One or two sentences for somebody who reads no further."""
    lineage = (
        n.clean(report.lineage.summary) if report.lineage is not None else "The weights were compared with nothing."
    )
    if report.lineage is not None:
        return lineage
    first = next(iter(counted(report)), None)
    told = n.clean(first.message).rstrip(". ") + ". " if first is not None else ""
    required = next((one for one in report.not_judged if one.required), None)
    return told + lineage + (f" Not judged: {n.clean(required.reason)}." if required is not None else "")


def place(location: Location | None) -> str:
    """File and line, as editors write it."""
    if location is None:
        return ""
    return n.clean(location.file) + (f":{location.line}" if location.line else "")


def findings_table(found: tuple[Finding, ...]) -> Table:
    """One row a finding."""
    return make_table(
        "Findings",
        (
            Column("Severity", "severity", numeric=False),
            Column("Rule", "rule", numeric=False),
            Column("Finding", "finding", numeric=False),
            Column("Where", "where", numeric=False, priority=1),
            Column("What to do", "what to do", numeric=False, priority=2),
        ),
        ((str(one.severity), f"{one.rule} {one.name}", one.message, place(one.location), one.advice) for one in found),
    )


def accepted_table(report: CheckReport) -> Table:
    """What the baseline accepts, with reason and end."""
    return make_table(
        "Accepted findings",
        (
            Column("Rule", "rule", numeric=False),
            Column("Finding", "finding", numeric=False),
            Column("Reason", "reason", numeric=False),
            Column("Until", "until", numeric=False, priority=1),
        ),
        (
            (f"{one.rule} {one.name}", one.message, one.accepted.reason, one.accepted.expires or "no end")
            for one in accepted(report) if one.accepted is not None
        ),
    )  # fmt: skip


def claims_table(report: CheckReport) -> Table:
    """Every claim and what became of it, contradicted ones first."""

    def row(claim: Claim) -> tuple[str, ...]:
        return claim.status, claim.text, place(claim.location), claim.note

    return make_table(
        "Claims",
        (
            Column("Status", "status", numeric=False),
            Column("Claim", "claim", numeric=False),
            Column("Where", "where", numeric=False, priority=2),
            Column("Note", "note", numeric=False, priority=1),
        ),
        (row(one) for one in sorted(report.claims, key=lambda one: STATUSES.index(one.status))),
    )


def counts(report: CheckReport) -> tuple[Fact, ...]:
    """How many claims came to what, which rules lacked evidence (a required one: why), and what the weights said."""
    stood = [(sum(one.status == status for one in report.claims), status) for status in STATUSES]
    lacking = ", ".join(f"{one.rule} {one.name}" for one in report.not_judged if not one.required)
    weights = "compared with nothing" if report.lineage is None else report.lineage.verdict
    return facts(
        ("Claims", ", ".join(f"{n.count(many)} {status}" for many, status in stood if many) or "none could be read"),
        *(
            ("Required, not judged", f"{one.rule} {one.name}: {one.reason}")
            for one in report.not_judged
            if one.required
        ),
        ("Not judged", f"{lacking}: that is no pass" if lacking else ""),
        ("Weights", weights),
        ("Controls", "" if report.lineage is None or report.lineage.controls else UNCONTROLLED),
    )


def not_judged_table(report: CheckReport) -> Table:
    """Rules that lacked evidence."""
    return make_table(
        "Not judged",
        (
            Column("Rule", "rule", numeric=False),
            Column("Reason", "reason", numeric=False),
            Column("Required", "required", numeric=False, priority=1),
        ),
        ((f"{one.rule} {one.name}", one.reason, "yes" if one.required else "") for one in report.not_judged),
        "Not judged is no pass: what is missing stands beside the rule.",
    )


def inputs_table(report: CheckReport) -> Table:
    """The checkpoints that were read."""
    return make_table(
        "Checkpoints",
        (
            Column("Label", "label", numeric=False),
            Column("Role", "role", numeric=False),
            Column("Declared", "declared", numeric=False, priority=2),
            Column("Licence", "licence", numeric=False, priority=2),
            Column("Location", "location", numeric=False, priority=1),
            Column("Revision", "revision", numeric=False, priority=3),
            Column("Digest", "digest", numeric=False, priority=3),
        ),
        (
            (one.label, one.role, "yes" if one.declared else "", one.license or "", one.location, one.revision or "",
             one.digest)
            for one in report.inputs
        ),
        "; ".join(dict.fromkeys(f"digest: {one.digest_covers}" for one in report.inputs)),
    )  # fmt: skip


def lineage_facts(report: CheckReport) -> tuple[Fact, ...]:
    """What the comparison of weights said."""
    if report.lineage is None:
        return ()
    found = report.lineage
    shares = ", ".join(f"{label} {share:.6g}" for label, share in found.shares.items())
    return facts(
        ("Verdict", found.verdict),
        ("Shares", shares),
        ("Recipe", found.recipe or ""),
        ("Bit-equal to the recipe", n.share(found.bit_equal)),
        ("Nothing in common with", ", ".join(found.strangers)),
        ("Compared", f"{n.share(found.covered)} of the weights" if found.covered < 1 else ""),
        ("Controls", ", ".join(found.controls)),
        ("No finding rests on it", found.doubt),
    )


def _spoken(report: CheckReport) -> dict[str, str]:
    """Names by id of the rules that found something or could not be judged, in order."""
    named = {one.rule: one.name for one in report.findings} | {one.rule: one.name for one in report.not_judged}
    return dict(sorted(named.items()))


def links(report: CheckReport) -> dict[str, str]:
    """Where each cell that names a rule leads: to the rule's page where one is published, else to its section here."""
    base = (report.rule_pages or "").rstrip("/")
    return {
        f"{rule} {name}": f"{base}/{quote(rule)}.md" if base else f"#{anchor(MARK, rule)}"
        for rule, name in _spoken(report).items()
    }


def rule_facts(report: CheckReport) -> tuple[Fact, ...]:
    """What each rule that is spoken of asks, and which page of the documentation says the rest."""
    from modelprov.check.rules import RULES

    return facts(
        *(
            (rule, f"{RULES[rule].title if rule in RULES else name} (docs/rules/{rule}.md)")
            for rule, name in _spoken(report).items()
        )
    )


def run_facts(report: CheckReport) -> tuple[Fact, ...]:
    """How the check was run."""
    return facts(
        ("Rules that ran", str(len(report.rules))),
        ("Policy", report.policy or "none (defaults)"),
        ("Started", report.started),
        ("modelprov", report.version),
    )
