"""The report on a terminal, from 80 columns up, with or without colour and UTF-8. Lays out; formats no numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.panel import Panel
from rich.segment import Segment, Segments
from rich.table import Table as RichTable
from rich.text import Text

from modelprov.forensics.results import Measures
from modelprov.reports import numbers as n
from modelprov.reports.comparison import sections, strips, tables, words
from modelprov.reports.comparison.report import Report
from modelprov.reports.comparison.tables import Column, Fact, Table

_WIDEST_NAME = 30


class Writer:
    """Prints words on one console, in ASCII where its encoding asks for it."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.plain = not console.encoding.lower().startswith("utf")
        self.width = max(40, console.width)

    def say(self, text: str) -> str:
        """The text as this console can show it."""
        return n.ascii_only(text) if self.plain else text

    def text(self, text: str, style: str = "") -> Text:
        """The text with a style; markup in it means nothing."""
        return Text(self.say(text), style=style)

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

    def heading(self, title: str) -> None:
        """A line of its own, in bold."""
        self.show()
        self.show(self.text(title, "bold"))

    def sentence(self, text: str) -> None:
        """A paragraph."""
        self.show(self.text(text), indent=2)

    def bullet(self, text: str) -> None:
        """One point of a list."""
        grid = RichTable.grid(padding=(0, 1))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        grid.add_row(self.text("•" if not self.plain else "*"), self.text(text))
        self.show(grid, indent=2)

    def facts(self, facts: Sequence[Fact]) -> None:
        """Named values in two columns."""
        if not facts:
            return
        grid = RichTable.grid(padding=(0, 2))
        grid.add_column(style="dim", max_width=self.width * 2 // 5, overflow="fold")
        grid.add_column(overflow="fold")
        for fact in facts:
            grid.add_row(self.text(fact.name), self.text(fact.value))
        self.show(grid, indent=2)

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
                headings[i],
                justify="right" if column.numeric else "left",
                no_wrap=column.numeric,
                overflow="ellipsis" if column.numeric else "fold",
                min_width=widths[i] if column.numeric else None,
            )
        for row in rows:
            grid.add_row(*(Text(row[i]) for i in kept))
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


def print_report(report: Report, console: Console) -> None:
    """Print the report, most important first: the verdict, what it rests on, the numbers, what it does not show."""
    writer = Writer(console)
    _verdict(writer, report)
    _rests_on(writer, report)
    writer.heading("By component")
    writer.table(tables.components_table(report, narrow=True))
    legend = ", ".join(f"{short} = {n.clean(label)}" for short, label in tables.parents(report))
    if legend:
        writer.show(writer.text(legend, "dim"), indent=2)
    _layers(writer, report)
    _mixing(writer, report)
    _recipe(writer, report)
    _coverage(writer, report)
    _limits(writer, report)


def _verdict(writer: Writer, report: Report) -> None:
    kind = words.VERDICTS[report.verdict.class_]
    body = Text()
    body.append(writer.say(sections.summary(report)), "bold")
    body.append("\n" + writer.say(kind.meaning))
    for note in sections.verdict_notes(report):
        body.append("\n" + writer.say(note))
    title = writer.text(f" {kind.name}: {sections.suspect(report)} ", f"bold {kind.style}")
    writer.show(Panel(body, title=title, title_align="left", border_style=kind.style, padding=(0, 1)))
    grid = RichTable.grid(padding=(0, 2))
    grid.add_column(justify="right", no_wrap=True, style="bold")
    grid.add_column(overflow="fold")
    for figure in sections.key_figures(report):
        detail = f", {figure.detail}" if figure.detail else ""
        grid.add_row(writer.text(figure.value), writer.text(figure.name + detail))
    writer.show(grid, indent=2)


def _rests_on(writer: Writer, report: Report) -> None:
    writer.heading("Rests on")
    if not report.verdict.rests_on:
        writer.sentence("No measure was decisive.")
    for item in report.verdict.rests_on:
        text = f"{item.measure}: {item.value}"
        if item.uncertainty:
            text += f", {item.uncertainty}"
        if item.elements is not None:
            text += f", from {n.compact(item.elements)} weights"
        if item.null:
            text += f" (by chance: {item.null})"
        writer.bullet(n.clean(text))


def _series(rows: Sequence[Measures]) -> Iterator[tuple[str, list[float | None], tuple[float, float] | None]]:
    exact = [n.finite(row.alpha) for row in rows]
    squares = [n.finite(row.least_squares.alpha) for row in rows]
    if any(value is not None for value in exact):
        yield "α, respecting rounding", exact, (0.0, 1.0)
    elif any(value is not None for value in squares):
        yield "α by least squares", squares, (0.0, 1.0)
    yield "Collinearity", [n.finite(row.least_squares.collinearity) for row in rows], None
    for label in dict.fromkeys(label for row in rows for label in row.raw_correlation):
        yield f"Correlation with {n.clean(label)}", [n.finite(row.raw_correlation.get(label)) for row in rows], None


def _layers(writer: Writer, report: Report) -> None:
    writer.heading("By layer, first to last")
    shown = False
    for title, values, whole in _series(report.layers):
        known = [value for value in values if value is not None]
        if not known:
            continue
        shown = True
        writer.show(
            writer.text(f"{title}, {n.coefficient(min(known))} to {n.coefficient(max(known))}", "dim"), indent=2
        )
        for line in strips.strip(values, writer.width - 2, strips.nice_range(known, whole), writer.plain):
            writer.show(Text(line, no_wrap=True), indent=2)
        missing = len(values) - len(known)
        if missing:
            writer.show(writer.text(f"No value for {n.plural(missing, 'layer')}.", "dim"), indent=2)
    if not shown:
        writer.sentence(words.NO_LAYERS)


def _mixing(writer: Writer, report: Report) -> None:
    writer.heading("Mixing")
    absent = sections.mixing_absent(report)
    if absent:
        writer.sentence(absent)
        return
    writer.facts(sections.mixing_facts(report))
    if len(report.mixing.coefficients) > 1:
        writer.table(tables.coefficients_table(report))
    after = sections.after_facts(report)
    writer.facts(after)
    if not after:
        writer.sentence(sections.after_absent(report))


def _recipe(writer: Writer, report: Report) -> None:
    writer.heading("Recipe")
    writer.facts(sections.recipe_facts(report))
    absent = sections.recipe_absent(report)
    if absent:
        writer.sentence(absent)
    if len(report.reproduction.groups) > 1:
        writer.table(tables.groups_table(report))


def _coverage(writer: Writer, report: Report) -> None:
    writer.heading("Coverage of the weights")
    writer.facts(sections.coverage_facts(report))
    for item in report.coverage.unaligned:
        writer.bullet(
            n.clean(
                f"Not compared: {item.reason}: {n.plural(item.tensors, 'tensor')} of {item.checkpoint}, "
                f"{n.share(item.share)} of its weights" + (f", such as {item.examples[0]}" if item.examples else "")
            )
        )


def _limits(writer: Writer, report: Report) -> None:
    writer.heading("Controls")
    if report.verdict.controls:
        writer.table(tables.controls_table(report))
    else:
        writer.sentence(words.NO_CONTROLS)
    if report.verdict.does_not_show:
        writer.heading("What this does not show")
        for text in report.verdict.does_not_show:
            writer.bullet(n.clean(text))
