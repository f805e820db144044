"""Rules about the card itself, and what its benchmark table hints at."""

from __future__ import annotations

from collections.abc import Iterable

from modelprov.check.interface import Claims, Measured, Outcome, Rule, Score
from modelprov.check.results import Severity
from modelprov.check.rules.making import finding, not_judged

LEAST = 5  # benchmarks that a hint needs
MOST_SHARE = 0.9  # share of them between the parents' scores


def no_card(claims: Claims, measured: Measured) -> list[Outcome]:
    """A model without a card claims nothing, so nothing can be checked against it."""
    if claims.card is not None:
        return []
    return [
        finding(
            NO_CARD,
            "card",
            f"{measured.label} has no model card (README.md).",
            advice="Write one; `modelprov check --write-card` proposes the front matter.",
        )
    ]


def front_matter(claims: Claims, _measured: Measured) -> list[Outcome]:
    """Front matter that cannot be read as what the hub documents."""
    return [
        finding(
            FRONT,
            f"{one.location.file}|{one.about or one.message}",
            one.message,
            advice="Correct the file; what it says was not taken into account.",
            location=one.location,
        )
        for one in claims.problems
    ]


def scores_between(claims: Claims, measured: Measured) -> list[Outcome]:
    """Claimed scores that lie between those of two candidates, as a merge's would: information, never proof."""
    own = _by_benchmark(one for one in claims.scores if one.model is None)
    if not own:
        return []
    tables = {one.name: _by_benchmark(one.scores) for one in measured.candidates if one.scores}
    names = list(tables)
    if len(names) < 2:
        return [not_judged(SCORES, "the scores of two candidates are needed")]
    for number, first in enumerate(names):
        for second in names[number + 1 :]:
            shared = [name for name in own if name in tables[first] and name in tables[second]]
            between = [
                name for name in shared
                if min(tables[first][name], tables[second][name]) <= own[name]
                <= max(tables[first][name], tables[second][name])
            ]  # fmt: skip
            if len(shared) >= LEAST and len(between) >= MOST_SHARE * len(shared):
                return [
                    finding(
                        SCORES,
                        f"{first}|{second}",
                        f"{len(between)} of {len(shared)} claimed scores lie between those of {first} and {second}, as "
                        "those of a merge would. Scores prove nothing; the weights decide.",
                        claimed=", ".join(f"{name} {own[name]:g}" for name in shared[:5]),
                        location=claims.scores[0].location,
                    )
                ]
    return []


def _by_benchmark(scores: Iterable[Score]) -> dict[str, float]:
    return {one.benchmark.casefold().strip(): one.value for one in scores}


NO_CARD = Rule("MP601", "no-model-card", "The folder has no model card.", Severity.WARNING, no_card)
FRONT = Rule(
    "MP602", "front-matter-invalid", "The card or a recipe in the folder cannot be read.", Severity.ERROR, front_matter
)
SCORES = Rule(
    "MP501", "scores-between-parents", "Claimed scores lie between those of two candidates.",
    Severity.NOTE, scores_between,
)  # fmt: skip
CARD_RULES = (SCORES, NO_CARD, FRONT)
