"""An identification told once, for every medium. Chooses and orders; computes nothing."""

from __future__ import annotations

from modelprov import __version__
from modelprov.forensics.identify.results import Identified, Proposal, Ranked
from modelprov.reports import numbers as n
from modelprov.reports.comparison.words import VERDICTS
from modelprov.reports.document import Block, Bullets, Column, Document, Grid, Heading, Table, Text, make_table
from modelprov.shares import rough_percent

SHOWN, SHOWN_FIRST = 12, 5
LIMITS = (
    "a model that the library does not hold, beside those it does or in their place",
    "who made the weights, which came first, and with what permission",
    "what lies between the places that fingerprints hold: compare whole models before you say so to anyone",
)
SHARES = (
    "Shares here are of least squares, which rounding biases; those of the verdict are not. Gain: what a mixture "
    "explains of what one entry fewer leaves; usual: the same of the entries among themselves."
)
OPEN: tuple[Block, ...] = (Heading("What this does not show"), Bullets(LIMITS))


def tell(found: Identified) -> Document:
    """What stands, the mixtures that were judged, the entries nearest first, and what was skipped."""
    words = VERDICTS[found.verdict]
    return Document(
        title=f"Identify: {found.suspect}",
        headline=_headline(found),
        summary=found.summary,
        answer=words.name,
        meaning="" if found.alone else words.meaning,
        colours=words.colours,
        notes=(_read(found), *_unread(found)),
        blocks=(
            *_judged(found),
            *_nearest(found, SHOWN),
            Text(_kin(found), quiet=True),
            *_skipped(found),
            *OPEN,
        ),
        brief=(
            *_judged(found),
            *_nearest(found, SHOWN_FIRST),
            Text(f"{n.plural(len(found.skipped), 'entry', 'entries')} skipped." if found.skipped else "", quiet=True),
            *OPEN,
        ),
        about="what known models a suspect is made of",
        started="",
        version=__version__,
        more="Every entry is in the JSON form.",
        prefix="modelprov identify: ",
    )


def _judged(found: Identified) -> tuple[Block, ...]:
    return (Heading("Judged by the rules of compare"), Grid(_proposals(found.proposals)))


def _nearest(found: Identified, shown: int) -> tuple[Block, ...]:
    return (Heading("Entries, nearest first"), Grid(_ranked(found.ranked, shown)))


def _headline(found: Identified) -> str:
    return f"{_said(found)} ({rough_percent(found.share)} of it read)"


def _said(found: Identified) -> str:
    if found.alone and str(found.verdict) == "unrelated":
        return f"{n.clean(found.suspect)} is made of none of these"
    parents = " and ".join(map(n.clean, found.members))
    first = n.clean(found.members[0]) if found.members else "any of these"
    return VERDICTS[found.verdict].headline.format(
        suspect=n.clean(found.suspect), parent=first, parents=parents or "any of these"
    )


def _read(found: Identified) -> str:
    return (
        f"{n.plural(len(found.ranked), 'entry', 'entries')} of {n.count(found.entries)} could be compared, at places "
        f"that hold {n.share(found.share)} of the suspect's weights. The correlations are of these; the verdict is of "
        "what the comparison with those it names could read."
    )


def _unread(found: Identified) -> tuple[str, ...]:
    """That entries are damaged, aloud: what is said of all entries is not said of these."""
    told = [f"{n.clean(each.name)} ({n.clean(each.reason)})" for each in found.skipped if each.unread]
    return (f"Could not be read, so that nothing is said of them: {'; '.join(told)}.",) if told else ()


def _kin(found: Identified) -> str:
    kin = sum(entry.kin for entry in found.ranked)
    return (
        f"{n.count(kin)} of {n.count(len(found.ranked))} are kin: their raw weights correlate above 0.5, and beyond "
        "chance (false-discovery rate 0.001 over all entries)."
    )


def _proposals(proposals: tuple[Proposal, ...]) -> Table:
    columns = (
        Column("Mixture (least squares, biased by rounding)", "mixture", numeric=False),
        Column("Explains of what one fewer leaves", "gain", priority=1),
        Column("Entries among themselves", "usual", priority=2),
        Column("Verdict", "verdict", numeric=False),
    )  # fmt: skip
    rows = [
        (
            " + ".join(f"{w:.3f} × {m}" for w, m in zip(each.weights, each.members, strict=True))
            if len(each.members) > 1
            else each.members[0],
            n.share(each.gain) if len(each.members) > 1 else "",
            n.share(each.usual) if len(each.members) > 1 else "",
            str(each.verdict),
        )
        for each in proposals
    ]
    return make_table("Judged", columns, rows, SHARES if any(len(each.members) > 1 for each in proposals) else "")


def _ranked(ranked: tuple[Ranked, ...], shown: int) -> Table:
    columns = (
        Column("Entry", "entry", numeric=False), Column("Correlation", "correlation"), Column("Equal", "equal"),
        Column("By chance", "chance"), Column("Weights", "weights", priority=1),
        Column("Sizes closer than chance", "sizes", priority=2),
    )  # fmt: skip
    rows = [
        (
            each.name,
            n.cosine(each.correlation),
            n.share(each.equal),
            n.scientific(each.chance),
            n.compact(each.elements),
            "" if each.profiles is None else f"{each.rare} of {each.profiles}",
        )
        for each in ranked[:shown]
    ]
    more = len(ranked) - shown
    return make_table(
        "Entries", columns, rows, f"and {n.plural(more, 'entry', 'entries')} further away" if more > 0 else ""
    )


def _skipped(found: Identified) -> tuple[Block, ...]:
    if not found.skipped:
        return ()
    told = [f"{n.clean(each.name)}: {n.clean(each.reason)}" for each in found.skipped[:SHOWN]]
    more = len(found.skipped) - SHOWN
    return (Heading("Skipped"), Bullets([*told, *([f"and {n.count(more)} more"] if more > 0 else [])]))
