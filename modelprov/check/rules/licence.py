"""Rules about licences: whether a parent's terms are carried over. A table of terms, no legal advice."""

from __future__ import annotations

from modelprov.check.interface import Candidate, Claims, Measured, Outcome, Rule
from modelprov.check.licences import compatible
from modelprov.check.results import Location, Severity
from modelprov.check.rules.evidence import settled
from modelprov.check.rules.making import finding, not_judged

UNNAMED = ("other", "unknown")


def incompatible(claims: Claims, measured: Measured) -> list[Outcome]:
    """The card's licence against that of every parent that the card names or the weights show."""
    parents = _parents(measured)
    if claims.license is None or not parents:
        return []
    outcomes: list[Outcome] = []
    for parent in parents:
        if parent.license is None:
            outcomes.append(not_judged(INCOMPATIBLE, f"the licence of {parent.name} is not known here"))
            continue
        found = compatible(claims.license.value, [parent.license])
        if found.outcome == "unknown":
            outcomes.append(not_judged(INCOMPATIBLE, f"{parent.name} ({parent.license}): {found.reason}"))
        elif found.outcome != "ok":
            outcomes.append(
                finding(
                    INCOMPATIBLE,
                    f"{parent.name}|{parent.license}",
                    f"The card says {claims.license.value}; {parent.name} is under {parent.license}: {found.reason}.",
                    claimed=f"license: {claims.license.value}",
                    measured=f"{parent.name}: {parent.license}",
                    advice="Ask whoever is responsible for licences. This rule repeats terms; it is no legal advice.",
                    location=claims.license.location,
                    severity=Severity.WARNING if found.outcome == "notice-needed" else None,
                )
            )
    return outcomes


def unnamed(claims: Claims, _measured: Measured) -> list[Outcome]:
    """A card without a licence, or with one that says nothing."""
    if claims.card is None:
        return []
    if claims.license is None:
        where = Location(file=claims.card, line=1)
        return [finding(UNNAMED_LICENCE, "none", "The card names no licence.", location=where, advice=ADVICE)]
    if claims.license.value.lower() not in UNNAMED or claims.license_name is not None:
        return []
    message = f"The card says license: {claims.license.value}, and no license_name says which."
    return [finding(UNNAMED_LICENCE, "unnamed", message, location=claims.license.location, advice=ADVICE)]


def _parents(measured: Measured) -> list[Candidate]:
    """Declared base models, and those that a plain merge shows: other kinship has no direction in time."""
    lineage, _ = settled(measured)
    shown = lineage.parents if lineage is not None and lineage.verdict == "merge" else ()
    return [one for one in measured.candidates if one.declared or one.label in shown]


ADVICE = "Add `license` with an identifier that the hub knows, or `license_name` and `license_link`."
INCOMPATIBLE = Rule(
    "MP201", "licence-incompatible", "A parent's licence is not carried over, or does not allow this one.",
    Severity.ERROR, incompatible,
)  # fmt: skip
UNNAMED_LICENCE = Rule(
    "MP202", "licence-missing-or-unknown", "The card names no licence, or one that is not known here.",
    Severity.WARNING, unnamed,
)  # fmt: skip
LICENCE_RULES = (INCOMPATIBLE, UNNAMED_LICENCE)
