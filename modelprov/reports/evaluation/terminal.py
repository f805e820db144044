"""The evaluation report on a terminal, from 80 columns up. Lays out; formats no numbers."""

from __future__ import annotations

from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from modelprov.behavior.evaluation.results import EvaluationReport
from modelprov.reports import numbers as n
from modelprov.reports.comparison.terminal import Writer
from modelprov.reports.evaluation import tables
from modelprov.reports.evaluation import telling as words


def print_evaluation(report: EvaluationReport, console: Console) -> None:
    """Print the answer, then the numbers it rests on, then what must be known about them."""
    writer = Writer(console)
    said = words.headline(report)
    beyond = any(not test.noise for test in report.tests)
    style = "cyan" if beyond else "blue"
    title = writer.text(f" {said.title} ", f"bold {style}")
    body = Text(writer.say(said.text), "bold")
    writer.show(Panel(body, title=title, title_align="left", border_style=style, padding=(0, 1)))
    writer.heading("Accuracy and tokens")
    writer.table(tables.results_table(report))
    if report.tests:
        writer.heading("Differences")
        writer.table(tables.tests_table(report))
    if report.curve:
        writer.heading("Accuracy against tokens")
        writer.table(tables.curve_table(report))
    if report.notes:
        writer.heading("To be known")
        for note in report.notes:
            writer.bullet(n.clean(note))
    writer.heading("Run")
    writer.facts(tables.run_facts(report))
    writer.heading("What this does not show")
    for text in words.does_not_show(report):
        writer.bullet(n.clean(text))
