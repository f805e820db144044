"""Reads the tables that cards write in HTML, as rows of cells with their lines. Knows nothing of scores.

A scan for table tags, not a parser of HTML: every step goes forward, so hostile text costs no more than its length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markdown_it.token import Token

TAG = re.compile(r"<(/?)(table|tr|td|th)\b([^<>]*)>", re.IGNORECASE)
SPAN = re.compile(r"\b(col|row)span\s*=\s*[\"']?(\d{1,3})", re.IGNORECASE)
COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
MOST_SPAN = 100
MOST_CELLS = 20_000


@dataclass(frozen=True)
class Row:
    """One row of a table: its cells as written, and its line."""

    cells: tuple[str, ...]
    line: int


@dataclass(frozen=True)
class _Tag:
    """A table's tag: its name, whether it closes, its attributes, its line, and the text since the tag before."""

    name: str
    closing: bool
    attributes: str
    line: int
    before: str


def html_tables(tokens: Sequence[Token], first_line: int) -> Iterator[list[Row]]:
    """The tables among a Markdown text's HTML blocks; a cell over several rows or columns stands in each of them."""
    rows: list[Row] = []
    grid = _Grid()
    cell: _Tag | None = None
    left = MOST_CELLS
    for tag in _tags(tokens, first_line):
        if cell is not None:  # any table tag ends an open cell
            left -= grid.add(tag.before, *_spans(cell.attributes))
            cell = None
        if tag.name == "table":
            if rows:
                yield rows
            rows, grid = [], _Grid()
        elif tag.name == "tr":
            if grid.open:
                rows.append(Row(grid.close(), grid.line))
            if not tag.closing:
                grid.begin(tag.line)
        elif grid.open and not tag.closing:
            cell = tag
        if left < 0:
            return
    if rows:  # a table that nobody closed
        yield rows


def _tags(tokens: Sequence[Token], first_line: int) -> Iterator[_Tag]:
    for token in tokens:
        if token.type != "html_block" or token.map is None:
            continue
        text = COMMENT.sub(lambda found: "\n" * found.group().count("\n"), token.content)
        line, at, after = first_line + token.map[0], 0, 0
        for tag in TAG.finditer(text):
            line += text.count("\n", at, tag.start())
            at = tag.start()
            yield _Tag(tag.group(2).lower(), tag.group(1) == "/", tag.group(3), line, text[after:at])
            after = tag.end()


class _Grid:
    """The row that is being filled, and the cells (by column, for how many more rows) that reach into it or below."""

    def __init__(self) -> None:
        self.open = False
        self.line = 0
        self.cells: list[str] = []
        self.hanging: dict[int, tuple[str, int]] = {}
        self.next: dict[int, tuple[str, int]] = {}

    def begin(self, line: int) -> None:
        """Begin a row."""
        self.open, self.line, self.cells = True, line, []
        self.hanging, self.next = self.next, {}

    def add(self, text: str, columns: int, rows: int) -> int:
        """Add a cell; gives how many places it took."""
        self._take_hanging()
        for _ in range(columns):
            if rows > 1:
                self.next[len(self.cells)] = (text, rows - 1)
            self.cells.append(text)
        return columns * rows

    def close(self) -> tuple[str, ...]:
        """End the row; gives its cells."""
        self._take_hanging()
        self.open = False
        return tuple(self.cells)

    def _take_hanging(self) -> None:
        while len(self.cells) in self.hanging:
            text, left = self.hanging.pop(len(self.cells))
            if left > 1:
                self.next[len(self.cells)] = (text, left - 1)
            self.cells.append(text)


def _spans(attributes: str) -> tuple[int, int]:
    found = {kind.lower(): min(max(int(number), 1), MOST_SPAN) for kind, number in SPAN.findall(attributes)}
    return found.get("col", 1), found.get("row", 1)
