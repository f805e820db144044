"""A probe told once, for every medium. Chooses and orders; words, tables and the plot are made beside it."""

from __future__ import annotations

from collections.abc import Sequence

from modelprov.behavior.probing.results import ProbeReport
from modelprov.reports import numbers as n
from modelprov.reports.document import (
    EVERYWHERE,
    PAGE,
    WRITTEN,
    Block,
    Bullets,
    Code,
    Document,
    Fact,
    Facts,
    Fold,
    Grid,
    Heading,
    Only,
    Plot,
    Text,
)
from modelprov.reports.probing import continuing, imaging
from modelprov.reports.probing import tables as t
from modelprov.reports.probing import words as w
from modelprov.reports.probing.brief import brief
from modelprov.reports.probing.plot import share_plot

SHARES = (
    "Greedy answers about name, maker and origin. A name said when stripped comes from the weights. Zorb is a "
    "name that no model has."
)
ANSWERS = "The first answer of each kind of question, chosen before anyone had read them."
NO_PROMPT = "No chat template was found to add a prompt of its own."


def tell(report: ProbeReport) -> Document:
    """What the suspect says it is, what its files add, what that does not show, and how it was asked."""
    if not report.settings.names and (report.continued or report.equality or report.imaged):
        return _alone(report)
    return Document(
        title=f"Identity probe: {w.suspect(report)}",
        headline=w.headline(report),
        summary=w.summary(report),
        meaning="What a model says corroborates; weights decide.",
        colours=w.COLOURS,
        blocks=(
            Only(PAGE, [Heading("Who it says it is")]),
            *names(report),
            *continuing.blocks(report, w.suspect(report)),
            *continuing.equality_blocks(report, w.suspect(report)),
            *imaging.blocks(report, w.suspect(report)),
            *rest(report),
        ),
        brief=brief(report),
        about="report on who a model says it is",
        started=report.environment.started,
        version=report.environment.modelprov,
        more=f"All numbers are in the JSON report (schema {report.schema_version}), all answers in the log.",
    )


def _alone(report: ProbeReport) -> Document:
    """The same where no names were declared: nobody was asked who it is."""
    label, found, heads = w.suspect(report), report.continued, report.imaged
    equal = continuing.equality_sentence(report, label)
    said = continuing.sentences(found, label)[: len(found.judged)] if found is not None else []
    shown = imaging.sentences(heads, label)[: len(heads.judged)] if heads is not None else []
    lines = [
        continuing.headline(found, label) if found is not None else "",
        continuing.equality_headline(report.equality, label) if report.equality is not None else "",
        imaging.headline(heads, label) if heads is not None else "",
    ]  # fmt: skip
    headline = next(filter(None, lines))
    return Document(
        title=f"Answers beside those of others: {label}",
        headline=headline,
        summary=" ".join(text for text in (*said, equal, *shown) if text.rstrip(".") not in ("", headline)),
        brief=brief(report),
        meaning="What a model answers corroborates; weights decide.",
        colours=w.COLOURS,
        blocks=(
            *continuing.blocks(report, label),
            *continuing.equality_blocks(report, label),
            *imaging.blocks(report, label),
            Heading("What else was seen"),
            Bullets(w.findings(report)),
            Only(WRITTEN, _run(report, continuing.READERS, ())),
        ),
        about="report on whom a model answers like",
        started=report.environment.started,
        version=report.environment.modelprov,
        more=f"All numbers are in the JSON report (schema {report.schema_version}), all answers in the log.",
    )


def names(report: ProbeReport) -> tuple[Block, ...]:
    """What was found, and the shares of the greedy answers that say each name."""
    return (
        Bullets(w.findings(report)),
        Plot("Who the models say they are", SHARES, share_plot(report)),
        Grid(t.greedy_table(report), narrow=t.narrow_table(report), titled=EVERYWHERE),
    )


def rest(report: ProbeReport) -> tuple[Block, ...]:
    """What else was asked, what stands in the files, the answers, the limits, and the run."""
    affirmed, likely = t.affirmation_table, t.probability_table
    return (
        Grid(affirmed(report), narrow=affirmed(report, narrow=True), titled=EVERYWHERE),
        Grid(likely(report), narrow=likely(report, narrow=True), titled=EVERYWHERE),
        Grid(t.backstory_table(report), titled=EVERYWHERE),
        *(Fold(made.caption, [Grid(made)]) for made in (t.sampled_table(report), t.thinking_table(report))),
        Fold("By kind of question and by language, as shipped", [Grid(t.split_table(report))]),
        Heading("Prompts hidden in chat templates"),
        *_hidden(report),
        Only(WRITTEN, [Grid(t.templates_table(report), titled=EVERYWHERE)]),
        Grid(t.code_table(report), titled=EVERYWHERE),
        Only(PAGE, [Heading("Answers, word for word"), Text(ANSWERS)]),
        *_answers(report),
        Heading("What this does not show"),
        Bullets(report.does_not_show),
        Only(WRITTEN, _run(report)),
    )


def _hidden(report: ProbeReport) -> list[Block]:
    """Prompts that templates add by themselves, word for word, and the templates without them."""
    found: list[Block] = []
    for model in report.models:
        for hidden in model.hidden_prompts:
            found += [Text(w.place(model, hidden)), Code(hidden.text, wrap=True)]
        explained: list[Block] = []
        for text in model.explained_texts:
            explained += [Text(w.explained_place(model, text)), Code(text.text, wrap=True)]
        found.append(Fold(f"Text that the template of {model.label} adds with something of the caller's", explained))
        stripped = [Code(model.stripped_template or "", "jinja", wrap=True)]
        found.append(Fold(f"Chat template of {model.label} without it", stripped))
    none = not any(model.hidden_prompts for model in report.models)
    return [*found, Only(PAGE, [Text(NO_PROMPT)])] if none else found


def _answers(report: ProbeReport) -> list[Block]:
    tables = [t.examples_table(report, model.label) for model in report.models]
    return [Fold(f"{table.caption}, word for word", [Grid(table)]) for table in tables]


def _run(report: ProbeReport, readers: Sequence[Fact] = w.READERS, terms: Sequence[Fact] = w.TERMS) -> list[Block]:
    """How to read it, and what another run would need."""
    return [
        Heading("How to read it", 3),
        Facts(tuple(readers), terms=True),
        Only(PAGE, [Heading("Words", 3), Facts(tuple(terms), terms=True)]),
        Heading("Models and run"),
        Grid(t.models_table(report), looks="codes"),
        Facts(w.settings_facts(report)),
        Code(n.clean(report.command), "sh", wrap=True),
        Facts(w.environment_facts(report)),
    ]
