"""Says which claims of a report hold, as text or JSON. Formats a `Recheck`; computes nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from modelprov import __version__
from modelprov.reports.evidence.rechecking import UNCHECKED, Held, Recheck
from modelprov.reports.numbers import clean, count

SCHEMA = 1
EXAMPLES = 5


def render_recheck_json(found: Recheck, report: str, notes: Sequence[str]) -> str:
    """The claims as JSON; `report` names the file that was checked, `notes` say what else could not be checked."""
    data = {
        "schema": SCHEMA,
        "modelprov": __version__,
        "report": report,
        "holds": found.holds,
        "tolerance": found.tolerance,
        "claims": [asdict(claim) | {"holds": claim.holds} for claim in found.claims],
        "not_checked": [
            UNCHECKED,
            *notes,
            *(f"{place} (not in the file, or worded otherwise since)" for place in found.older),
        ],
    }
    return json.dumps(data, indent=2) + "\n"


def print_recheck(found: Recheck, report: str, notes: Sequence[str], console: Console) -> None:
    """Print the answer, then every claim, then the values that differ and what was not checked."""
    failed = [claim for claim in found.claims if not claim.holds]
    head = "EVERY CLAIM HOLDS" if found.holds else f"{len(failed)} OF {len(found.claims)} CLAIMS DO NOT HOLD"
    console.print(Text(head, style="bold green" if found.holds else "bold red"))
    _print(console, f"{report}, computed anew from its inputs:")
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for claim in found.claims:
        outcome = Text("holds", style="green") if claim.holds else Text("differs", style="bold red")
        table.add_row(Text(clean(claim.claim)), outcome, Text(clean(claim.says)))
    console.print(table)
    for claim in failed:
        _differences(claim, console)
    compared = sum(claim.values for claim in found.claims)
    _print(
        console,
        f"{count(compared)} values compared: counts and words exactly, the rest to {found.tolerance:g} of their size.",
    )
    for note in (f"Not checked: {UNCHECKED}.", *notes):
        _print(console, note)
    if found.older:
        places = ", ".join(found.older[:EXAMPLES]) + (", ..." if len(found.older) > EXAMPLES else "")
        _print(console, f"Not in this older report, or worded otherwise since, so not compared: {places}.")
    if not found.holds and found.versions[0] != found.versions[1]:
        _print(
            console,
            f"Written by modelprov {found.versions[0]}, checked by {found.versions[1]}: words and late decimals may "
            "differ between versions. To be sure, check with the version that wrote it.",
        )
    if not found.holds and found.devices[0] != found.devices[1]:
        _print(
            console,
            f"Computed on {found.devices[0]}, checked on {found.devices[1]}: late decimals may differ (--tolerance).",
        )


def _differences(claim: Held, console: Console) -> None:
    console.print(Text(clean(claim.claim), style="bold"))
    for one in claim.differences[:EXAMPLES]:
        where = one.place if one.row is None else f"{one.place} ({one.row})"
        _print(console, f"  {where}\n    recorded   {_value(one.recorded)}\n    recomputed {_value(one.recomputed)}")
    more = len(claim.differences) - EXAMPLES
    if more > 0:
        _print(console, f"  and {count(more)} more")


def _value(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value
    return text if len(text) <= 300 else f"{text[:300]}..."


def _print(console: Console, text: str) -> None:
    console.print(Text(clean(text, "\n")), soft_wrap=False)
