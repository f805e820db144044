"""What a report says of other coordinates: what was undone, which layer is which, and what chance would give."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from modelprov.forensics.results import Coordinates
from modelprov.reports import numbers as n
from modelprov.reports.comparison.report import Report
from modelprov.reports.document import (
    TERMINAL,
    WRITTEN,
    Block,
    Bullets,
    Column,
    Fact,
    Facts,
    Fold,
    Grid,
    Heading,
    Only,
    Plot,
    Table,
    Text,
    facts,
    make_table,
)
from modelprov.reports.plotting import ACCENT, QUIET, Draw, svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FRAMES = {
    "same": "as it is in the parent",
    "permuted": "in another order, or with other signs",
    "rotated": "turned to another basis",
}
GIVEN_BY = {
    "embeddings": "the embeddings of the same tokens",
    "units": "MLP units of layers that were not tested, since embeddings gave nothing",
}
TOKENS = {
    "strings": "the strings of both tokenizers",
    "numbers": "their numbers",
    "content": "their vectors, in this frame",
}
MAP = "Which layer of the parent each layer of the suspect is. Open: units do not agree beyond chance."


def coordinates(report: Report) -> tuple[Block, ...]:
    """The section; nothing where no other coordinates were looked for."""
    found = report.coordinates
    if found is None:
        return ()
    return (
        Heading("Other coordinates", listed=True),
        Text(n.clean(_said(found))),
        Bullets(tuple(n.clean(text) for text in found.undone)),
        *_left(found),
        Facts(_facts(found)),
        *([Plot("Layer map", MAP, _layer_map(found))] if found.related else []),
        Only(TERMINAL, [Text(n.clean(f"Layers (suspect < parent): {runs(found)}") if found.related else "")]),
        Only(WRITTEN, [Fold(f"Layer by layer ({n.plural(len(found.layers), 'layer')})", [Grid(_table(found))])]),
    )


def _left(found: Coordinates) -> tuple[Block, ...]:
    """What undoing did not bring together."""
    return (Text("Not undone:"), Bullets(tuple(n.clean(text) for text in found.left))) if found.left else ()


def _said(found: Coordinates) -> str:
    if not found.related:
        return f"The units of the layers looked at do not agree with those of {found.parent} beyond chance."
    if found.renamed and not found.undone:
        return (
            f"The units agree with those of {found.parent}, under other names: {n.plural(found.renamed, 'tensor')} "
            "were paired by their numbers and compared so; nothing else had to be undone."
        )
    if not found.undone:
        return f"The units agree with those of {found.parent}; nothing had to be undone, or undoing it told no more."
    kept = "no bit was lost" if found.exact else "what is compared is rounded anew, and nothing is called exact"
    return f"Undone, before all other numbers were measured against {found.parent} ({kept}):"


def _facts(found: Coordinates) -> tuple[Fact, ...]:
    agreeing, units = (sum(getattr(one, key) for one in found.layers) for key in ("agreeing", "units"))
    related = [one for one in found.layers if one.related]
    return facts(
        ("Agreeing units", f"{n.count(agreeing)} of {n.count(units)}"),
        ("By chance", f"{n.number(sum(one.expected for one in found.layers), 1)}: {found.null}"),
        ("Related layers", f"{len(related)} of {len(found.layers)} looked at"),
        ("Chance in the weakest of them", _chance([one.chance for one in related])),
        ("Residual stream" if found.related else "Residual stream, as it was tried", FRAMES[found.frame]),
        ("Found from", GIVEN_BY[found.given_by]),
        ("Cosine of the embeddings in it (decides nothing)", n.cosine(found.embedding_cosine)),
        ("Tokens paired by", TOKENS[found.tokens]),
    )


def _chance(related: Sequence[float]) -> str:
    """The largest, which may be smaller than any number."""
    largest = max(related, default=None)
    return "< 1e-300" if largest is not None and largest < 1e-300 else n.scientific(largest)


def runs(found: Coordinates) -> str:
    """The layer map in words: runs of layers that follow each other in both, those that are not related as ?."""
    parts: list[list[int]] = []
    for one in found.layers:
        there = one.parent_layer if one.related else -1
        last = parts[-1] if parts else None
        step = 1 if there >= 0 else 0
        if last and one.layer == last[1] + 1 and there == last[3] + step and (last[3] < 0) is (there < 0):
            last[1], last[3] = one.layer, there
        else:
            parts.append([one.layer, one.layer, there, there])
    return ", ".join(f"{_span(a, b)} < {'?' if d < 0 else _span(c, d)}" for a, b, c, d in parts)


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def _table(found: Coordinates) -> Table:
    columns = (
        Column("Layer", "layer"),
        Column("Parent's layer", "parent's"),
        Column("Agreeing units", "agree"),
        Column("Units", "units"),
        Column("Share", "share"),
        Column("By chance", "chance"),
        Column("Probability", "p"),
        Column("Related", "related", numeric=False),
    )
    rows = [
        (
            str(one.layer),
            str(one.parent_layer),
            n.count(one.agreeing),
            n.count(one.units),
            n.share(one.agreeing / one.units if one.units else None),
            n.number(one.expected),
            n.scientific(one.chance),
            "yes" if one.related else "no",
        )
        for one in found.layers
    ]
    return make_table("Layers and their counterparts", columns, rows, found.null)


def _layer_map(found: Coordinates) -> Draw | None:
    if not found.layers:
        return None

    def draw(figure: Figure) -> None:
        from matplotlib.ticker import MaxNLocator

        axes = figure.add_subplot()
        axes.grid()
        axes.set_axisbelow(True)
        for related, fill, edge in ((True, ACCENT, ACCENT), (False, "none", QUIET)):
            chosen = [one for one in found.layers if one.related is related]
            places = [one.layer for one in chosen], [one.parent_layer for one in chosen]
            axes.plot(*places, "o", ms=4, mfc=fill, mec=edge)
        axes.set_xlabel("Layer of the suspect")
        axes.set_ylabel("Layer of the parent")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(MaxNLocator(12, integer=True))

    return partial(svg, draw, "layer-map", f"Layer map: {runs(found)}", 2.9)
