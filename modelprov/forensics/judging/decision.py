"""What the rules say: a class, by which rule, about which parent. A record and no rule."""

from __future__ import annotations

from dataclasses import dataclass

from modelprov.forensics.results import VerdictClass


@dataclass(frozen=True)
class Decision:
    """The class, the rule that decided, the parent it is about (argument number) and why nothing firmer can be said."""

    class_: VerdictClass
    rule: str
    parent: int | None = None
    reason: str | None = None


def inconclusive(rule: str, reason: str, parent: int | None = None) -> Decision:
    """That nothing firmer can be said, by which rule, and why."""
    return Decision(VerdictClass.INCONCLUSIVE, rule, parent, reason)
