"""MP101: a source that the weights show and the card does not name, and what may stand behind those that it names."""

from __future__ import annotations

from modelprov.check.interface import Candidate, Claims, Measured, Outcome, Rule
from modelprov.check.results import Lineage, Severity
from modelprov.check.rules.evidence import (
    absent,
    base_location,
    candidates,
    declared_text,
    direction,
    names,
    settled,
    uncompared,
    undeclared,
    why,
)
from modelprov.check.rules.making import finding, not_judged


def undeclared_parent(claims: Claims, measured: Measured) -> list[Outcome]:
    """A source that the weights show and the card does not name."""
    lineage, reason = settled(measured)
    if lineage is None:
        return [not_judged(UNDECLARED, reason)]
    found = undeclared(measured, lineage)
    if not found:
        return [
            *_behind(claims, measured, lineage),
            *(
                not_judged(UNDECLARED, f"{candidate.name} was not compared: {why(measured, candidate)}")
                for candidate in uncompared(measured, lineage)
                if not candidate.declared
            ),
        ]
    gone = absent(measured, lineage)
    if gone:
        # the declared model may be the same under another name, or be made of them itself
        return [
            not_judged(
                UNDECLARED,
                f"the weights share their origin with {names(found)}; the declared {names(gone)} was not compared and "
                f"may explain it. Say where it is: --candidates {gone[0].name}=PATH",
            )
        ]
    outcomes: list[Outcome] = [_undeclared(claims, lineage, candidate) for candidate in found]
    doubt = direction(lineage, names(found))
    return [*outcomes, not_judged(UNDECLARED, doubt)] if doubt else outcomes


def _behind(claims: Claims, measured: Measured, lineage: Lineage) -> list[Outcome]:
    """Candidates behind the declared parents, which neither this card nor that of a declared one names.

    One that has a parent's weights may be its copy on another shelf, so it is told and leaves nothing open.
    """
    named = {base.casefold() for candidate in measured.candidates if candidate.declared for base in candidate.bases}
    told = lineage.behind | {
        label: f"{name}, which the card names, has its weights, bit for bit" for label, name in lineage.twins.items()
    }
    outcomes: list[Outcome] = [
        finding(
            UNDECLARED,
            candidate.name,
            f"{candidate.name} may stand behind the declared models: {told[candidate.label]}.",
            claimed=declared_text(claims),
            measured=lineage.summary,
            advice=f"Add {candidate.name} to base_model, here or in the card of the model between, or show that it "
            f"came later: {lineage.command}",
            location=base_location(claims),
            severity=Severity.WARNING,
        )
        for candidate in candidates(measured, told)
        if candidate.name.casefold() not in named
    ]
    hidden = [each for each in candidates(measured, lineage.behind) if each.name.casefold() not in named]
    if not hidden:
        return outcomes
    doubt = f"weights do not tell whether what the card names came from {names(hidden)} or the other way round"
    return [*outcomes, not_judged(UNDECLARED, f"{doubt}; declare what came first")]


def _undeclared(claims: Claims, lineage: Lineage, parent: Candidate) -> Outcome:
    share = lineage.shares.get(parent.label)
    unnamed = "the card does not name it" if claims.card is not None else "there is no card that names it"
    if lineage.verdict == "copy":
        message = f"The weights are those of {parent.name}, bit for bit; {unnamed}."
    elif lineage.verdict == "on-line":
        message = f"The weights lie on a line to {parent.name}, as those of a merge with it do, and others; {unnamed}."
    elif lineage.verdict == "merge":
        how = f" ({share:.4g} of the weights)" if share is not None else ""
        message = f"The weights come from {parent.name}{how}; {unnamed}."
    else:
        message = (
            f"The weights descend from {parent.name}, or {parent.name} from them, or both from the same model; "
            f"{unnamed}."
        )
    return finding(
        UNDECLARED,
        parent.name,
        message,
        claimed=declared_text(claims),
        measured=lineage.summary,
        advice=f"Add {parent.name} to base_model, or show that the comparison is wrong.",
        command=lineage.command,
        location=base_location(claims),
        severity=Severity.WARNING if direction(lineage, parent.name) else None,
    )


UNDECLARED = Rule(
    "MP101", "undeclared-parent", "The weights come from a model that the card does not declare.",
    Severity.ERROR, undeclared_parent,
)  # fmt: skip
