"""Whether a card's licence carries over what a parent's licence asks for, by the table. Facts, no legal advice.

Whether weights, or a merge of them, are a "derivative work" at all is a question for courts; this compares texts. A
licence that the table does not have gives "unknown", never a pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from modelprov.check.licence_table import ALIASES, SAYS_NOTHING, TABLE, Terms

Outcome = Literal["ok", "incompatible", "notice-needed", "unknown"]
WORST_FIRST: tuple[Outcome, ...] = ("incompatible", "notice-needed", "unknown", "ok")
CLASHES = {("gpl-2.0", "apache-2.0")}
"""Child and parent of which neither text says so alone: the FSF's list names them."""


@dataclass(frozen=True)
class Compatibility:
    """Whether a licence goes over a parent's, and why; `reason` is one or more sentences without a full stop."""

    outcome: Outcome
    reason: str


def terms(identifier: str) -> Terms | None:
    """What the table says of a licence, however it is spelled (`Apache 2.0`, `GPL-3.0-or-later`); None if nothing."""
    return TABLE.get(normalised(identifier))


def normalised(identifier: str) -> str:
    """The hub's identifier for a licence as written; text that is no identifier comes back in small letters."""
    words = "-".join(identifier.strip().lower().replace("_", "-").split())
    words = words.removesuffix("-only").removesuffix("-international")
    if not words.startswith(("gpl-2", "lgpl-2")):  # "2 or later" goes with more than 2 does
        words = words.removesuffix("-or-later")
    return ALIASES.get(words, words)


def compatible(child: str, parents: Sequence[str | None]) -> Compatibility:
    """Whether a model under `child` may have `parents` under these licences, as far as the table says.

    "notice-needed": allowed, but `child` alone does not carry over what the parent asks for (MIT over Apache-2.0: the
    licence, copyright and NOTICE texts). `child` may be several names with commas between; where they do not lead to
    the same answer it is unknown. Of several parents the worst answer counts; without parents there is none, so ok.
    """
    children = [one.strip() for one in child.split(",") if one.strip()] or [""]
    answers = [_over_all(one, parents) for one in children]
    if len({one.outcome for one in answers}) > 1:
        return Compatibility("unknown", f"the card names several licences ({child}), which differ in this")
    return answers[0]


def _over_all(child: str, parents: Sequence[str | None]) -> Compatibility:
    answers = [_over(child, one) for parent in parents for one in _each(parent)]
    if not answers:
        return Compatibility("ok", "there is no parent's licence to carry over")
    worst = min(answers, key=lambda one: WORST_FIRST.index(one.outcome)).outcome
    reasons = dict.fromkeys(one.reason for one in answers if one.outcome == worst)
    return Compatibility(worst, "; ".join(reasons))


def _each(parent: str | None) -> Iterable[str | None]:
    return (one.strip() for one in parent.split(",")) if parent is not None else (None,)


def _over(child: str, parent: str | None) -> Compatibility:
    """One licence over one parent's."""
    below = terms(parent) if parent is not None else None
    above = terms(child)
    if below is None:
        return Compatibility("unknown", _unknown("the parent's licence", parent))
    if below.no_derivatives:
        return Compatibility("incompatible", f"{below.name} does not allow changed versions to be passed on")
    if below.passing == "nothing":
        return Compatibility("ok", f"{below.name} asks for nothing")
    if above is None:
        return Compatibility("unknown", _unknown("the card's licence", child))
    if above.identifier == below.identifier:
        return Compatibility("ok", f"both are under {below.name}")
    if (above.identifier, below.identifier) in CLASHES:
        return Compatibility("incompatible", f"the FSF lists {below.name} as incompatible with {above.name}")
    if below.non_commercial and not above.non_commercial:
        return Compatibility("incompatible", f"{below.name} allows no commercial use, {above.name} does")
    if below.same is not None:
        if above.identifier in below.same:
            return Compatibility("ok", f"{below.name} lets changed versions go under {above.name}")
        if below.strict:
            return Compatibility("incompatible", f"{below.name} asks to put changed versions under the same licence")
        return Compatibility("unknown", f"{below.name} asks to {below.asks}; the table does not say more")
    asks = f"{below.name} asks to {below.asks}"
    if below.passing == "restrictions":
        if above.passing == "restrictions":
            return Compatibility("unknown", f"the restrictions of {above.name} and {below.name} differ")
        return Compatibility("incompatible", f"{asks}; {above.name} has no such restrictions")
    return Compatibility("notice-needed", f"{asks}; {above.name} alone does not carry that over")


def _unknown(what: str, identifier: str | None) -> str:
    if identifier is None:
        return f"{what} is not known"
    if normalised(identifier) in SAYS_NOTHING:
        return f"{what} is given as {identifier!r}, which does not say which one it is"
    return f"{what} ({identifier}) is not in the table"
