"""Rules about where the weights came from: what the card declares against what the comparison of weights found.

A finetune found in weights has no direction in time ("A from B" and "B from A" give the same numbers), and a merge with
a parent that nobody named looks like a finetune. Where a finding would rest on that, it is a warning or is not judged.
"""

from __future__ import annotations

from collections.abc import Iterable

from modelprov.check.interface import Candidate, Claims, Measured, Outcome, ProseClaim, Rule
from modelprov.check.results import Location, Severity
from modelprov.check.rules.making import finding, not_judged

MIXED = ("merge", "merge-then-trained")
TRAINING = ("post-trained", "finetuned", "distilled")
BY_WEIGHTS = ("finetune", "merge")  # relations that a comparison can contradict
PLAIN = 1.0


def undeclared_parent(claims: Claims, measured: Measured) -> list[Outcome]:
    """A source that the weights show and the card does not name."""
    lineage = measured.lineage
    if lineage is None:
        return [not_judged(UNDECLARED, _why(measured))]
    if lineage.verdict == "inconclusive":
        return [not_judged(UNDECLARED, f"the weights do not settle it: {lineage.summary}")]
    found: list[Outcome] = []
    for parent in _candidates(measured, lineage.parents):
        if parent.declared:
            continue
        share = lineage.shares.get(parent.label)
        how = f"{share:.4g} of the weights" if share is not None and lineage.verdict in MIXED else lineage.verdict
        certain = lineage.verdict != "finetune"
        message = (
            f"The weights come from {parent.name} ({how}), which the card does not declare."
            if certain
            else f"The weights descend from {parent.name}, or {parent.name} from them; the card does not name it."
        )
        found.append(
            finding(
                UNDECLARED,
                parent.name,
                message,
                claimed=_declared(claims),
                measured=lineage.summary,
                advice=f"Add {parent.name} to base_model, or show that it is wrong: {lineage.command}",
                location=_base_location(claims),
                severity=None if certain else Severity.WARNING,
            )
        )
    return found


def declared_not_in_weights(claims: Claims, measured: Measured) -> list[Outcome]:
    """A declared base model with which the weights have nothing in common."""
    declared = {one.value: one.location for one in claims.base_models}
    if not declared:
        return []
    outcomes: list[Outcome] = []
    for candidate in (one for one in measured.candidates if one.declared):
        lineage = measured.lineage
        if candidate.location is None or lineage is None or candidate.label not in lineage.compared:
            reason = f"{candidate.name} was not compared: {_why(measured, candidate)}"
            outcomes.append(not_judged(DECLARED, reason))
        elif candidate.label in lineage.strangers:
            outcomes.append(
                finding(
                    DECLARED,
                    candidate.name,
                    f"The card declares {candidate.name}; the weights have no more in common with it than "
                    "independently trained models do.",
                    claimed=f"base_model: {candidate.name}",
                    measured=lineage.summary,
                    advice=f"Correct base_model, or check that this is the right file: {lineage.command}",
                    location=declared.get(candidate.name),
                )
            )
    return outcomes


def relation_contradicted(claims: Claims, measured: Measured) -> list[Outcome]:
    """`base_model_relation` says one thing, the weights another."""
    if claims.relation is None:
        return []
    said, lineage = claims.relation.value.lower(), measured.lineage
    if said not in BY_WEIGHTS:
        return [not_judged(RELATION, f"weights alone do not settle the relation {said!r}")]
    if lineage is None or lineage.verdict == "inconclusive":
        return [not_judged(RELATION, _why(measured) if lineage is None else lineage.summary)]
    if said == "finetune":
        wrong = lineage.verdict in MIXED
    else:
        absent = [one.name for one in measured.candidates if one.declared and one.label not in lineage.compared]
        if absent or len(claims.base_models) < 2:
            # with a parent missing, a merge reads as a finetune
            missing = ", ".join(absent) or "the second parent, which the card does not name"
            return [not_judged(RELATION, f"a merge cannot be told without {missing}")]
        wrong = lineage.verdict in ("finetune", "copy", "unrelated")
    if not wrong:
        return []
    return [
        finding(
            RELATION,
            said,
            f"The card says {said}; the weights show {lineage.verdict}.",
            claimed=f"base_model_relation: {said}",
            measured=lineage.summary,
            advice=f"Correct base_model_relation, or check that this is the right file: {lineage.command}",
            location=claims.relation.location,
        )
    ]


def training_claimed(claims: Claims, measured: Measured) -> list[Outcome]:
    """The card says that the model was trained; its weights are a plain merge or a copy, to the last bit."""
    said = [one for one in claims.prose if one.kind in TRAINING]
    relation = claims.relation if claims.relation is not None and claims.relation.value.lower() == "finetune" else None
    if not said and relation is None:
        return []
    lineage = measured.lineage
    if lineage is None or lineage.verdict == "inconclusive":
        return [not_judged(TRAINED, _why(measured) if lineage is None else lineage.summary)]
    plain = lineage.verdict == "copy" or (lineage.verdict == "merge" and lineage.bit_equal == PLAIN)
    if not plain:
        return []
    what = "a copy" if lineage.verdict == "copy" else f"the plain merge {lineage.recipe}"
    where = said[0].location if said else relation.location if relation else None
    return [
        finding(
            TRAINED,
            lineage.verdict,
            f"The card claims training; every weight compared is {what}. Training after it would have left a trace.",
            claimed=_quoted(said) or "base_model_relation: finetune",
            measured=lineage.summary,
            advice=f"Check that the right checkpoint is about to be published, or correct the card: {lineage.command}",
            location=where,
        )
    ]


def from_scratch(claims: Claims, measured: Measured) -> list[Outcome]:
    """The card says "from scratch"; the weights share their origin with a candidate."""
    said = [one for one in claims.prose if one.kind == "from-scratch"]
    if not said:
        return []
    lineage = measured.lineage
    if lineage is None or lineage.verdict == "inconclusive":
        return [not_judged(SCRATCH, _why(measured) if lineage is None else lineage.summary)]
    if lineage.verdict == "unrelated":
        return []
    one_way = lineage.verdict in MIXED
    parents = ", ".join(one.name for one in _candidates(measured, lineage.parents)) or ", ".join(lineage.parents)
    tail = "" if one_way else f" Unless {parents} was made from this model, the claim is wrong."
    return [
        finding(
            SCRATCH,
            parents,
            f"The card says that the model was trained from scratch; its weights share their origin "
            f"with {parents}.{tail}",
            claimed=_quoted(said),
            measured=lineage.summary,
            advice=f"Correct the card, or look at: {lineage.command}",
            location=said[0].location,
            severity=None if one_way else Severity.WARNING,
        )
    ]


def recipe_not_reproduced(claims: Claims, measured: Measured) -> list[Outcome]:
    """A merge config or receipt lies beside weights that it does not make."""
    outcomes: list[Outcome] = []
    for recipe in claims.recipes:
        equal = measured.recipe_equal.get(recipe.path)
        if equal is None:
            reason = measured.missing.get(f"recipe {recipe.path}") or measured.missing.get("recipe") or "not compared"
            outcomes.append(not_judged(RECIPE, f"{recipe.path}: {reason}"))
        elif equal < 1:
            share = f"{min(equal, 0.9999):.2%}".replace("%", " %")
            outcomes.append(
                finding(
                    RECIPE,
                    recipe.path,
                    f"{recipe.path} makes only {share} of these weights, bit for bit.",
                    claimed=recipe.path,
                    measured=f"{share} of the weights have the bits that it makes",
                    advice=f"Publish the file that was really used, or see what differs: modelprov verify . --recipe "
                    f"{recipe.path}",
                    location=Location(file=recipe.path),
                )
            )
    return outcomes


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


def _candidates(measured: Measured, labels: Iterable[str]) -> list[Candidate]:
    wanted = set(labels)
    return [one for one in measured.candidates if one.label in wanted]


def _why(measured: Measured, candidate: Candidate | None = None) -> str:
    if candidate is not None and candidate.label in measured.missing:
        return measured.missing[candidate.label]
    if candidate is not None and candidate.location is None:
        return "it is not on this machine"
    return measured.missing.get("lineage", "the weights were compared with nothing")


def _declared(claims: Claims) -> str:
    names = ", ".join(one.value for one in claims.base_models)
    return f"base_model: {names}" if names else "no base_model"


def _base_location(claims: Claims) -> Location | None:
    if claims.base_models:
        return claims.base_models[0].location
    return Location(file=claims.card, line=1) if claims.card else None


def _quoted(said: list[ProseClaim]) -> str:
    return f"“{said[0].text}”" if said else ""


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
RECIPE = Rule(
    "MP106", "recipe-not-reproduced", "A merge config or receipt in the folder does not make these weights.",
    Severity.ERROR, recipe_not_reproduced,
)  # fmt: skip
NO_BASE = Rule("MP107", "no-base-model-declared", "The card names no base model.", Severity.WARNING, no_base_declared)
LINEAGE_RULES = (UNDECLARED, DECLARED, RELATION, TRAINED, SCRATCH, RECIPE, NO_BASE)
