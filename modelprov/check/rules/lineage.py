"""Rules about where the weights came from: what the card declares against what the comparison of weights found.

What is found in weights has mostly no direction in time: "A from B" and "B from A" give the same numbers, a copy may be
of either, and a merge with a parent that nobody named may look like a finetune. An error here rests on a fixed mix of
models that were all compared, on all weights; where less is there, it is a warning or is not judged.
"""

from __future__ import annotations

import shlex

from modelprov.check.interface import Candidate, Claims, Measured, Outcome, Rule
from modelprov.check.results import Lineage, Location, Severity
from modelprov.check.rules.evidence import (
    MIXED,
    PLAIN,
    absent,
    base_location,
    candidates,
    declared_text,
    names,
    quoted,
    settled,
    uncompared,
    undeclared,
    why,
)
from modelprov.check.rules.making import finding, not_judged

__all__ = ["LINEAGE_RULES", "MIXED", "RELATION", "SCRATCH", "TRAINED", "TRAINING"]

TRAINING = ("post-trained", "finetuned", "distilled")
KIN = ("same-origin", "other-coordinates")
BY_WEIGHTS = ("finetune", "merge")  # relations that a comparison can contradict


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
                not_judged(UNDECLARED, f"{one.name} was not compared: {why(measured, one)}")
                for one in uncompared(measured, lineage)
                if not one.declared
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
    outcomes: list[Outcome] = [_undeclared(claims, lineage, one) for one in found]
    doubt = _direction(lineage, names(found))
    return [*outcomes, not_judged(UNDECLARED, doubt)] if doubt else outcomes


def _behind(claims: Claims, measured: Measured, lineage: Lineage) -> list[Outcome]:
    """Candidates behind the declared parents, which neither this card nor that of a declared one names.

    One that has a parent's weights may be its copy on another shelf, so it is told and leaves nothing open.
    """
    named = {base.casefold() for one in measured.candidates if one.declared for base in one.bases}
    told = lineage.behind | {
        label: f"{name}, which the card names, has its weights, bit for bit" for label, name in lineage.twins.items()
    }
    outcomes: list[Outcome] = [
        finding(
            UNDECLARED,
            one.name,
            f"{one.name} may stand behind the declared models: {told[one.label]}.",
            claimed=declared_text(claims),
            measured=lineage.summary,
            advice=f"Add {one.name} to base_model, here or in the card of the model between, or show that it came "
            f"later: {lineage.command}",
            location=base_location(claims),
            severity=Severity.WARNING,
        )
        for one in candidates(measured, told)
        if one.name.casefold() not in named
    ]
    hidden = [one for one in candidates(measured, lineage.behind) if one.name.casefold() not in named]
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
        severity=Severity.WARNING if _direction(lineage, parent.name) else None,
    )


def _direction(lineage: Lineage, who: str) -> str:
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


def declared_not_in_weights(claims: Claims, measured: Measured) -> list[Outcome]:
    """A declared base model with which the weights have nothing in common."""
    declared = {one.value: one.location for one in claims.base_models}
    teacher = any(one.kind == "distilled" for one in claims.prose)
    lineage = measured.lineage
    outcomes: list[Outcome] = []
    for candidate in (one for one in measured.candidates if one.declared):
        if candidate.location is None or lineage is None or candidate.label not in lineage.compared:
            reason = f"{candidate.name} was not compared: {why(measured, candidate)}"
            outcomes.append(not_judged(DECLARED, reason))
        elif candidate.label in lineage.strangers and lineage.doubt:
            outcomes.append(not_judged(DECLARED, f"{candidate.name}: {lineage.doubt}"))
        elif candidate.label in lineage.strangers:
            outcomes.append(
                finding(
                    DECLARED,
                    candidate.name,
                    f"The card declares {candidate.name}; the weights have no more in common with it than "
                    f"independently trained models do (read from {candidate.location}).",
                    claimed=f"base_model: {candidate.name}",
                    measured=lineage.summary,
                    advice="Correct base_model, or check that both are the right files.",
                    command=shlex.join(["modelprov", "compare", str(measured.folder), candidate.location]),
                    location=declared.get(candidate.name),
                    # a teacher leaves no trace in weights
                    severity=Severity.WARNING if teacher else None,
                )
            )
    return outcomes


def relation_contradicted(claims: Claims, measured: Measured) -> list[Outcome]:
    """`base_model_relation` says one thing, the weights another."""
    if claims.relation is None:
        return []
    said = claims.relation.value.lower()
    if said not in BY_WEIGHTS:
        return [not_judged(RELATION, f"weights alone do not settle the relation {said!r}")]
    lineage, reason = settled(measured)
    if lineage is None:
        return [not_judged(RELATION, reason)]
    if said == "finetune":
        if lineage.verdict == "on-line" or (lineage.verdict == "merge" and lineage.held < 1):
            return [not_judged(RELATION, "a merge that was trained may be called either")]
        wrong = lineage.verdict == "merge"
    else:
        gone = absent(measured, lineage)
        if gone or len(claims.base_models) < 2:
            # with a parent missing, a merge reads as a finetune
            missing = names(gone) or "the second parent, which the card does not name"
            return [not_judged(RELATION, f"a merge cannot be told without {missing}")]
        if lineage.verdict in KIN:
            return [not_judged(RELATION, "no share of a second parent was found; a merge that picks weights hides it")]
        if lineage.verdict == "copy" and undeclared(measured, lineage):
            return [not_judged(RELATION, _direction(lineage, names(undeclared(measured, lineage))))]
        if lineage.verdict == "copy" and lineage.held < 1:
            return [not_judged(RELATION, "all matrices are one parent's, but norms or biases may have been merged")]
        wrong = lineage.verdict in ("copy", "unrelated")
    if not wrong:
        return []
    return [
        finding(
            RELATION,
            said,
            f"The card says {said}; the weights show {lineage.verdict}.",
            claimed=f"base_model_relation: {said}",
            measured=lineage.summary,
            advice="Correct base_model_relation, or check that this is the right file.",
            command=lineage.command,
            location=claims.relation.location,
        )
    ]


def training_claimed(claims: Claims, measured: Measured) -> list[Outcome]:
    """The card says that the model was trained; its weights are a plain merge or a copy, to the last bit.

    Training before a merge leaves no other trace than a parent: where the card declares all of them, it may mean that.
    """
    said = [one for one in claims.prose if one.kind in TRAINING]
    relation = claims.relation if claims.relation is not None and claims.relation.value.lower() == "finetune" else None
    if not said and relation is None:
        return []
    lineage, reason = settled(measured)
    if lineage is None:
        return [not_judged(TRAINED, reason)]
    if lineage.verdict == "copy" and lineage.held < 1:
        return [not_judged(TRAINED, "norms or biases differ, and training may have been of those alone")]
    if lineage.verdict != "copy" and not (lineage.verdict == "merge" and lineage.bit_equal == PLAIN):
        return []
    others, gone = undeclared(measured, lineage), absent(measured, lineage)
    if lineage.verdict == "copy" and others:
        return [not_judged(TRAINED, _direction(lineage, names(others)))]
    before = lineage.verdict == "merge" and (not others or bool(gone))
    part = lineage.covered < 1
    what = "a copy" if lineage.verdict == "copy" else f"the plain merge {lineage.recipe}"
    where = said[0].location if said else relation.location if relation else None
    tail = " Training before it, of a parent, would not." if before else ""
    if part:
        tail += f" Only {lineage.covered:.1%} of the weights could be compared; the rest may have been trained."
    return [
        finding(
            TRAINED,
            lineage.verdict,
            f"The card claims training; every weight compared is {what}. Training after it would have left a trace."
            + tail,
            claimed=quoted(said) or "base_model_relation: finetune",
            measured=lineage.summary,
            advice="Check that the right checkpoint is about to be published, or correct the card.",
            command=lineage.command,
            location=where,
            severity=Severity.WARNING if before or part else None,
        )
    ]


def from_scratch(claims: Claims, measured: Measured) -> list[Outcome]:
    """The card says "from scratch"; the weights share their origin with a candidate."""
    said = [one for one in claims.prose if one.kind == "from-scratch"]
    if not said:
        return []
    lineage, reason = settled(measured)
    if lineage is None:
        return [not_judged(SCRATCH, reason)]
    if lineage.verdict == "unrelated":
        return []
    # an average of stages of one training is a merge too, and the card that names them is honest
    certain = lineage.verdict == "merge" and bool(undeclared(measured, lineage)) and not absent(measured, lineage)
    parents = names(candidates(measured, lineage.parents)) or ", ".join(lineage.parents)
    tail = (
        "If these are stages of its own training, the card has to say so."
        if lineage.verdict in MIXED
        else f"Unless {parents} was made from this model, the claim is wrong."
    )
    return [
        finding(
            SCRATCH,
            parents,
            f"The card says that the model was trained from scratch; its weights share their origin "
            f"with {parents}. {tail}",
            claimed=quoted(said),
            measured=lineage.summary,
            advice="Correct the card, or look at the comparison.",
            command=lineage.command,
            location=said[0].location,
            severity=None if certain else Severity.WARNING,
        )
    ]


def no_base_declared(claims: Claims, measured: Measured) -> list[Outcome]:
    """A card that names no base model and does not say "from scratch" either."""
    if claims.card is None or claims.base_models or any(one.kind == "from-scratch" for one in claims.prose):
        return []
    lineage = measured.lineage
    return [
        finding(
            NO_BASE,
            "base_model",
            "The card names no base model and does not say that there is none.",
            measured=lineage.summary if lineage else "",
            location=Location(file=claims.card, line=1),
            advice="Add base_model and base_model_relation to the front matter (`modelprov check --write-card`).",
        )
    ]


UNDECLARED = Rule(
    "MP101", "undeclared-parent", "The weights come from a model that the card does not declare.",
    Severity.ERROR, undeclared_parent,
)  # fmt: skip
DECLARED = Rule(
    "MP102", "declared-parent-not-in-weights", "The weights have nothing in common with a declared base model.",
    Severity.ERROR, declared_not_in_weights,
)  # fmt: skip
RELATION = Rule(
    "MP103", "relation-contradicted", "The weights contradict base_model_relation.",
    Severity.ERROR, relation_contradicted,
)  # fmt: skip
TRAINED = Rule(
    "MP104", "training-claimed-but-plain-merge", "The card claims training; the weights are a plain merge or a copy.",
    Severity.ERROR, training_claimed,
)  # fmt: skip
SCRATCH = Rule(
    "MP105", "from-scratch-contradicted", 'The card says "from scratch"; the weights share an origin with a candidate.',
    Severity.ERROR, from_scratch,
)  # fmt: skip
NO_BASE = Rule("MP107", "no-base-model-declared", "The card names no base model.", Severity.WARNING, no_base_declared)
LINEAGE_RULES = (UNDECLARED, DECLARED, RELATION, TRAINED, SCRATCH, NO_BASE)
