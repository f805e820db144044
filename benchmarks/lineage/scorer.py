"""Holds answers against labels: right, abstained or wrong by question, with Wilson intervals; false ones apart, first.

An open question is answered rightly by leaving it open, a doubted one too. A wrong accusation: an innocent called a
copy or merge, or a stranger called related. A false all-clear: a relative called unrelated. A missed merge: a merge
called a mere relative.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.lineage.labels import ACCUSATIONS, OPEN, QUESTIONS, UNDONE, Answer, Label
from modelprov.shares import wilson

WITHIN = 0.01 + 1e-9
RIGHT, ABSTAINED, WRONG = "right", "abstained", "wrong"
FALSE = ("wrong accusation", "false all-clear", "missed merge")


@dataclass(frozen=True)
class Scored:
    """An answer's outcome by question (only those that are asked), and what is false in it, if anything."""

    outcomes: dict[str, str]
    false: tuple[str, ...]


def score(label: Label, answer: Answer) -> Scored:
    """How an answer fares."""
    outcomes = {}
    for question in QUESTIONS:
        found = _outcome(question, label, answer)
        if found:
            outcomes[question] = found
    return Scored(outcomes, tuple(_false(label, answer)))


def _outcome(question: str, label: Label, answer: Answer) -> str:
    asked, told = getattr(label, question), getattr(answer, question)
    if asked is None:
        return ""
    if asked == OPEN:
        weak = question == "relation" and told in ("same-origin", UNDONE) and label.related is True
        return RIGHT if told is None or weak or (question == "direction" and told == "another") else WRONG
    if question == "relation":
        if told == UNDONE:  # related behind other coordinates, what else was done stays open
            told = "same-origin" if "same-origin" in asked else None
        if told == "same-origin" and "copy" in asked and told not in asked:
            return ABSTAINED  # true of a copy, and less
    if told is None:
        return ABSTAINED if label.decided(question) else RIGHT
    if question == "shares":
        near = [abs(told.get(place, 0.0) - share) <= WITHIN for place, share in asked.items()]
        return RIGHT if all(near) else WRONG
    return RIGHT if (told in asked if isinstance(asked, frozenset) else told == asked) else WRONG


def _false(label: Label, answer: Answer) -> Iterable[str]:
    if (_innocent(label) and answer.relation in ACCUSATIONS) or (label.related is False and answer.related):
        yield FALSE[0]
    if label.related is True and answer.related is False:
        yield FALSE[1]
    if label.merged and answer.relation == "same-origin":
        yield FALSE[2]


def _innocent(label: Label) -> bool:
    """Whether to speak of a copy or merge accuses: it is none, or nobody can know."""
    return not label.merged and (label.relation == OPEN or not ACCUSATIONS & label.relation)


def share(count: int, of: int) -> dict[str, Any]:
    """A count with its Wilson interval."""
    bounds = wilson(count, of)
    return {"count": count, "of": of, "low": _rounded(bounds.low), "high": _rounded(bounds.high)}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def told(answer: Mapping[str, Any]) -> Answer:
    """An answer as a line of the file has it."""
    shares = answer.get("shares")
    kept = {key: answer.get(key) for key in asdict(Answer()) if key != "shares" and key in answer}
    return Answer(shares=shares and {int(place): value for place, value in shares.items()}, **kept)  # type: ignore[arg-type]


def tally(rows: Iterable[tuple[Label, Answer]]) -> dict[str, Any]:
    """All of a tool's answers together: what is false first, then every question, then refusals."""
    scored = [(label, answer, score(label, answer)) for label, answer in rows]
    innocent = sum(_could(FALSE[0], label) for label, _, _ in scored)
    relatives = sum(_could(FALSE[1], label) for label, _, _ in scored)
    merges = sum(_could(FALSE[2], label) for label, _, _ in scored)
    counts = Counter(each for _, _, found in scored for each in found.false)
    questions: dict[str, Any] = {}
    for question in QUESTIONS:
        asked = [(label, found.outcomes[question]) for label, _, found in scored if question in found.outcomes]
        own = Counter(outcome for _, outcome in asked)
        decided = Counter(outcome for label, outcome in asked if label.decided(question))
        questions[question] = {name: share(own[name], own.total()) for name in (RIGHT, ABSTAINED, WRONG)}
        questions[question]["decided"] = {
            name: share(decided[name], decided.total()) for name in (RIGHT, ABSTAINED, WRONG)
        }
        questions[question]["answered"] = sum(getattr(answer, question) is not None for _, answer, _ in scored)
    return {
        "cases": len(scored),
        "false": {name: share(counts[name], of) for name, of in zip(FALSE, (innocent, relatives, merges), strict=True)},
        "questions": questions,
        "refused": sum(answer.refused for _, answer, _ in scored),
    }


def _could(false: str, label: Label) -> bool:
    """Whether this can go wrong in a case of this label."""
    if false == FALSE[0]:
        return _innocent(label)
    return label.related is True if false == FALSE[1] else label.merged
