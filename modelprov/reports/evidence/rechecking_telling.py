"""The check of a report told once, for every medium, and its JSON. Formats what was found; computes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from modelprov import __version__
from modelprov.reports.document import (
    FAILS,
    HOLDS,
    TERMINAL,
    WRITTEN,
    Block,
    Column,
    Document,
    Grid,
    Heading,
    Only,
    Table,
    Text,
    make_table,
)
from modelprov.reports.evidence.rechecking import UNCHECKED, Difference, Held, Rechecked
from modelprov.reports.numbers import clean, count, plural

SCHEMA = 1
EXAMPLES = 5
LONGEST = 300


def render_json(found: Rechecked) -> str:
    """The claims as JSON, and what could not be checked."""
    data = {
        "schema": SCHEMA,
        "modelprov": __version__,
        "report": found.file,
        "holds": found.holds,
        "tolerance": found.found.tolerance,
        "claims": [asdict(claim) | {"holds": claim.holds} for claim in found.found.claims],
        "not_checked": [
            UNCHECKED,
            *found.notes,
            *(f"{place} (not in the file, or worded otherwise since)" for place in found.found.older),
        ],
    }
    return json.dumps(data, indent=2) + "\n"


def tell(found: Rechecked) -> Document:
    """The answer, every claim, the values that differ, and what was not checked."""
    failed = sum(not claim.holds for claim in found.found.claims)
    failing = f"{failed} of {len(found.found.claims)} claims {'does' if failed == 1 else 'do'} not hold"
    head = "Every claim holds" if found.holds else failing
    return Document(
        title=f"Report checked: {found.file}",
        headline=head,
        summary=f"{found.file}, computed anew from its inputs.",
        answer=head.upper(),
        colours=HOLDS if found.holds else FAILS,
        blocks=(
            Only(WRITTEN, [Heading("Claims")]),
            Grid(_claims(found)),
            *_differences(found),
            Only(WRITTEN, [Heading("What was compared")]),
            *(Text(sentence) for sentence in _compared(found)),
        ),
        about="check of a report, computed anew",
        started=found.started,
        version=__version__,
        more="All differences are in the JSON form.",
        prefix="modelprov report verify: ",
    )


def _claims(found: Rechecked) -> Table:
    columns = (
        Column("Claim", "claim", numeric=False), Column("Outcome", "outcome", numeric=False),
        Column("What the report says", "what the report says", numeric=False),
    )  # fmt: skip
    rows = [(each.claim, "holds" if each.holds else "differs", each.says) for each in found.found.claims]
    return make_table("Claims", columns, rows)


def _differences(found: Rechecked) -> tuple[Block, ...]:
    """The first values of each claim that differ."""
    failed = [claim for claim in found.found.claims if not claim.holds]
    columns = (
        Column("Place", "place", numeric=False), Column("Recorded", "recorded", numeric=False),
        Column("Computed anew", "recomputed", numeric=False),
    )  # fmt: skip
    told: list[Block] = [Only(WRITTEN, [Heading("What differs")])]
    for claim in failed:
        rows = [(_place(each), shown(each.recorded), shown(each.recomputed)) for each in claim.differences[:EXAMPLES]]
        more = len(claim.differences) - EXAMPLES
        note = f"and {count(more)} more" if more > 0 else ""
        told += [
            Heading(claim.claim, 3),
            Only(TERMINAL, [*lines(claim, "recorded  ", "recomputed"), Text(note)]),
            Only(WRITTEN, [Grid(make_table(claim.claim, columns, rows, note))]),
        ]
    return tuple(told)


def lines(claim: Held, before: str, after: str) -> Iterator[Block]:
    """The first values that differ, in lines for a terminal."""
    for each in claim.differences[:EXAMPLES]:
        yield Text(_place(each))
        yield Text(f"  {before} {shown(each.recorded)}")
        yield Text(f"  {after} {shown(each.recomputed)}")


def _place(difference: Difference) -> str:
    return difference.place if difference.row is None else f"{difference.place} ({difference.row})"


def shown(value: Any) -> str:
    """A value as the file has it, not longer than a page can show."""
    text = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value
    text = clean(text)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _compared(found: Rechecked) -> Iterator[str]:
    seen = found.found
    compared = plural(sum(claim.values for claim in seen.claims), "value")
    yield f"{compared} compared: counts and words exactly, the rest to {seen.tolerance:g} of their size."
    yield f"Not checked: {UNCHECKED}."
    yield from found.notes
    if seen.older:
        places = ", ".join(seen.older[:EXAMPLES]) + (", ..." if len(seen.older) > EXAMPLES else "")
        yield f"Not in this older report, or worded otherwise since, so not compared: {places}."
    if not found.holds and seen.versions[0] != seen.versions[1]:
        yield (
            f"Written by modelprov {seen.versions[0]}, checked by {seen.versions[1]}: words and late decimals may "
            "differ between versions. To be sure, check with the version that wrote it."
        )
    if not found.holds and seen.devices[0] != seen.devices[1]:
        yield f"Computed on {seen.devices[0]}, checked on {seen.devices[1]}: late decimals may differ (--tolerance)."
