"""A probe on a terminal, from 80 columns up. Lays out; formats no numbers."""

from __future__ import annotations

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from modelprov.behavior.probing.results import ProbeReport
from modelprov.reports import numbers as n
from modelprov.reports.comparison.tables import Table
from modelprov.reports.comparison.terminal import Writer
from modelprov.reports.probing import tables as t
from modelprov.reports.probing import words as w


def print_probe(report: ProbeReport, console: Console) -> None:
    """Print the report, most important first."""
    writer = Writer(console)
    body = Text(writer.say(f"{w.headline(report)}."), "bold")
    body.append("\n" + writer.say(w.summary(report)), "not bold")
    title = writer.text(f" Identity probe: {w.suspect(report)} ", "bold blue")
    writer.show(Panel(body, title=title, title_align="left", border_style="blue", padding=(0, 1)))
    for text in w.findings(report):
        writer.bullet(text)
    _table(writer, t.narrow_table(report))
    hidden = [(model, one) for model in report.models for one in model.hidden_prompts]
    if hidden:
        writer.heading("Prompts hidden in chat templates")
        for model, one in hidden:
            writer.sentence(w.place(model, one))
            for line in n.clean(one.text, keep="\n").splitlines()[:20]:
                writer.show(writer.text(line, "italic"), indent=6)
    _table(writer, t.code_table(report))
    _table(writer, t.affirmation_table(report, narrow=True))
    _table(writer, t.probability_table(report, narrow=True))
    _table(writer, t.backstory_table(report))
    writer.heading("What this does not show")
    for text in report.does_not_show:
        writer.bullet(n.clean(text))


def _table(writer: Writer, table: Table) -> None:
    if table.rows:
        writer.heading(table.caption)
        writer.table(table)
