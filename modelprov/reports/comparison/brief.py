"""What a terminal shows of a comparison unless the tables are asked for: what it rests on, what fits, what is open."""

from __future__ import annotations

import re
from collections.abc import Iterator

from modelprov.forensics.results import Evidence, VerdictClass
from modelprov.reports import numbers as n
from modelprov.reports.comparison import beginning, sections
from modelprov.reports.comparison.report import Report
from modelprov.reports.document import Block, Bullets, Heading, Text

MOST_MEASURES, MOST_HISTORIES, MOST_REASONS = 3, 4, 3
ASIDE = re.compile(r" \([^()]*\)")
OF_A_MIX = ("bits reproduced", "changed elements", "share of rounding cells", "agreement")
OF_KINSHIP = ("correlation of raw weights", "MLP units that", "sorted sizes of rows", "heads of attention")
LEADING: dict[VerdictClass, tuple[str, ...]] = {
    VerdictClass.MERGE: OF_A_MIX,
    VerdictClass.ON_LINE: ("straightness", "share of rounding cells", "agreement"),
    VerdictClass.OTHER_COORDINATES: (*OF_KINSHIP[1:], OF_KINSHIP[0]),
    VerdictClass.INCONCLUSIVE: (*OF_KINSHIP[:2], *OF_A_MIX[1:]),
}
"""Which measures carry a kind of verdict, by how they begin, the first ones first; kinship carries all others."""


def brief(report: Report) -> tuple[Block, ...]:
    """The measures that carry the verdict, the histories that fit, and what the weights do not show."""
    return (
        Heading("Rests on"),
        Bullets(list(_measures(report))),
        Text("" if report.verdict.rests_on else "No measure was decisive."),
        Heading("Left out"),
        Bullets(list(_left_out(report))),
        Heading("Histories that fit"),
        Bullets(list(_histories(report))),
        Heading("What this does not show"),
        Bullets(report.verdict.does_not_show),
        Text(_beside(report), quiet=True),
    )


def _measures(report: Report) -> Iterator[str]:
    """The leading ones in a line or two each, and how many more there are."""
    items = report.verdict.rests_on
    order = LEADING.get(report.verdict.class_, OF_KINSHIP)
    leading = [item for start in order for item in items if item.measure.startswith(start)] or list(items)
    yield from map(_measure, leading[:MOST_MEASURES])
    if more := len(items) - len(leading[:MOST_MEASURES]):
        yield f"{n.plural(more, 'more measure')} among the tables (--tables)"


def _left_out(report: Report) -> Iterator[str]:
    """What of the suspect was not compared, and why: missing is said aloud, however short a report is."""
    found, suspect = report.coverage, beginning.suspect(report)
    unaligned = [item for item in found.unaligned if n.clean(item.checkpoint) == suspect]
    if found.nonfinite:
        yield f"{n.plural(found.nonfinite, 'weight')} NaN or infinite"
    yield from map(sections.not_compared, unaligned[:MOST_REASONS])
    if more := len(unaligned[MOST_REASONS:]):
        yield f"{n.plural(more, 'more reason')} among the tables (--tables)"
    if found.guessed:
        yield f"{n.plural(found.guessed, 'tensor')} matched by shape alone"


def _measure(item: Evidence) -> str:
    """What was measured and what chance gives; asides, the uncertainty and the number of weights stand in the table."""
    said = f"{ASIDE.sub('', item.measure)}: {item.value}"
    return f"{said} (to compare: {item.null})" if item.null else said


def _histories(report: Report) -> Iterator[str]:
    items = report.verdict.histories
    yield from (item.history for item in items[:MOST_HISTORIES])
    if more := len(items[MOST_HISTORIES:]):
        yield f"{n.count(more)} more, and what would settle each, among the tables (--tables)"


def _beside(report: Report) -> str:
    """What other models make of the same measures, in a word."""
    names = [item.label for item in report.verdict.controls if item.kind == "checkpoint"]
    return n.clean(f"Measured beside it, as controls: {', '.join(names)}.") if names else ""
