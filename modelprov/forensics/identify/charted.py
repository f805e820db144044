"""What `atlas` found, as a record that crosses a file. Data only: nothing is measured or judged here."""

from __future__ import annotations

from typing import Literal

from modelprov.forensics.identify.results import Skipped
from modelprov.forensics.results import VerdictClass
from modelprov.records import Frozen
from modelprov.savable import Page

SCHEMA_VERSION = "1.0"


class Tie(Frozen):
    """What ties an entry to others of its family.

    `kind` is "copy" (the same numbers, or these rounded), "merge" (a mix of the members to the last bit, or to within
    rounding), "on-line" (near such a mix: no finding) or "kin" (the nearest relative, of which nothing more is known).
    `directed`: its numbers can be computed from the members' and not the other way round; that is no act, and no order
    in time. `shares` of the members where the weights give them. `correlation` of raw weights and `equal` numbers, 0
    to 1, are with the first member.
    """

    kind: Literal["copy", "merge", "on-line", "kin"]
    members: tuple[str, ...]
    directed: bool
    shares: tuple[float, ...] = ()
    correlation: float
    equal: float
    chance: float
    elements: int


class Placed(Frozen):
    """An entry in its family, below the one that it hangs from: `tie` says by what; None where the drawing begins.

    `beside` are further ties, to entries elsewhere in the family. `verdict`, `rule` and `summary` are those of the
    comparison that `identify` ends with, of this entry with the rest of its family (less what was made from it).
    """

    name: str
    revision: str | None
    depth: int
    tie: Tie | None
    beside: tuple[Tie, ...] = ()
    verdict: VerdictClass | None
    rule: str
    summary: str


class Family(Frozen):
    """Entries that are kin to each other, in the order in which they are drawn: each below what it hangs from."""

    members: tuple[Placed, ...]


class Alone(Frozen):
    """An entry that is no other's kin, and the number of entries that it could be compared with."""

    name: str
    compared: int


class Atlas(Frozen, Page):
    """Which entries of a library are kin, and what they are to each other.

    `families` are those of two or more, the largest first; `alone` all others. `skipped` could not be read.
    """

    tool: Literal["modelprov atlas"] = "modelprov atlas"
    schema_version: str = SCHEMA_VERSION
    command: str
    library: str
    entries: int
    seconds: float
    families: tuple[Family, ...]
    alone: tuple[Alone, ...]
    skipped: tuple[Skipped, ...] = ()
