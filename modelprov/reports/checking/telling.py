"""A check told once, for every medium. Chooses and orders; words and tables are made beside it."""

from __future__ import annotations

from modelprov.check.results import CheckReport, Finding, Severity
from modelprov.reports import numbers as n
from modelprov.reports.checking import words as w
from modelprov.reports.document import (
    PAGE,
    TERMINAL,
    WRITTEN,
    Block,
    Bullets,
    Code,
    Document,
    Facts,
    Fold,
    Grid,
    Heading,
    Only,
    Text,
)

NONE = "None that counts."
TONES = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.NOTE: "bold cyan"}


def tell(report: CheckReport) -> Document:
    """The outcome, each finding with what to do, then claims, what was not judged, and the weights."""
    return Document(
        title=f"{w.TITLES[report.outcome]}: {report.model}",
        headline=w.headline(report),
        summary=w.summary(report),
        colours=w.COLOURS[report.outcome],
        blocks=(*findings(report), *claims(report), *rest(report)),
        brief=brief(report),
        about="check of what a model card claims",
        started=report.started,
        version=report.version,
        more=f"All of it is in the JSON report (schema {report.schema_version}).",
        prefix="modelprov check: ",
    )


def brief(report: CheckReport) -> tuple[Block, ...]:
    """Each finding with what to do, then how many claims came to what, and which rules nothing could be said of."""
    return (
        *(block for finding in w.counted(report) for block in _finding(finding)),
        *commands(report),
        Heading("Accepted by the baseline"),
        Grid(w.accepted_table(report)),
        Heading("Beside the findings"),
        Facts(w.counts(report)),
    )


def findings(report: CheckReport) -> tuple[Block, ...]:
    """What was found, most severe first, and what the baseline accepts. A terminal has no room for a table of it."""
    found = w.counted(report)
    return (
        Only(TERMINAL, [block for finding in found for block in _finding(finding)]),
        Only(
            WRITTEN,
            [
                Heading("Findings"),
                Grid(w.findings_table(found), looks="stacked", links=w.links(report)),
                Text(NONE if not found else ""),
            ],
        ),
        *commands(report),
        Heading("Accepted findings", 3, short="Accepted by the baseline"),
        Grid(w.accepted_table(report), looks="stacked", links=w.links(report)),
    )


def _finding(finding: Finding) -> list[Block]:
    head = f"{finding.severity} {finding.rule} {finding.name}  {w.place(finding.location)}".rstrip()
    return [Heading(head, 3, tone=TONES[finding.severity]), Text(finding.message), Text(finding.advice, quiet=True)]


def commands(report: CheckReport) -> tuple[Block, ...]:
    """What shows the findings, to be typed as it is; what shows several stands there once."""
    wanted = list(dict.fromkeys(finding.command for finding in w.counted(report) if finding.command))
    return (
        (Heading("To see it yourself", 3), *(Code(n.clean(each), "sh", wrap=True) for each in wanted)) if wanted else ()
    )


def claims(report: CheckReport) -> tuple[Block, ...]:
    """What became of each claim, and which rules lacked evidence."""
    return (
        Heading("Claims"),
        Grid(w.claims_table(report), looks="stacked"),
        Only(PAGE, [] if report.claims else [Text("Nothing was claimed that could be read.")]),
        Heading("Not judged"),
        Grid(w.not_judged_table(report), looks="stacked", links=w.links(report)),
    )


def rest(report: CheckReport) -> tuple[Block, ...]:
    """What the weights said, what was read, what a check does not show, and how it was run."""
    said = report.lineage.summary if report.lineage is not None else "The weights were compared with nothing."
    return (
        Heading("Weights"),
        Only(PAGE, [Text(said)]),
        Facts(w.lineage_facts(report)),
        Text("To run the comparison again:" if report.lineage is not None else ""),
        Code("" if report.lineage is None else n.clean(report.lineage.command), "sh", wrap=True),
        Only(PAGE, [Heading("Rules spoken of here"), Facts(w.rule_facts(report), terms=True, mark=w.MARK)]),
        Fold("Checkpoints", [Grid(w.inputs_table(report))], level=2),
        Fold("What this does not show", [Bullets(w.DOES_NOT_SHOW)], level=2),
        Fold("Run", [Facts(w.run_facts(report)), Code(n.clean(report.command), "sh", wrap=True)], level=2),
    )
