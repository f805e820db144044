"""What is true of a case, question by question, and what a tool answers. Data only: nothing is made or judged here.

A label holds a value, `OPEN` where weights cannot decide (an answer is then the error), or None where nothing is asked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from modelprov.demo.writing import Weights

OPEN = "open"
"""Cannot be decided from the files that are given: whoever answers is wrong."""
QUESTIONS = ("related", "relation", "shares", "method", "trained", "direction")
Relation = Literal["copy", "merge", "same-origin", "stranger"]
ACCUSATIONS = frozenset({"copy", "merge"})


@dataclass(frozen=True)
class Label:
    """The truth about a suspect and the parents that are named (by place, 1 for the first; the reference is last).

    `related`: whether weights of a named parent are in it, or both come from one base. `relation`: what is right to
    say, each of these; a copy stays one in other coordinates, another format or another structure. `shares` by parent,
    within 0.01. `method` by any of its names. `trained`: after the merge. `direction`: "suspect" where the suspect was
    made from the parents. `parameters` are told, not asked, and so is what was done `afterwards`.
    """

    related: bool | Literal["open"] | None
    relation: frozenset[str] | Literal["open"]
    shares: dict[int, float] | None = None
    method: frozenset[str] | None = None
    trained: bool | Literal["open"] | None = None
    direction: Literal["suspect", "open"] | None = None
    parameters: dict[str, Any] = field(default_factory=dict)
    afterwards: tuple[str, ...] = ()
    settled_by: str = ""
    """What would settle the open questions."""
    merged: bool = False
    """It is a merge, whether or not that can be told: to call it a mere relative is a missed merge."""
    doubted: frozenset[str] = frozenset()
    """Questions that weights leave open all the same (`decidable.py`): to leave them open is right as well, and any
    answer that the label does not hold stays wrong."""

    def decided(self, question: str) -> bool:
        """Whether weights decide a question that is asked, so that leaving it open is no answer."""
        return getattr(self, question) != OPEN and question not in self.doubted

    def told(self) -> dict[str, Any]:
        """As the manifest has it; what is not asked is left out."""
        found: dict[str, Any] = {
            "related": self.related,
            "relation": self.relation if isinstance(self.relation, str) else sorted(self.relation),
            "shares": self.shares and {f"P{place}": round(share, 6) for place, share in self.shares.items()},
            "method": self.method and sorted(self.method),
            "trained": self.trained,
            "direction": self.direction,
            "parameters": self.parameters or None,
            "afterwards": list(self.afterwards) or None,
            "undecidable": [name for name in QUESTIONS if not self.decided(name)] or None,
            "settled_by": self.settled_by or None,
            "merged": self.merged or None,
        }
        return {name: value for name, value in found.items() if value is not None}


@dataclass(frozen=True)
class Made:
    """A suspect and its parents, the reference last, with what is true of them; `about` says what was drawn.

    `form` is how the suspect's file is packed, as `tests.packing` and `tests.gguf_files` name it; else as the weights
    say. `heads` are query heads and groups of the layout, for `config.json`.
    """

    models: tuple[Weights, ...]
    label: Label
    about: str = ""
    form: str = ""
    heads: tuple[int, int] | None = None


@dataclass(frozen=True)
class Answer:
    """What a tool says of a case; None where it does not say. `words` are its own, `shares` by the parent's place."""

    related: bool | None = None
    relation: str | None = None
    shares: dict[int, float] | None = None
    method: str | None = None
    trained: bool | None = None
    direction: str | None = None
    words: str = ""
    refused: bool = False
    """It could not read or compare the files: told apart from an answer that is left open."""


UNDONE = "other-coordinates"
"""Answered of a relation: a relative, once other coordinates are undone; what else was done is left open."""
COPY = frozenset({"copy"})
MERGE = frozenset({"merge"})
KIN = frozenset({"same-origin"})
STRANGER = frozenset({"stranger"})
NOTHING: frozenset[str] = frozenset()
RELATION = frozenset({"relation"})
"""What is doubted."""
