"""A document as one HTML page that needs nothing else: no script, no request. Knows blocks, no kind of report."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from modelprov.reports import numbers as n
from modelprov.reports.document import PAGE, Block, Document, Heading, anchor
from modelprov.reports.rendering import branches
from modelprov.reports.shown_in import seen_in

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*[a-z]")


class Section(NamedTuple):
    """A heading of the second level and what stands below it; the first section may have none."""

    anchor: str
    heading: Heading | None
    blocks: list[Block]


def render_html(document: Document) -> str:
    """The document as one self-contained page: styles and plots inline, no script, nothing fetched."""
    template = _environment().get_template("page.html.j2")
    return template.render(document=document, sections=_sections(seen_in(document.blocks, PAGE)), PAGE=PAGE)


@cache
def _environment() -> Environment:
    """The templates beside this file: every text is made safe to show, escaped, and holds its unit on its line."""
    made = Environment(
        loader=PackageLoader("modelprov.reports.rendering", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_shown,
    )
    made.filters |= {
        "kind": lambda block: type(block).__name__,
        "code": _code,
        "moment": _moment,
        "prose": _prose,
        "shape": _shape,
        "drawn": _drawn,
        "anchor": anchor,
    }
    made.filters |= {"branches": branches.drawn, "beside": branches.width}
    return made


def _shown(value: Any) -> Any:
    if isinstance(value, str) and not isinstance(value, Markup):
        return n.clean(value).replace(" %", "\u00a0%")
    return value


def _prose(text: str) -> Markup:
    """Sentences with every `--option` on one line, as browsers break after each hyphen. Not for attributes."""
    return Markup(OPTION.sub(r'<span class="option">\g<0></span>', str(escape(_shown(text)))))


def _moment(written: str) -> str:
    """A time as people write it, in UTC whatever their language: "28 November 2026, 15:58 UTC"."""
    try:
        at = datetime.fromisoformat(written)
    except ValueError:
        return written
    at = at.astimezone(UTC)
    return f"{at.day} {MONTHS[at.month - 1]} {at.year}, {at:%H:%M} UTC"


def _code(text: str) -> Markup:
    return escape(n.clean(text, keep="\n\t"))


def _drawn(plot: Any) -> Markup:
    return Markup(plot.draw())


def _shape(cell: str) -> str:
    """What a cell needs of its column: room for many words, for a long one, or none where cells are stacked."""
    longest = max(map(len, cell.split()), default=0)
    empty = cell in ("", n.MISSING)
    return " ".join(["long"] * (len(cell) > 90) + ["unbroken"] * (longest > 24) + ["unmeasured"] * empty)


def _sections(blocks: Iterable[Block]) -> list[Section]:
    found = [Section("", None, [])]
    taken: set[str] = set()
    for block in blocks:
        if isinstance(block, Heading) and block.level == 2:
            anchor = re.sub(r"[^a-z0-9]+", "-", (block.short or block.text).lower()).strip("-")
            while anchor in taken:
                anchor += "-more"
            taken.add(anchor)
            found.append(Section(anchor, block, []))
        else:
            found[-1].blocks.append(block)
    return [section for section in found if section.heading is not None or section.blocks]
