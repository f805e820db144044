"""What a report consists of: a title, a few opening words, and blocks. Knows no kind of report and no form of output.

A kind of report is told once, as a `Document`; the renderers show each block in their own way. Where a terminal, a
Markdown text and a page differ on purpose in length, a block says so: `Only`, `Fold`, the `narrow` form of a table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Flag, auto
from typing import Literal, NamedTuple

from modelprov.reports import numbers as n
from modelprov.reports.trees import Tree


class Medium(Flag):
    """Where a document is shown."""

    TERMINAL = auto()
    MARKDOWN = auto()
    PAGE = auto()


TERMINAL, MARKDOWN, PAGE = Medium.TERMINAL, Medium.MARKDOWN, Medium.PAGE
WRITTEN = MARKDOWN | PAGE
EVERYWHERE = TERMINAL | WRITTEN
NOWHERE = Medium(0)


class Column(NamedTuple):
    """One column: `short` is its heading where room is scarce; the lowest `priority` is the last to be dropped."""

    heading: str
    short: str
    numeric: bool = True
    priority: int = 0


class Table(NamedTuple):
    """A table in words: the first cell of each row is its heading. `note` explains marks and what was left out."""

    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


class Fact(NamedTuple):
    """A named value, or a term and what it means."""

    name: str
    value: str


class Figure(NamedTuple):
    """One of the few numbers that stand at the top of a report, and what it is made of."""

    name: str
    value: str
    detail: str


class Colours(NamedTuple):
    """The colour of a document on white and on black (CSS), and its style on a terminal (Rich)."""

    accent: str
    accent_dark: str
    style: str


HOLDS = Colours("#3d5a26", "#add48a", "green")
FAILS = Colours("#8a3d12", "#f0a679", "red")


@dataclass(frozen=True)
class Heading:
    """The title of what follows, up to the next heading of its level: 2 for a section, 3 for a part of one.

    Nothing is shown of a heading that nothing follows. `short` stands for it on a terminal and in the contents of a
    page; `listed` puts it there; `tone` is a style on a terminal.
    """

    text: str
    level: int = 2
    short: str = ""
    listed: bool = False
    tone: str = "bold"


@dataclass(frozen=True)
class Text:
    """A paragraph; a `quiet` one is a note in small print."""

    text: str
    quiet: bool = False


@dataclass(frozen=True)
class Facts:
    """Named values; `terms` are words and what they mean. With a `mark` a link of a page can lead to each."""

    items: Sequence[Fact]
    terms: bool = False
    mark: str = ""


@dataclass(frozen=True)
class Grid:
    """A table; `narrow` is its form for 80 columns, where another one says more there.

    Its caption is shown where it is `titled`; elsewhere a heading says the same, and only a screen reader hears it.
    With `total` the last row is a sum. `looks` widens columns of a page: codes, ids, names; `stacked` puts the cells of
    a row below each other on a phone. `links` says where cells of a page lead, by their text.
    """

    table: Table
    narrow: Table | None = None
    titled: Medium = NOWHERE
    total: bool = False
    looks: Literal["", "codes", "ids", "names", "stacked"] = ""
    links: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Bullets:
    """A list of sentences."""

    items: Sequence[str]


@dataclass(frozen=True)
class Code:
    """A command or a file, word for word; `wrap` breaks long lines on a page."""

    text: str
    language: str = ""
    wrap: bool = False


@dataclass(frozen=True)
class Figures:
    """The few numbers that carry the finding."""

    items: Sequence[Figure]


@dataclass(frozen=True)
class Plot:
    """A drawing, shown on pages alone: `draw` gives an SVG element when a page is made; None where there is nothing."""

    title: str
    caption: str
    draw: Callable[[], str] | None


@dataclass(frozen=True)
class Strip:
    """A plot of characters, shown on terminals alone: a dot for each value, between these bounds."""

    title: str
    values: Sequence[float | None]
    bounds: tuple[float, float]


@dataclass(frozen=True)
class Fold:
    """What need not be read at once: left out of a terminal, folded elsewhere.

    With `level` a page shows it unfolded, below its title as a heading of that level.
    """

    title: str
    blocks: Sequence[Block]
    level: int = 0


@dataclass(frozen=True)
class Only:
    """Blocks for some media and not for the others."""

    media: Medium
    blocks: Sequence[Block]


Block = Heading | Text | Facts | Grid | Bullets | Code | Figures | Plot | Strip | Tree | Fold | Only


@dataclass(frozen=True)
class Document:
    """A report as it is told: `title` says what was done to which model, `headline` what was found, in few words.

    `summary` says it in a sentence; with `summary_leads` it takes the place of the headline wherever that does not
    stand in large letters. `parts` are sentences beside it, one for each part of a case. `meaning` says how to take it,
    `notes` what must be known first. `prefix` stands before the title where it is read among other programs' words.
    `about`, `more`, `started` and `version` frame a page. `answer` takes the place of the frame on a terminal: a short
    answer in capitals, with the summary below; empty where the blocks say it all. `brief` is what a terminal shows in
    place of the blocks to somebody who did not ask for the tables; empty where the blocks are short.
    """

    title: str
    headline: str
    summary: str
    colours: Colours
    blocks: Sequence[Block]
    about: str
    started: str
    version: str
    meaning: str = ""
    parts: Sequence[str] = ()
    notes: Sequence[str] = ()
    figures: Sequence[Figure] = ()
    more: str = ""
    prefix: str = ""
    summary_leads: bool = False
    answer: str | None = None
    brief: Sequence[Block] = ()


def opening(document: Document) -> tuple[str, ...]:
    """The first sentences of a text that has no large letters, the one that leads first."""
    said = (document.summary,) if document.summary_leads else (f"{document.headline}.", document.summary)
    return tuple(filter(None, (*said, document.meaning)))


def anchor(mark: str, name: str) -> str:
    """Where a link of a page leads: to the fact of this name among those of this mark."""
    return f"{mark}-{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}"


def make_table(caption: str, columns: Iterable[Column], rows: Iterable[Sequence[str]], note: str = "") -> Table:
    """Return a table with every cell made safe to show and columns left out that hold nothing at all."""
    all_columns = tuple(columns)
    cells = [[n.clean(cell) or n.MISSING for cell in row] for row in rows]
    used = [i for i in range(len(all_columns)) if i == 0 or any(row[i] != n.MISSING for row in cells)]
    return Table(
        n.clean(caption),
        tuple(all_columns[i] for i in used),
        tuple(tuple(row[i] for i in used) for row in cells),
        n.clean(note),
    )


def facts(*pairs: tuple[str, str]) -> tuple[Fact, ...]:
    """Return the pairs that hold something, made safe to show."""
    return tuple(Fact(name, n.clean(value)) for name, value in pairs if value and value != n.MISSING)
