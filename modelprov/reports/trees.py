"""A block of a document that is a tree: rows as they are drawn, each below what it hangs from. Lays out nothing.

Every line says in words what the drawing shows, so that a terminal, a text and a screen reader have all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

Line = Literal["", "kin", "same", "from"]
"""How a row hangs from another: not at all, by kinship (a plain line), as the same (two), made of it (an arrow)."""


class Row(NamedTuple):
    """A row of a tree: its name, what it is to others in few words, the grounds for that in sentences.

    `under` is the row that it hangs from by a `line`; further rows that it is made of are `sources`, those that it only
    lies near `loose`.
    """

    name: str
    says: str
    grounds: tuple[str, ...]
    depth: int = 0
    under: int | None = None
    line: Line = ""
    sources: tuple[int, ...] = ()
    loose: tuple[int, ...] = ()


@dataclass(frozen=True)
class Tree:
    """A tree, drawn on a page and told in words elsewhere; `mark` tells its anchors from those of another."""

    caption: str
    rows: Sequence[Row]
    mark: str
