"""An atlas told once, for every medium. Chooses and orders; computes nothing.

Words never say more than a tie does: an arrow is what bits can be computed from, a plain line is nearness.
"""

from __future__ import annotations

from collections.abc import Mapping

from modelprov import __version__
from modelprov.forensics.identify.charted import Atlas, Family, Placed, Tie
from modelprov.reports import numbers as n
from modelprov.reports.document import (
    MARKDOWN,
    PAGE,
    TERMINAL,
    Block,
    Bullets,
    Colours,
    Document,
    Fact,
    Facts,
    Heading,
    Only,
    Text,
)
from modelprov.reports.trees import Line, Row, Tree

COLOURS = Colours("#1c4f8f", "#8fbcf2", "blue")
LEGEND = (
    Fact("Arrow, filled dot", "Its numbers can be computed from those of the entries that the arrows come from: "
         "mixed, or rounded. These cannot be computed from it. Who did so, and when, is not shown."),
    Fact("Plain line", "Kin, and the nearest in the shortest tree that connects the family. No direction: which came "
         "first, or whether both come from a third, weights do not tell."),
    Fact("Two lines", "The same numbers. Who copied whom is open."),
    Fact("Dashed line", "Near a mix of these, not so near that rounding explains the rest: no finding."),
)  # fmt: skip
SHORT = (
    "“Made of” and “the numbers of” say what numbers can be computed from, bit by bit; “kin” is nearness, without a "
    "direction: which came first, weights do not tell."
)
LIMITS = (
    "which entry came first: a tree begins with the entry that is nearest to all others, wherever that stood in time",
    "a source that the library does not hold: an entry may come from another by way of one that is not here",
    "who made the weights, and with what permission",
    "kin in other coordinates (reordered, rotated): an entry that stands alone may be one; `modelprov identify` asks",
    "what lies between the places that fingerprints hold: compare whole models before you say so to anyone",
)
MOST_ALONE = 60


def tell(found: Atlas) -> Document:
    """The families as trees, the largest first, what stands alone, and what a drawing does not show."""
    placed = [each for family in found.families for each in family.members]
    made = sum(each.tie is not None and each.tie.directed for each in placed)
    same = sum(each.tie is not None and each.tie.kind == "copy" and not each.tie.directed for each in placed)
    families = n.plural(len(found.families), "family", "families")
    kin = (
        f"{n.plural(len(placed), 'entry is', 'entries are')} kin to others, in {families}"
        if placed
        else "No entry is kin to another"
    )
    return Document(
        title=f"Atlas: {found.library}",
        headline=f"{n.plural(found.entries, 'entry', 'entries')}, {families}",
        summary=f"{kin}. {n.plural(made, 'is', 'are')} made of others, bit by bit; {n.plural(same, 'has', 'have')} the "
        f"same numbers as another. {n.plural(len(found.alone), 'stands', 'stand')} alone.",
        meaning="Every word is of the places that fingerprints hold, by the rules of compare.",
        answer="",
        colours=COLOURS,
        blocks=(
            Heading("How to read a tree", listed=True),
            Only(PAGE, (Facts(LEGEND, terms=True),)),
            Only(TERMINAL | MARKDOWN, (Text(SHORT),)),
            *(block for number, family in enumerate(found.families, 1) for block in _family(number, family)),
            *_alone(found),
            *_skipped(found),
            Heading("What this does not show", listed=True),
            Bullets(LIMITS),
        ),
        about="what the models of a library are to each other",
        started="",
        version=__version__,
        more="Every number is in the JSON form.",
        prefix="modelprov: ",
    )  # fmt: skip


def _family(number: int, family: Family) -> tuple[Block, ...]:
    first = family.members[0].name
    place = {each.name: row for row, each in enumerate(family.members)}
    title = f"{n.clean(first)} and {len(family.members) - 1} more"
    rows = [_row(each, place, number == 0) for number, each in enumerate(family.members)]
    return (Heading(title, listed=True), Tree(f"The family of {n.clean(first)}", rows, f"family-{number}"))


def _row(placed: Placed, place: Mapping[str, int], first: bool) -> Row:
    tie = placed.tie
    under: int | None = None
    line: Line = ""
    sources: tuple[int, ...] = ()
    if tie is not None:
        order = sorted(range(len(tie.members)), key=lambda each: -abs(tie.shares[each]) if tie.shares else 0)
        under, *others = [place[tie.members[each]] for each in order]
        sources = tuple(others)
        line = "from" if tie.directed else "same" if tie.kind == "copy" else "kin"
    loose = tuple(place[name] for each in placed.beside for name in each.members)
    says = [_says(tie, first), *(_beside(each) for each in placed.beside)]
    return Row(
        name=placed.name, says="; ".join(says), grounds=tuple(_grounds(placed)), depth=placed.depth, under=under,
        line=line, sources=sources, loose=loose,
    )  # fmt: skip


def _says(tie: Tie | None, first: bool) -> str:
    if tie is None:
        return "drawn first: the nearest to all others" if first else "kin to the family by way of what is made of it"
    if tie.kind == "kin":
        return f"kin to {tie.members[0]}, correlation {n.cosine(tie.correlation)}"
    if tie.kind == "copy":
        return f"{'the numbers of ' if tie.directed else 'the same numbers as '}{tie.members[0]}" + (
            ", rounded" if tie.directed else ""
        )
    return f"made of {_mix(tie)}"


def _beside(tie: Tie) -> str:
    if tie.kind == "on-line":
        return f"near a mix of {_mix(tie)}: no finding"
    return f"{'the numbers of' if tie.kind == 'copy' else 'a mix of'} {_mix(tie)}, and these of it: no direction"


def _mix(tie: Tie) -> str:
    if not tie.shares:
        return " and ".join(tie.members)
    pairs = sorted(zip(tie.shares, tie.members, strict=True), key=lambda pair: -abs(pair[0]))
    return " + ".join(f"{n.coefficient(share)} × {name}" for share, name in pairs)


def _grounds(placed: Placed) -> list[str]:
    """What a line rests on: the measures of its first member, and the words of the comparison."""
    tie, told = placed.tie, []
    if tie is not None:
        told.append(
            f"With {tie.members[0]}: correlation {n.cosine(tie.correlation)} over {n.compact(tie.elements)} weights "
            f"(by chance {n.scientific(tie.chance)}), {n.share(tie.equal)} equal numbers."
        )
    if placed.summary:
        told.append(f"In the words of compare ({placed.verdict}): {placed.summary}")
    return told


def _alone(found: Atlas) -> tuple[Block, ...]:
    if not found.alone:
        return ()
    told = [
        f"{n.clean(each.name)}: "
        + (
            f"no kin among the {n.plural(each.compared, 'entry', 'entries')} that could be compared with it"
            if each.compared
            else "no other entry has tensors of its names and shapes"
        )
        for each in found.alone[:MOST_ALONE]
    ]
    more = len(found.alone) - MOST_ALONE
    return (
        Heading("Entries that stand alone", listed=True),
        Bullets([*told, *([f"and {n.count(more)} more"] if more > 0 else [])]),
    )


def _skipped(found: Atlas) -> tuple[Block, ...]:
    told = [f"{n.clean(each.name)}: {n.clean(each.reason)}" for each in found.skipped]
    return (Heading("Could not be read", listed=True), Bullets(told)) if told else ()
