"""Counts what answers say, with intervals: one `ArmResult` from one model's answers in one arm. Pure numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from modelprov.behavior.probing.answer_log import Spoken
from modelprov.behavior.probing.classify import affirms, classify, quotes, says_yes
from modelprov.behavior.probing.questions import Question
from modelprov.behavior.probing.results import (
    NOTHING,
    OTHER,
    REFUSAL,
    SEVERAL,
    Affirmation,
    ArmResult,
    ClassShare,
    DeclaredName,
    Role,
)  # fmt: skip
from modelprov.behavior.statistics import clustered_share


def share_of(name: str, hits: Sequence[bool], clusters: Sequence[str]) -> ClassShare:
    """The share of hits with its 95 % interval; answers to one question (`clusters`) are no independent draws."""
    count, total = sum(hits), len(hits)
    found = clustered_share(hits, clusters)
    return ClassShare(name=name, count=count, total=total, share=found.value, low=found.low, high=found.high)


def class_names(names: Sequence[DeclaredName]) -> tuple[str, ...]:
    """Every class in the order of tables."""
    return (*(one.name for one in names), SEVERAL, REFUSAL, OTHER, NOTHING)


def count(
    model: str, role: Role, arm: str, sampling: str, temperature: float, questions: Sequence[Question],
    answers: Sequence[Spoken], names: Sequence[DeclaredName], backstory: Sequence[str],
) -> ArmResult:  # fmt: skip
    """The result of an arm; `questions[i]` is what `answers[i]` answers (a question may stand there many times).

    Classes count the questions about name, maker and backstory; "Are you NAME?" holds a name itself and is counted as
    yes or no alone. Verbatim phrases count in all answers and thoughts.
    """
    pairs = list(zip(questions, answers, strict=True))
    open_ones = [(asked, said) for asked, said in pairs if asked.kind != "denial"]
    clusters = [asked.id for asked, _ in open_ones]
    placed = [classify(said.final, names).class_ for _, said in open_ones]
    thoughts = [(asked.id, classify(said.thinking, names).class_) for asked, said in open_ones if said.thinking]

    def shares(classes: Sequence[str], of: Sequence[str]) -> tuple[ClassShare, ...]:
        return tuple(share_of(name, [one == name for one in classes], of) for name in class_names(names))

    return ArmResult(
        model=model, role=role, arm=arm, sampling=sampling, temperature=temperature,
        questions=len({(asked.id, asked.asked) for asked in questions}), answers=len(pairs),
        unfinished=sum(not said.finished for _, said in pairs),
        classes=shares(placed, clusters),
        thinking=shares([class_ for _, class_ in thoughts], [one for one, _ in thoughts]) if thoughts else (),
        by_kind=_split([asked.kind for asked, _ in open_ones], placed),
        by_language=_split([asked.language for asked, _ in open_ones], placed),
        affirmations=tuple(_affirmation(one.name, pairs, names) for one in names),
        backstory=tuple(
            share_of(
                phrase, [quotes(said.final, phrase) or quotes(said.thinking, phrase) for _, said in pairs],
                [asked.id for asked, _ in pairs],
            )
            for phrase in backstory
        ),
    )  # fmt: skip


def _split(groups: Sequence[str], classes: Sequence[str]) -> dict[str, dict[str, int]]:
    found: dict[str, Counter[str]] = {}
    for group, class_ in zip(groups, classes, strict=True):
        found.setdefault(group, Counter())[class_] += 1
    return {group: dict(counts) for group, counts in found.items()}


def _affirmation(name: str, pairs: Sequence[tuple[Question, Spoken]], names: Sequence[DeclaredName]) -> Affirmation:
    mine = [(asked, said) for asked, said in pairs if asked.asked == name]
    claims = [affirms(said.final, asked, names) for asked, said in mine]
    return Affirmation(
        name=name, says_is=claims.count(True), says_is_not=claims.count(False), unclear=claims.count(None),
        yes=sum(said.final is not None and says_yes(said.final) is True for _, said in mine), total=len(mine),
    )  # fmt: skip
