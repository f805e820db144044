"""Whether the comparison of weights bears a finding, and what a card declared for it. Finds nothing itself."""

from __future__ import annotations

from collections.abc import Iterable

from modelprov.check.interface import NO_PARENT, Candidate, Claims, Measured, ProseClaim
from modelprov.check.results import Lineage, Location

KIN = ("same-origin", "other-coordinates")
MIXED = ("merge", "on-line")
PLAIN = 1.0  # share of bits of a plain merge


def settled(measured: Measured) -> tuple[Lineage | None, str]:
    """The lineage if findings may rest on it, else None and why not."""
    lineage = measured.lineage
    if lineage is None:
        return None, why(measured)
    if lineage.verdict == "inconclusive":
        return None, f"the weights do not settle it: {lineage.summary}"
    return (None, lineage.doubt) if lineage.doubt else (lineage, "")


def why(measured: Measured, candidate: Candidate | None = None) -> str:
    """Why nothing, or this candidate, was compared."""
    if candidate is not None and candidate.label in measured.missing:
        return measured.missing[candidate.label]
    if candidate is not None and candidate.location is None:
        return f"it is not on this machine; say where it is: --candidates {candidate.name}=PATH"
    said = measured.missing.get("lineage", "the weights were compared with nothing")
    if any(one.location is not None for one in measured.candidates) or "lineage" not in measured.missing:
        return said
    return f"{said}. Name possible parents: --candidates NAME=PATH"


def candidates(measured: Measured, labels: Iterable[str]) -> list[Candidate]:
    """The candidates with these labels."""
    wanted = set(labels)
    return [one for one in measured.candidates if one.label in wanted]


def undeclared(measured: Measured, lineage: Lineage) -> list[Candidate]:
    """Sources that the weights show and the card does not name."""
    return [one for one in candidates(measured, lineage.parents) if not one.declared]


def absent(measured: Measured, lineage: Lineage) -> list[Candidate]:
    """Declared base models that were not compared: each may explain what the weights share with others."""
    return [one for one in measured.candidates if one.declared and one.label not in lineage.compared]


def uncompared(measured: Measured, lineage: Lineage) -> list[Candidate]:
    """Candidates that somebody named and that could not be compared, though they may be parents."""
    return [
        one for one in measured.candidates
        if one.label not in lineage.compared and not measured.missing.get(one.label, "").startswith(NO_PARENT)
    ]  # fmt: skip


def names(found: Iterable[Candidate]) -> str:
    """The names, with commas between."""
    return ", ".join(one.name for one in found)


def declared_text(claims: Claims) -> str:
    """`base_model` as the card has it."""
    models = ", ".join(one.value for one in claims.base_models)
    return f"base_model: {models}" if models else "no base_model"


def base_location(claims: Claims) -> Location | None:
    """Where `base_model` stands, or the first line of the card."""
    if claims.base_models:
        return claims.base_models[0].location
    return Location(file=claims.card, line=1) if claims.card else None


def quoted(said: list[ProseClaim]) -> str:
    """The first sentence, in quotation marks."""
    return f"“{said[0].text}”" if said else ""


def direction(lineage: Lineage, who: str) -> str:
    """Why the weights do not say that the model came from `who`; empty where they do."""
    if lineage.verdict == "copy":
        return (
            f"weights do not tell whether this is a copy of {who} or {who} a copy of this; declare it if it came first"
        )
    if lineage.verdict in KIN:
        return f"weights do not tell whether this came from {who} or {who} from this; declare it if it came first"
    if lineage.verdict == "on-line":
        return (
            f"a model on the line to {who} may be a merge with it that was trained, a sibling by learning rate, a "
            f"stage of one training, or what {who} was made from by carrying it on; declare it if it came first"
        )
    return ""
