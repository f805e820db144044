"""The check of a signed statement told once, for every medium, and its JSON. Formats; computes nothing."""

from __future__ import annotations

import json
from dataclasses import asdict

from modelprov import __version__
from modelprov.reports.document import (
    FAILS,
    HOLDS,
    TERMINAL,
    WRITTEN,
    Block,
    Bullets,
    Column,
    Document,
    Grid,
    Heading,
    Only,
    Table,
    Text,
    make_table,
)
from modelprov.reports.evidence.attestation_check import Confirmed, Point
from modelprov.reports.evidence.rechecking_telling import shown
from modelprov.reports.numbers import plural

SCHEMA = 1
EXAMPLES = 5
SIGNED = "A signature says who stands by the statement, not that it is right: only the weights do."


def render_json(found: Confirmed) -> str:
    """Each point as JSON, and what the statement says."""
    statement = found.statement
    data = {
        "schema": SCHEMA,
        "modelprov": __version__,
        "statement": found.file,
        "holds": found.holds,
        "points": [asdict(point) for point in found.points],
        "about": statement.about,
        "verdict": statement.claim,
        "says": statement.summary,
        "does_not_show": list(statement.does_not_show),
    }
    return json.dumps(data, indent=2) + "\n"


def tell(found: Confirmed) -> Document:
    """The answer, what was checked, and what is attested."""
    statement, good = found.statement, found.holds
    about = statement.about
    said = "It says" if good else "It would say"
    return Document(
        title=f"Statement on {about}",
        headline="Verified" if good else "Not verified",
        summary="",
        answer="VERIFIED" if good else "NOT VERIFIED",
        colours=HOLDS if good else FAILS,
        blocks=(
            Only(WRITTEN, [Heading("What was checked")]),
            Grid(_points(found.points)),
            *(block for point in found.points if point.differences for block in _differences(point)),
            Only(WRITTEN, [Heading("What the statement says")]),
            Text(f"{said} of {about} ({statement.claim}): {statement.summary}"),
            Heading("What it does not show", 3, short="Not shown:"),
            Bullets(statement.does_not_show),
            Text(SIGNED if good else ""),
        ),
        about="check of a signed statement",
        started=found.started,
        version=__version__,
        more="All of it is in the JSON form.",
        prefix="modelprov attest: ",
    )


def _points(points: tuple[Point, ...]) -> Table:
    columns = (
        Column("Checked", "checked", numeric=False), Column("Outcome", "outcome", numeric=False),
        Column("Why", "why", numeric=False),
    )  # fmt: skip
    rows = [(point.name, "holds" if point.holds else "fails", point.says) for point in points]
    return make_table("What was checked", columns, rows)


def _differences(point: Point) -> tuple[Block, ...]:
    """The first things that are not as attested."""
    columns = (
        Column("Place", "place", numeric=False), Column("Attested", "attested", numeric=False),
        Column("Found", "found", numeric=False),
    )  # fmt: skip
    rows = [(each.place, _said(each.recorded), _said(each.recomputed)) for each in point.differences[:EXAMPLES]]
    more = len(point.differences) - EXAMPLES
    note = f"and {plural(more, 'other')}" if more > 0 else ""
    lines = [
        Text(line)
        for place, attested, found in rows
        for line in (place, f"  attested {attested}", f"  found    {found}")
    ]
    return (
        Heading(point.name, 3),
        Only(TERMINAL, [*lines, Text(note)]),
        Only(WRITTEN, [Grid(make_table(point.name, columns, rows, note))]),
    )


def _said(value: object) -> str:
    return "not there" if value is None else shown(value)
