"""A check on a terminal, from 80 columns up. Lays out; formats no numbers."""

from __future__ import annotations

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from modelprov.check.results import CheckReport, Severity
from modelprov.reports import numbers as n
from modelprov.reports.checking import telling as c
from modelprov.reports.comparison.terminal import Writer

STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.NOTE: "bold cyan"}


def print_check(report: CheckReport, console: Console) -> None:
    """Print the outcome, each finding with what to do, then claims, what was not judged, and the weights."""
    writer = Writer(console)
    style = c.ACCENTS[report.outcome][2]
    body = Text(writer.say(f"{c.headline(report)}."), "bold")
    body.append("\n" + writer.say(c.summary(report)), "not bold")
    title = writer.text(f" {c.TITLES[report.outcome]}: {n.clean(report.model)} ", f"bold {style}")
    writer.show(Panel(body, title=title, title_align="left", border_style=style, padding=(0, 1)))
    for one in c.counted(report):
        head = writer.text(f"{one.severity} {one.rule} {one.name}", STYLES[one.severity])
        where = c.place(one.location)
        if where:
            head.append("  " + writer.say(where), "dim")
        writer.show(head)
        writer.show(writer.text(n.clean(one.message)), indent=2)
        if one.advice:
            writer.show(writer.text(n.clean(one.advice), "dim"), indent=2)
    if c.accepted(report):
        writer.heading("Accepted by the baseline")
        writer.table(c.accepted_table(report))
    if report.claims:
        writer.heading("Claims")
        writer.table(c.claims_table(report))
    if report.not_judged:
        writer.heading("Not judged")
        writer.table(c.not_judged_table(report))
    if report.lineage is not None:
        writer.heading("Weights")
        writer.facts(c.lineage_facts(report))
