"""Which blocks of a document a medium shows, and blocks as parts of a section. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from modelprov.reports.document import (
    PAGE,
    TERMINAL,
    Block,
    Bullets,
    Code,
    Facts,
    Figures,
    Fold,
    Grid,
    Heading,
    Medium,
    Only,
    Plot,
    Strip,
    Text,
)
from modelprov.reports.trees import Tree


def seen_in(blocks: Iterable[Block], medium: Medium) -> list[Block]:
    """The blocks that this medium shows: none that are empty or for others, and no heading without anything below."""
    kept: list[Block] = []
    for block in reversed(list(_chosen(blocks, medium))):
        after = kept[-1] if kept else Heading("", level=0)
        if not (isinstance(block, Heading) and isinstance(after, Heading) and after.level <= block.level):
            kept.append(block)
    return kept[::-1]


def _chosen(blocks: Iterable[Block], medium: Medium) -> Iterator[Block]:
    for block in blocks:
        match block:
            case Only(media, inner):
                yield from _chosen(inner, medium) if medium in media else ()
            case Fold(title, inner, level) if level and medium is PAGE:
                yield Heading(title, level)
                yield from _chosen(inner, medium)
            case Fold(title, inner):
                folded = seen_in(inner, medium)
                if folded and medium is not TERMINAL:
                    yield Fold(title, folded)
            case Grid(table, titled=titled) if table.rows and medium in titled and medium is not PAGE:
                yield Heading(table.caption)
                yield block
            case _ if _holds(block, medium):
                yield block


def _holds(block: Block, medium: Medium) -> bool:
    """Whether there is anything in it that this medium can show."""
    match block:
        case Grid(table):
            return bool(table.rows)
        case Text(text) | Code(text):
            return bool(text)
        case Facts(items) | Bullets(items) | Figures(items):
            return bool(items)
        case Plot():
            return medium is PAGE and block.draw is not None
        case Tree(rows=rows):
            return bool(rows)
        case Strip(values=values):
            return medium is TERMINAL and any(value is not None for value in values)
    return True


def below(blocks: Iterable[Block]) -> tuple[Block, ...]:
    """The same blocks as parts of a section: every heading one level further down."""
    lower: list[Block] = []
    for block in blocks:
        match block:
            case Heading(level=level):
                lower.append(replace(block, level=level + 1, listed=False))
            case Fold(title, inner, level):
                lower.append(Fold(title, below(inner), level and level + 1))
            case Only(media, inner):
                lower.append(Only(media, below(inner)))
            case _:
                lower.append(block)
    return tuple(lower)
