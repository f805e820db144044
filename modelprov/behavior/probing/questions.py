"""The questions: shipped as data, chosen by language, with the declared names filled in. Asks nobody."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from modelprov.behavior.probing.results import DeclaredName
from modelprov.behavior.records import digest
from modelprov.errors import UsageError

KINDS = ("name", "maker", "backstory", "denial")
LANGUAGES = ("en", "pt", "zh")
QUICK = 3


@dataclass(frozen=True)
class Question:
    """One question as it is asked.

    `asked` is the name in "Are you NAME?" (kind denial), where `inverted` says that yes means "I am not". The id names
    the wording, not the name filled in: it is the cluster of the statistics.
    """

    id: str
    language: str
    kind: str
    text: str
    asked: str | None = None
    inverted: bool = False


def shipped() -> list[dict[str, Any]]:
    """The rows of `data/questions.jsonl`: id, language, kind, text; denial questions hold `{name}` and `inverted`."""
    text = files("modelprov.behavior.probing").joinpath("data/questions.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def questions(
    names: Sequence[DeclaredName], languages: Sequence[str] = LANGUAGES, *, quick: bool = False
) -> tuple[Question, ...]:
    """The questions in these languages. `quick` keeps every third of each kind and language.

    Denial questions take the names in turn, so that each name is asked about equally often in both senses, to within
    one; the decoy among the names measures how readily a model says yes.
    """
    unknown = [one for one in languages if one not in LANGUAGES]
    if unknown:
        raise UsageError(f"there are no questions in {unknown[0]!r}", f"Languages: {', '.join(LANGUAGES)}.")
    found: list[Question] = []
    counts: Counter[tuple[str, str, bool]] = Counter()
    for row in shipped():
        if row["language"] not in languages:
            continue
        inverted = bool(row.get("inverted"))
        place = (row["language"], row["kind"], inverted)
        number = counts[place]
        counts[place] += 1
        if quick and number % QUICK:
            continue
        turn = number // QUICK if quick else number
        asked = names[(turn + LANGUAGES.index(row["language"])) % len(names)].name if row["kind"] == "denial" else None
        found.append(
            Question(
                row["id"], row["language"], row["kind"], row["text"].replace("{name}", asked or ""), asked, inverted
            )
        )
    return tuple(found)


def digest_of(asked: Sequence[Question]) -> str:
    """SHA-256 of the questions as they are asked."""
    return digest([[one.id, one.text, one.asked, one.inverted] for one in asked])
