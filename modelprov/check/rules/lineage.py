"""Rules about where the weights came from: what the card declares against what the comparison of weights found.

What is found in weights has mostly no direction in time: "A from B" and "B from A" give the same numbers, a copy may be
of either, and a merge with a parent that nobody named may look like a finetune. An error here rests on a fixed mix of
models that were all compared, on all weights; where less is there, it is a warning or is not judged.
"""

from __future__ import annotations

import shlex

from modelprov.check.interface import Claims, Measured, Outcome, Rule
from modelprov.check.results import Location, Severity
from modelprov.check.rules.evidence import (
    KIN,
    MIXED,
    PLAIN,
    absent,
    candidates,
    direction,
    names,
    quoted,
    settled,
    undeclared,
    why,
)
from modelprov.check.rules.making import finding, not_judged
from modelprov.check.rules.undeclared_parent import UNDECLARED

__all__ = ["LINEAGE_RULES", "MIXED", "RELATION", "SCRATCH", "TRAINED", "TRAINING"]

TRAINING = ("post-trained", "finetuned", "distilled")
BY_WEIGHTS = ("finetune", "merge")  # relations that a comparison can contradict


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
            return [not_judged(RELATION, direction(lineage, names(undeclared(measured, lineage))))]
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
        return [not_judged(TRAINED, direction(lineage, names(others)))]
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
