"""A document on a terminal, from 80 columns up, with or without colour and UTF-8. Knows blocks, no kind of report."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.panel import Panel
from rich.segment import Segment, Segments
from rich.table import Table as RichTable
from rich.text import Text as Styled

from modelprov.reports import numbers as n
from modelprov.reports.document import (
    TERMINAL,
    Block,
    Bullets,
    Code,
    Column,
    Document,
    Fact,
    Facts,
    Figure,
    Figures,
    Grid,
    Heading,
    Strip,
    Table,
    Text,
    opening,
)
from modelprov.reports.rendering import strips
from modelprov.reports.rendering.commands import folded
from modelprov.reports.shown_in import seen_in
from modelprov.reports.trees import Tree

_WIDEST_NAME = 30
_MOST_CODE = 20


def print_document(document: Document, console: Console, *, brief: bool = False) -> None:
    """Print the document: its opening in a frame, then its blocks in their order; no text in it is read as markup.

    `brief`: its short form, where it has one.
    """
    writer = _Writer(console)
    writer.opening(document)
    for block in seen_in((brief and document.brief) or document.blocks, TERMINAL):
        writer.block(block)


class _Writer:
    """Prints words on one console, in ASCII where its encoding asks for it."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.plain = not console.encoding.lower().startswith("utf")
        self.width = max(40, console.width)

    def say(self, text: str) -> str:
        """The text as this console can show it."""
        text = n.clean(text)
        return n.ascii_only(text) if self.plain else text

    def text(self, text: str, style: str = "") -> Styled:
        """The text with a style; markup in it means nothing."""
        return Styled(self.say(text), style=style)

    def show(self, item: RenderableType = "", indent: int = 0) -> None:
        """Print an item without trailing spaces, so that piped output stays clean."""
        options = self.console.options.update(width=self.width - indent, highlight=False, markup=False)
        for line in self.console.render_lines(item, options, pad=False):
            while line and not line[-1].text.strip():
                line.pop()
            if line:
                last = line.pop()
                line[:] = [Segment(" " * indent), *line, Segment(last.text.rstrip(), last.style)]
            self.console.print(Segments([*line, Segment.line()]), end="")

    def opening(self, document: Document) -> None:
        """Title, first sentence, what it means, and what must be known beside it, in a frame; the figures below."""
        if document.answer is not None:
            self.answer(document.answer, document)
            return
        lead, *rest = opening(document)
        body = self.text(lead, "bold")
        for sentence in (*rest, *document.notes, *document.parts):
            body.append("\n" + self.say(sentence), "not bold")
        style = document.colours.style
        title = self.text(f" {document.title} ", f"bold {style}")
        self.show(Panel(body, title=title, title_align="left", border_style=style, padding=(0, 1)))
        self.figures(document.figures)

    def answer(self, answer: str, document: Document) -> None:
        """A short answer in place of the frame, with the summary and what must be known; nothing where it is empty."""
        if not answer:
            return
        self.show(self.text(answer, f"bold {document.colours.style}"))
        if document.summary:
            self.show(self.text(document.summary))
        for note in document.notes:
            self.show(self.text(f"note: {note}"), indent=2)

    def block(self, block: Block) -> None:
        """Print one block."""
        match block:
            case Heading(text, short=short, tone=tone):
                self.heading(short or text, tone)
            case Text(text, quiet):
                self.show(self.text(text, "dim" if quiet else ""), indent=2)
            case Facts(items):
                self.facts(items)
            case Grid(table, narrow):
                self.table(narrow or table)
            case Bullets(items):
                for item in items:
                    self.bullet(item)
            case Code(text, language):
                self.code(text, language)
            case Figures(items):
                self.figures(items)
            case Strip():
                self.strip(block)
            case Tree(rows=rows):
                for row in rows:
                    self.show(self.text(f"{row.name}: {row.says}"), indent=2 + 2 * min(row.depth, 8))

    def heading(self, title: str, tone: str = "bold") -> None:
        """A line of its own."""
        self.show()
        self.show(self.text(title, tone))

    def bullet(self, text: str) -> None:
        """One point of a list."""
        grid = RichTable.grid(padding=(0, 1))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        grid.add_row(self.text("•" if not self.plain else "*"), self.text(text))
        self.show(grid, indent=2)

    def code(self, text: str, language: str) -> None:
        """The first lines of a text that stands word for word; a command can be copied however long it is."""
        lines = n.clean(text, keep="\n").splitlines()
        if language == "sh":
            lines = [part for line in lines for part in folded(line, self.width - 6)]
        for line in lines[:_MOST_CODE]:
            self.show(self.text(line, "italic"), indent=6)
        if len(lines) > _MOST_CODE:
            more = f"{n.plural(len(lines) - _MOST_CODE, 'line')} more in another format."
            self.show(self.text(more, "dim"), indent=2)

    def figures(self, items: Sequence[Figure]) -> None:
        """Numbers, each with its name and what it is made of."""
        if not items:
            return
        grid = RichTable.grid(padding=(0, 2))
        grid.add_column(justify="right", no_wrap=True, style="bold")
        grid.add_column(overflow="fold")
        for item in items:
            grid.add_row(self.text(item.value), self.text(", ".join(filter(None, (item.name, item.detail)))))
        self.show(grid, indent=2)

    def facts(self, items: Sequence[Fact]) -> None:
        """Named values in two columns."""
        grid = RichTable.grid(padding=(0, 2))
        grid.add_column(style="dim", max_width=self.width * 2 // 5, overflow="fold")
        grid.add_column(overflow="fold")
        for item in items:
            grid.add_row(self.text(item.name), self.text(item.value))
        self.show(grid, indent=2)

    def strip(self, block: Strip) -> None:
        """A dot for each value, with an axis on the left."""
        self.show(self.text(block.title, "dim"), indent=2)
        for line in strips.strip(block.values, self.width - 2, block.bounds, self.plain):
            self.show(Styled(line, no_wrap=True), indent=2)

    def table(self, table: Table) -> None:
        """Print the columns that fit, the most important first; numbers are never cut, words fold."""
        room = self.width - 2
        rows = [[self.say(cell) for cell in row] for row in table.rows]
        headings = [self.say(column.short) for column in table.columns]
        widths = [
            max(cell_len(cell) for cell in (headings[i], *(row[i] for row in rows))) for i in range(len(headings))
        ]
        kept, gap = _fitting(table.columns, widths, room)
        grid = RichTable(box=None, padding=(0, gap, 0, 0), pad_edge=False, show_edge=False, header_style="bold dim")
        for i in kept:
            column = table.columns[i]
            grid.add_column(
                Styled(headings[i]),
                justify="right" if column.numeric else "left",
                no_wrap=column.numeric,
                overflow="ellipsis" if column.numeric else "fold",
                min_width=widths[i] if column.numeric else None,
            )
        for row in rows:
            grid.add_row(*(Styled(row[i]) for i in kept))
        self.show(grid, indent=2)
        left_out = len(headings) - len(kept)
        remarks = [table.note] if table.note else []
        if left_out:
            remarks.append(f"{n.plural(left_out, 'column')} more in a wider terminal or another format.")
        if remarks:
            self.show(self.text(" ".join(remarks), "dim"), indent=2)


def _fitting(columns: Sequence[Column], widths: Sequence[int], room: int) -> tuple[list[int], int]:
    """Which columns fit, in their order, and how far apart; wordy ones count with a width at which they can fold."""
    needed = [
        width if column.numeric else min(width, _WIDEST_NAME if i == 0 else 16)
        for i, (column, width) in enumerate(zip(columns, widths, strict=True))
    ]
    kept: list[int] = []
    used = 0
    for i in sorted(range(len(columns)), key=lambda i: (i != 0, columns[i].priority, i)):
        cost = needed[i] + (1 if kept else 0)
        if used + cost <= room or not kept:
            kept.append(i)
            used += cost
    return sorted(kept), 2 if used + len(kept) - 1 <= room else 1
