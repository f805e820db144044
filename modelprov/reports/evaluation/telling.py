"""An evaluation told once, for every medium. Chooses and orders; words, tables and plots are made beside it."""

from __future__ import annotations

from modelprov.behavior.evaluation.results import EvaluationReport
from modelprov.reports import numbers as n
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
    Plot,
    Text,
)
from modelprov.reports.evaluation import tables, words
from modelprov.reports.evaluation.plots import accuracy_against_tokens

BARS = (
    "Each point is one method under one budget (the small number). Bars: 95 % intervals. The pale line behind joins "
    "what no other point beats."
)

MOST_DIFFERENCES = 5


def tell(report: EvaluationReport) -> Document:
    """The answer, then the numbers it rests on, then what must be known about them."""
    said = words.headline(report)
    beyond_noise = any(not test.noise for test in report.tests)
    return Document(
        title=f"Evaluation: {report.task.name}",
        headline=said.title,
        summary=said.text,
        colours=words.COLOURS if beyond_noise else words.COLOURS._replace(style="blue"),
        blocks=(*scores(report), *rest(report)),
        about="report on an evaluation",
        started=report.environment.started,
        version=report.environment.modelprov,
        more=f"All numbers are in the JSON report (schema {report.schema_version}).",
        brief=brief(report),
    )


def brief(report: EvaluationReport) -> tuple[Block, ...]:
    """What a terminal shows unless the tables are asked for: scores, differences beyond noise, cautions, limits."""
    real = [test for test in report.tests if not test.noise]
    more = (
        [f"{n.count(len(real) - MOST_DIFFERENCES)} more among the tables (--tables)"]
        if len(real) > MOST_DIFFERENCES
        else []
    )
    return (
        *scores(report, words.columns(report)),
        Heading("Beyond noise"),
        Bullets([*map(words.difference, real[:MOST_DIFFERENCES]), *more]),
        Heading("What this does not show"),
        Bullets(words.does_not_show(report)),
    )


def scores(report: EvaluationReport, explained: str = "") -> tuple[Block, ...]:
    """How many answers were right, with what the columns mean, and what must be known of that."""
    return (
        Heading("Accuracy and tokens"),
        Grid(tables.results_table(report)),
        Text(explained, quiet=True),
        Heading("To be known", 3),
        Bullets(report.notes),
    )


def rest(report: EvaluationReport) -> tuple[Block, ...]:
    """What differs, against how many tokens, how it was run, and what it does not show (last on a terminal)."""
    limits = (Heading("What this does not show"), Bullets(words.does_not_show(report)))
    return (
        Heading("Differences"),
        Grid(tables.tests_table(report)),
        Heading("Accuracy against tokens"),
        *_plots(report),
        Grid(tables.curve_table(report)),
        Only(WRITTEN, limits),
        Heading("Run"),
        Facts(tables.run_facts(report)),
        Only(TERMINAL, limits),
        Only(WRITTEN, [Code(n.clean(report.command), "sh", wrap=True)]),
        Fold("Models", [Grid(tables.models_table(report), looks="codes")], level=3),
        Fold("Methods", [Grid(tables.methods_table(report))], level=3),
        Fold("Environment", [Facts(tables.environment_facts(report))], level=3),
        Only(PAGE, [Heading("Terms"), Facts(words.TERMS, terms=True)]),
    )


def _plots(report: EvaluationReport) -> list[Block]:
    several = len(report.models) > 1
    return [
        Plot(
            "Accuracy against tokens" + (f": {model.label}" if several else ""),
            BARS,
            accuracy_against_tokens(report, model.label),
        )
        for model in report.models
    ]
