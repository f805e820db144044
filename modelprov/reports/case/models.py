"""Which model each part of a case is about, and what says that it is the same one. Compares records; opens nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from modelprov.checkpoints.digests import SAMPLE_COVERS, WEIGHTS_COVER
from modelprov.reports import numbers as n
from modelprov.reports.case.parts import Case

_DIGEST = re.compile(r"[0-9a-f]{64}")
_COVER_WEIGHTS = (SAMPLE_COVERS, WEIGHTS_COVER)


class Seen(NamedTuple):
    """A checkpoint as one report names it. `covers` says what the digest stands for; no digest where none was taken."""

    label: str
    location: str
    digest: str
    covers: str


@dataclass(frozen=True)
class Subject:
    """The model that one part is about; `others` are all models of that part, parents and controls among them."""

    part: str
    model: Seen
    others: tuple[Seen, ...]


class Link(NamedTuple):
    """Why a part is taken to be about the model of the case: `because` in words."""

    subject: Subject
    because: str


@dataclass(frozen=True)
class Match:
    """What ties the parts together.

    `contradictions`: digests of the same kind differ, so the parts are about different files. `warnings`: nothing but
    a name, or not even that, says that they are about the same ones.
    """

    links: tuple[Link, ...]
    contradictions: tuple[str, ...]
    warnings: tuple[str, ...]


def match(case: Case) -> Match:
    """Tie every part to those before it: by digest where both took the same kind, else by name and place."""
    links: list[Link] = []
    contradictions: list[str] = []
    warnings: list[str] = []
    for subject in _subjects(case):
        if not links:
            links.append(Link(subject, ""))
            continue
        because, contradiction, warning = _tie(subject, [one.subject for one in links])
        links.append(Link(subject, because))
        contradictions += [contradiction] if contradiction else []
        warnings += [warning] if warning else []
    return Match(tuple(links), tuple(contradictions), (*warnings, *_other_files(links)))


def comparable(one: Seen, other: Seen) -> bool:
    """Whether their digests stand for the same thing. Where they differ, the files do.

    Where they are equal the weights are, unless only headers were hashed: models of one layout have those in common.
    """
    return one.covers == other.covers and all(_DIGEST.fullmatch(seen.digest) for seen in (one, other))


def same_weights(one: Seen, other: Seen) -> bool:
    """Whether the digests alone say that these are the same weights."""
    return comparable(one, other) and one.digest == other.digest and one.covers in _COVER_WEIGHTS


def _tie(subject: Subject, earlier: list[Subject]) -> tuple[str, str, str]:
    """Why it is the same model, what contradicts that, what a reader must be warned of."""
    mine = subject.model
    for other in earlier:
        if comparable(mine, other.model) and mine.digest != other.model.digest:
            text = (
                f"{subject.part} and {other.part.lower()} are about different files: {n.clean(mine.label)} has digest "
                f"{mine.digest[:12]}…, {n.clean(other.model.label)} has {other.model.digest[:12]}…"
            )
            return "not the same files", text, ""
    for other in earlier:
        if same_weights(mine, other.model):
            return f"same weights as in {other.part.lower()}, by digest", "", ""
    for other in earlier:
        if mine.label == other.model.label and _place(mine) == _place(other.model):
            headers = ", same headers of the shards" if comparable(mine, other.model) else ""
            return f"same name and place as in {other.part.lower()}{headers}; nothing else ties them", "", ""
    for other in earlier:
        if mine.label == other.model.label:
            headers = " and the headers of the shards say" if comparable(mine, other.model) else " says"
            text = (
                f"{subject.part}: only the name {n.clean(mine.label)}{headers} that this is the model of "
                f"{other.part.lower()}; the places differ."
            )
            return f"same name as in {other.part.lower()}, another place", "", text
    text = (
        f"{subject.part}: nothing says that {n.clean(mine.label)} is {n.clean(earlier[0].model.label)}, which "
        f"{earlier[0].part.lower()} {_are(earlier[0].part)} about."
    )
    return "nothing: another name, and no digest that could be compared", "", text


def _other_files(links: list[Link]) -> Iterator[str]:
    """Parents and controls that go by one name in two parts but are different files."""
    told = set()
    for i, link in enumerate(links):
        for one in link.subject.others:
            for later in links[i + 1 :]:
                for other in later.subject.others:
                    if one.label == other.label and comparable(one, other) and one.digest != other.digest:
                        text = (
                            f"{n.clean(one.label)} is not the same files in {link.subject.part.lower()} and in "
                            f"{later.subject.part.lower()}: their digests differ."
                        )
                        if text not in told:
                            told.add(text)
                            yield text


def _subjects(case: Case) -> Iterator[Subject]:
    if case.weights is not None:
        inputs = [Seen(one.label, one.location, one.digest, one.digest_covers) for one in case.weights.inputs]
        at = next((i for i, one in enumerate(case.weights.inputs) if one.role == "suspect"), None)
        yield from _subject("Weights", inputs, at)
    if case.check is not None:
        inputs = [Seen(one.label, one.location, one.digest, one.digest_covers) for one in case.check.inputs]
        at = next((i for i, one in enumerate(case.check.inputs) if one.role == "model"), None)
        alone = [Seen(case.check.model, case.check.folder, "", "")] if at is None else []
        yield from _subject("Claims", [*alone, *inputs], at or 0)
    if case.probe is not None:
        models = [Seen(m.label, m.location, m.digest or "", m.digest_covers or "") for m in case.probe.models]
        at = next((i for i, one in enumerate(case.probe.models) if one.role == "suspect"), None)
        yield from _subject("Names", models, at)
    if case.evaluation is not None:
        models = [Seen(m.label, m.location, m.digest, m.digest_covers) for m in case.evaluation.models]
        yield from _subject("Scores", models, _scored(case, models))


def _subject(part: str, models: list[Seen], at: int | None) -> Iterator[Subject]:
    """One subject; none where the report names no model in question."""
    if at is not None and models:
        me = models[at]
        yield Subject(part, me, tuple(one for i, one in enumerate(models) if i != at))


def _scored(case: Case, models: list[Seen]) -> int:
    """An evaluation gives no roles: the model with the digest, else the name, of the other parts; else its first."""
    rest = type(case)(weights=case.weights, probe=case.probe, check=case.check)
    known = [one.model for one in _subjects(rest)]
    for i, one in enumerate(models):
        if any(same_weights(one, other) for other in known):
            return i
    for i, one in enumerate(models):
        if any(one.label == other.label for other in known):
            return i
    return 0


def _place(seen: Seen) -> str:
    return os.path.normpath(os.path.expanduser(seen.location))


def _are(part: str) -> str:
    return "are" if part.endswith("s") else "is"
