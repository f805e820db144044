"""What `identify` found, as a record that crosses a file. Data only: nothing is measured or judged here."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from modelprov.forensics.results import VerdictClass
from modelprov.records import Frozen
from modelprov.savable import Page

SCHEMA_VERSION = "1.0"


class Skipped(Frozen):
    """An entry that could not be compared, and why; `unread` where its file is what cannot be read."""

    name: str
    reason: str
    unread: bool = False


class Ranked(Frozen):
    """An entry that could: how near its weights are, at the places that it shares with the suspect.

    `correlation` of raw weights, mean-centred by tensor; `equal` the share of equal numbers; `chance` of such a
    correlation between independent models; `found` whether that is a find among all entries (false-discovery rate
    0.001). `rare` of `profiles` sizes of rows and columns are closer than chance makes one in a thousand; `elsewhere`
    whether that is beyond chance: only asked where no entry is kin.
    """

    name: str
    revision: str | None
    elements: int
    correlation: float
    equal: float
    chance: float
    found: bool
    kin: bool
    profiles: int | None = None
    rare: int | None = None
    elsewhere: bool = False


class Proposal(Frozen):
    """A mixture of entries that was held against the suspect by all rules of `compare`, and what they say.

    `weights` add up to 1, by least squares, in the order of `members`: a guide for what to compare, no finding.
    `gain`: the share explained of what one entry fewer leaves; `usual` what the entries themselves gain. `left`: the
    sum of squares beside the mixture, in units of rounding's own. All else is the verdict of the comparison.
    """

    members: tuple[str, ...]
    weights: tuple[float, ...]
    gain: float
    usual: float
    left: float
    verdict: VerdictClass
    rule: str
    summary: str
    alpha: float | None = None
    recipe: str | None = None


class Identified(Frozen, Page):
    """Which known models a suspect is made of.

    `verdict` and `summary` are those of the comparison of `members`, or say that no entry is in it; `alone` is true for
    that. `share` of the suspect's weights was looked at, 0 to 1.
    """

    tool: Literal["modelprov identify"] = "modelprov identify"
    schema_version: str = SCHEMA_VERSION
    command: str
    suspect: str
    location: str
    library: str
    entries: int
    share: float
    seconds: float
    verdict: VerdictClass
    rule: str
    summary: str
    members: tuple[str, ...] = ()
    alone: bool = False
    ranked: tuple[Ranked, ...] = ()
    proposals: tuple[Proposal, ...] = ()
    skipped: tuple[Skipped, ...] = Field(default=())

    @property
    def unread(self) -> tuple[str, ...]:
        """The entries of which nothing is said, as their files cannot be read: no all-clear speaks of these."""
        return tuple(each.name for each in self.skipped if each.unread)
