"""Atlases for the tests of reports: one with every kind of tie, one whose names attack what shows them."""

from __future__ import annotations

from typing import Any

from modelprov.forensics.identify.charted import Alone, Atlas, Family, Placed, Tie
from modelprov.forensics.identify.results import Skipped
from modelprov.forensics.results import VerdictClass

HOSTILE = "<script>alert(1)</script>[red]\x1b[31m|`$\u202e"


def tie(kind: str, *members: str, directed: bool = False, shares: tuple[float, ...] = ()) -> Tie:
    """A tie with these members; its numbers are those of near relatives."""
    return Tie.model_validate({
        "kind": kind, "members": members, "directed": directed, "shares": shares, "correlation": 0.9987,
        "equal": 0.25, "chance": 1e-40, "elements": 2_000_000,
    })  # fmt: skip


def placed(name: str, depth: int, hangs: Tie | None, *beside: Tie, **more: Any) -> Placed:
    """An entry of a tree."""
    given = {"verdict": VerdictClass.SAME_ORIGIN, "rule": "near-one-parent", "summary": f"{name} shares its origin."}
    return Placed.model_validate(
        {"name": name, "revision": None, "depth": depth, "tie": hangs, "beside": beside} | given | more
    )


def drawn(mark: str = "") -> Atlas:
    """A family with all kinds of ties, and two entries that stand alone; `mark` is written before every name."""
    base, chat, code, mixed, again, near, small = (
        mark + name for name in ("base", "chat", "code", "mixed", "again", "near", "small")
    )
    family = (
        placed(base, 0, None),
        placed(small, 1, tie("copy", base, directed=True)),
        placed(chat, 1, tie("kin", base)),
        placed(again, 2, tie("copy", chat)),
        placed(mixed, 2, tie("merge", code, chat, directed=True, shares=(0.435, 0.565))),
        placed(near, 1, tie("kin", base), tie("on-line", chat, code, shares=(0.5, 0.5))),
        placed(code, 1, tie("kin", base)),
    )
    return Atlas(
        command="modelprov atlas --library known", library=f"{mark}known", entries=10, seconds=1.5,
        families=(Family(members=family),),
        alone=(Alone(name=f"{mark}loner", compared=8), Alone(name=f"{mark}wide", compared=0)),
        skipped=(Skipped(name=f"{mark}broken", reason="it is cut off"),),
    )  # fmt: skip


def hostile() -> Atlas:
    """The same with names that are markup, and long."""
    return drawn(HOSTILE + "a" * 200)
