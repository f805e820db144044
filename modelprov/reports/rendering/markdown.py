"""A document as GitHub-flavoured Markdown, to paste into issues and model cards. Knows blocks, no kind of report."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from modelprov.reports import numbers as n
from modelprov.reports.document import (
    MARKDOWN,
    Block,
    Bullets,
    Code,
    Document,
    Fact,
    Facts,
    Figure,
    Figures,
    Fold,
    Grid,
    Heading,
    Table,
    Text,
    opening,
)
from modelprov.reports.shown_in import seen_in
from modelprov.reports.trees import Tree

_ENTITIES = {"&": "&amp;", "<": "&lt;", "|": "&#124;", "\\": "&#92;", "`": "&#96;", "$": "&#36;"}
_RULES = (
    (re.compile(r"[&<|\\`$]"), lambda match: _ENTITIES[match[0]]),
    (re.compile(r"[*\[~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])"), r"\\\g<0>"),
    (re.compile(r"(?<=ttp):|(?<=ttps):|(?<=\bwww)\.", re.IGNORECASE), lambda match: f"&#{ord(match[0])};"),
    (re.compile(r"@(?=\w)|(?<!&)#(?=\w)"), r"\g<0>&#8203;"),
    (re.compile(r"^([-+=>#])"), lambda match: f"&#{ord(match[0])};"),
    (re.compile(r"^(\d+)([.)])(?=\s|$)"), lambda match: f"{match[1]}&#{ord(match[2])};"),
)


def escape(text: str) -> str:
    """Return text that shows as it is: no markup, table cell, link, mention or reference to an issue comes of it.

    A pipe becomes an entity because a backslash before it means something else inside tables. GitHub looks for
    mentions after it has resolved entities, so those are broken by an invisible space.
    """
    text = " ".join(n.clean(text).split())
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


def render_markdown(document: Document) -> str:
    """The document; long parts are folded, foreign text is escaped, a line feed ends it."""
    lead, *rest = opening(document)
    words = " ".join([f"**{escape(lead)}**", *map(escape, rest)])
    lines = [f"## {escape(document.prefix + document.title)}", "", words, ""]
    lines += [line for note in document.notes for line in (f"> {escape(note)}", "")]
    lines += [*_bullets(document.parts), *_figures(document.figures)]
    return "\n".join(lines + _lines(seen_in(document.blocks, MARKDOWN))).rstrip("\n") + "\n"


def _lines(blocks: Iterable[Block]) -> list[str]:
    return [line for block in blocks for line in _block(block)]


def _block(block: Block) -> list[str]:
    match block:
        case Heading(text):
            return [f"### {escape(text)}", ""]
        case Text(text, quiet):
            return [f"<sub>{escape(text)}</sub>" if quiet else escape(text), ""]
        case Facts(items, terms):
            return _facts(items, terms)
        case Grid(table):
            return _table(table)
        case Bullets(items):
            return _bullets(items)
        case Code(text, language):
            return _code(text, language)
        case Figures(items):
            return _figures(items)
        case Tree(rows=rows):
            return [*(f"{'  ' * row.depth}- **{escape(row.name)}**: {escape(row.says)}" for row in rows), ""]
        case Fold(title, inner):
            return ["<details>", f"<summary>{escape(title)}</summary>", "", *_lines(inner), "</details>", ""]
    return []


def _code(text: str, language: str) -> list[str]:
    """A fenced block that no run of backticks in the text can end."""
    text = n.clean(text, keep="\n\t")
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}{language}", text, fence, ""]


def _table(table: Table) -> list[str]:
    """A table, its note below it in small print."""

    def line(cells: Iterable[str]) -> str:
        return "| " + " | ".join(cells) + " |"

    rules = ["---:" if column.numeric else ":---" for column in table.columns]
    note = [f"<sub>{escape(table.note)}</sub>", ""] if table.note else []
    return [
        line(escape(column.heading) for column in table.columns),
        line(rules),
        *(line(map(escape, row)) for row in table.rows),
        "",
        *note,
    ]


def _facts(items: Sequence[Fact], terms: bool) -> list[str]:
    if terms:
        return _bullets([f"{item.name}: {item.value}" for item in items])
    return [*(f"- {escape(item.name)}: **{escape(item.value)}**" for item in items), ""]


def _bullets(items: Sequence[str]) -> list[str]:
    return [*(f"- {escape(item)}" for item in items), ""] if items else []


def _figures(items: Sequence[Figure]) -> list[str]:
    told = [f"- **{escape(item.value)}** {escape(', '.join(filter(None, (item.name, item.detail))))}" for item in items]
    return [*told, ""] if told else []
