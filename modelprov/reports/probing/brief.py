"""What a terminal shows of a probe unless its tables are asked for: findings, the two arms that matter, limits."""

from __future__ import annotations

from collections.abc import Iterator

from modelprov.behavior.probing.arms import MEANINGS
from modelprov.behavior.probing.names import DECOY
from modelprov.behavior.probing.results import ProbeReport
from modelprov.behavior.probing.wording import NO_CONTROL, NO_PARENTS, SERVED
from modelprov.reports import numbers as n
from modelprov.reports.document import EVERYWHERE, Block, Bullets, Grid, Heading, Text
from modelprov.reports.probing import continuing, imaging
from modelprov.reports.probing import tables as t
from modelprov.reports.probing import words as w

MOST_FINDINGS = 8
LIMITS = (
    "Where the weights came from: what a model says corroborates, weights decide (modelprov compare).",
    "How much of a model is in another: identity flips like a switch.",
    "That nothing was reused: a line in a template or a short finetune changes what a model says.",
)


def brief(report: ProbeReport) -> tuple[Block, ...]:
    """Findings, shares as shipped and stripped, what was compared beside them, and what it does not show."""
    found = Bullets(list(_cut(w.findings(report), MOST_FINDINGS, "more finding")))
    named = bool(report.settings.names)
    return (
        *((found, *_shares(report)) if named else ()),
        *_compared(report, w.suspect(report)),
        *(() if named else (Heading("What else was seen"), found)),
        Heading("What this does not show"),
        Bullets([*(LIMITS if named else ()), *_missing(report)]),
    )


def _shares(report: ProbeReport) -> tuple[Block, ...]:
    table = t.narrow_table(report, short=True)
    if not table.rows:
        return ()
    arms = [arm for arm in t.MAIN_ARMS if any(each.arm == arm and each.answers for each in report.arms)]
    said = [f"{arm.capitalize()}: {MEANINGS[arm]}." for arm in arms]
    if any(name.decoy for name in report.settings.names):
        said.append(f"{DECOY} is a decoy: a name that no model has.")
    return (Grid(table, titled=EVERYWHERE), Text(" ".join(said), quiet=True))


def _compared(report: ProbeReport, suspect: str) -> Iterator[Block]:
    """A sentence for each parent, of the answers and of the log-probabilities; for published weights too."""
    if report.continued is not None:
        yield Heading(continuing.TITLE)
        yield Bullets(continuing.sentences(report.continued, suspect))
    if equal := continuing.equality_sentence(report, suspect):
        yield Heading(continuing.EQUALITY)
        yield Bullets([equal])
    if report.imaged is not None:
        yield Heading(imaging.TITLE)
        yield Bullets(imaging.sentences(report.imaged, suspect))


def _missing(report: ProbeReport) -> Iterator[str]:
    """The limits of what this run asked, and what it did not ask: said however short a report is."""
    if report.continued is not None:
        yield from (continuing.HISTORIES, continuing.NOT_CLEARED)
    if report.equality is not None:
        another = report.equality.finding == "another distribution"
        yield continuing.DIFFERS if another else continuing.NO_DIFFERENCE
    if report.imaged is not None:
        yield from (imaging.HEADS, imaging.TRAINED_ON)
    yield from (text for text in report.does_not_show if text in (NO_CONTROL, NO_PARENTS, SERVED))
    if report.settings.quick:
        yield "Languages and kinds of question: with --quick they cannot be told apart."


def _cut(texts: list[str], most: int, what: str) -> Iterator[str]:
    yield from texts[:most]
    if more := len(texts[most:]):
        yield f"{n.plural(more, what)} among the tables (--tables)"
