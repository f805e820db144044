"""What became of every claim: confirmed, contradicted, unverifiable, or not tested and why. From outcomes of rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modelprov.check.interface import Claims, Measured, Outcome, ProseClaim
from modelprov.check.results import Claim, Finding
from modelprov.check.rules.lineage import MIXED, RELATION, SCRATCH, TRAINED, TRAINING
from modelprov.check.rules.recipe import RECIPE

NOT_IN_FILES = "it leaves no trace in files"
BEARS_OUT = {"merged": MIXED, "finetuned": ("same-origin",), "post-trained": ("on-line", "same-origin")}
"""Verdicts that bear out a sentence of a kind."""


def judged_claims(claims: Claims, measured: Measured, outcomes: Sequence[Outcome]) -> tuple[Claim, ...]:
    """Every claim of the folder with its status."""
    findings = [one for one in outcomes if isinstance(one, Finding)]
    return (
        *_base_models(claims, measured),
        *_relation(claims, measured, findings),
        *(_prose(one, measured, findings) for one in claims.prose),
        *_recipes(claims, measured, findings),
        *_others(claims, measured),
    )  # fmt: skip


def _base_models(claims: Claims, measured: Measured) -> Iterator[Claim]:
    lineage = measured.lineage
    labels = {one.name: one.label for one in measured.candidates}
    for declared in claims.base_models:
        label = labels.get(declared.value, declared.value)
        text = f"base_model: {declared.value}"
        if lineage is None or label not in lineage.compared:
            why = measured.missing.get(label) or measured.missing.get("lineage") or "it was not compared"
            yield Claim(kind="base-model", text=text, location=declared.location, status="not tested", note=why)
        elif label in lineage.strangers:
            note = "the weights have no more in common with it than independently trained models do"
            yield Claim(kind="base-model", text=text, location=declared.location, status="contradicted", note=note)
        elif label in lineage.parents:
            share = lineage.shares.get(label)
            note = f"share {share:.4g}" if share is not None else lineage.verdict
            yield Claim(kind="base-model", text=text, location=declared.location, status="confirmed", note=note)
        else:
            note = f"related; the verdict is {lineage.verdict} and names {', '.join(lineage.parents) or 'no parent'}"
            yield Claim(kind="base-model", text=text, location=declared.location, status="not tested", note=note)


def _relation(claims: Claims, measured: Measured, findings: Sequence[Finding]) -> Iterator[Claim]:
    if claims.relation is None:
        return
    lineage, said = measured.lineage, claims.relation.value.lower()
    status, note = "not tested", "weights do not settle it"
    if any(one.rule == RELATION.id for one in findings):
        status, note = "contradicted", f"the weights show {lineage.verdict if lineage else ''}"
    elif lineage is not None and (
        (said == "merge" and lineage.verdict in MIXED) or (said == "finetune" and lineage.verdict == "same-origin")
    ):
        status, note = "confirmed", lineage.verdict
    yield Claim(
        kind="relation", text=f"base_model_relation: {claims.relation.value}", location=claims.relation.location,
        status=status, note=note,
    )  # fmt: skip


def _prose(said: ProseClaim, measured: Measured, findings: Sequence[Finding]) -> Claim:
    """A sentence: contradicted where a rule says so, confirmed where the verdict is what it says."""
    rule = SCRATCH.id if said.kind == "from-scratch" else TRAINED.id if said.kind in TRAINING else ""
    verdict = measured.lineage.verdict if measured.lineage is not None else None
    status, note = "not tested", "nothing was compared" if verdict is None else f"the verdict is {verdict}"
    if any(one.rule == rule for one in findings):
        status, note = "contradicted", f"the weights show {verdict}"
    elif not said.testable:
        status, note = "unverifiable", NOT_IN_FILES
    elif verdict in BEARS_OUT.get(said.kind, ()):
        status, note = "confirmed", str(verdict)
    return Claim(kind="making", text=said.text, location=said.location, status=status, note=note)


def _recipes(claims: Claims, measured: Measured, findings: Sequence[Finding]) -> Iterator[Claim]:
    wrong = {one.location.file for one in findings if one.rule == RECIPE.id and one.location is not None}
    for recipe in claims.recipes:
        equal = measured.recipe_equal.get(recipe.path)
        if recipe.path in wrong:
            yield Claim(kind="recipe", text=recipe.path, location=None, status="contradicted", note="see the finding")
        elif equal == 1:
            yield Claim(kind="recipe", text=recipe.path, location=None, status="confirmed", note="every bit")
        else:
            why = measured.missing.get(f"recipe {recipe.path}") or measured.missing.get("recipe") or "not compared"
            yield Claim(kind="recipe", text=recipe.path, location=None, status="not tested", note=why)


def _others(claims: Claims, measured: Measured) -> Iterator[Claim]:
    if claims.license is not None:
        yield Claim(
            kind="license", text=f"license: {claims.license.value}", location=claims.license.location,
            status="unverifiable", note="a licence is not in the weights; see the licence rules",
        )  # fmt: skip
    own = [one for one in claims.scores if one.model is None]
    if own:
        yield Claim(
            kind="score", text=f"{len(own)} benchmark score{'s' if len(own) > 1 else ''}", location=own[0].location,
            status="unverifiable", note="files do not show them; run the benchmark",
        )  # fmt: skip
    if measured.digest is not None:  # it is hashed only where one is expected
        differs = any(one.topic == "digest" for one in measured.problems)
        yield Claim(
            kind="digest", text="the artefact that was evaluated", location=None,
            status="contradicted" if differs else "confirmed",
            note="another digest is expected" if differs else f"digest {measured.digest[:16]}…",
        )  # fmt: skip
