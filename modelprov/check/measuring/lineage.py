"""Where the weights came from, among the candidates: sorts out strangers on a sample, then compares with the rest."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace

from modelprov.check.interface import Candidate
from modelprov.check.results import Lineage
from modelprov.checkpoints.types import Checkpoint
from modelprov.errors import CouldNotJudgeError, UnsupportedFormatError
from modelprov.forensics.compare import Comparison, Options, Progress, compare
from modelprov.forensics.findings import MERGES
from modelprov.forensics.results import VerdictClass

NOTHING = "no candidate that is on this machine could be compared"
SMALLEST_SHARE = 1e-6


@dataclass(frozen=True)
class Ancestry:
    """The lineage, or None with reasons by topic (`lineage`, or a candidate's label); the comparison behind it."""

    lineage: Lineage | None
    missing: dict[str, str]
    comparison: Comparison | None = None


def measure_lineage(
    model: Checkpoint, candidates: Sequence[tuple[Candidate, Checkpoint]], controls: Sequence[Checkpoint],
    options: Options, progress: Progress,
) -> Ancestry:  # fmt: skip
    """Compare the model with those candidates that have something in common with it, a declared one as the reference.

    Candidates that cannot be compared (other tensors, quantised) stand in `missing`; nobody takes part who was not
    compared. Raises what reading raises.
    """
    missing: dict[str, str] = {}
    kin: list[tuple[Candidate, Checkpoint]] = []
    strangers: list[Candidate] = []
    for candidate, checkpoint in candidates:
        progress.stage(f"sample of {candidate.label}")
        try:
            alone = compare((model, checkpoint), replace(options, sample=True), progress)
        except (CouldNotJudgeError, UnsupportedFormatError) as error:
            missing[candidate.label] = error.message
            continue
        if alone.findings.verdict.class_ is VerdictClass.UNRELATED:
            strangers.append(candidate)
        else:
            kin.append((candidate, checkpoint))
    names = tuple(one.label for one in strangers)
    if not kin:
        if not strangers:
            missing["lineage"] = _nothing(missing)
            return Ancestry(None, missing)
        command = _command(model, [one for one in candidates if one[0] in strangers], controls)
        summary = (
            f"{model.label} has no more in common with {', '.join(names)} than independently trained models do (on a "
            "sample)."
        )
        lineage = Lineage(
            verdict=str(VerdictClass.UNRELATED), summary=summary, compared=names, parents=(), strangers=names,
            shares={}, recipe=None, bit_equal=None, command=command,
        )  # fmt: skip
        return Ancestry(lineage, missing)
    kin.sort(key=lambda one: one[0].declared)  # a declared base is the reference, which comes last
    try:
        found = compare((model, *(checkpoint for _, checkpoint in kin)), options, progress, controls)
    except CouldNotJudgeError as error:
        missing["lineage"] = error.message
        return Ancestry(None, missing)
    return Ancestry(_lineage(found, model, kin, names, controls), missing, found)


def _lineage(
    found: Comparison, model: Checkpoint, kin: Sequence[tuple[Candidate, Checkpoint]], strangers: tuple[str, ...],
    controls: Sequence[Checkpoint],
) -> Lineage:  # fmt: skip
    findings = found.findings
    verdict = findings.verdict
    labels = {checkpoint.label: candidate.label for candidate, checkpoint in kin}
    shares = _shares(found)
    if verdict.class_ in MERGES:
        parents = [label for label, share in shares.items() if abs(share) > SMALLEST_SHARE]
    else:
        parents = [verdict.parent] if verdict.parent else []
        shares = {}
    remade = findings.reproduction
    return Lineage(
        verdict=str(verdict.class_),
        summary=verdict.summary,
        compared=(*labels.values(), *strangers),
        parents=tuple(labels.get(parent, parent) for parent in parents),
        strangers=strangers,
        shares={labels.get(label, label): share for label, share in shares.items()},
        recipe=remade.recipe if verdict.class_ in MERGES else None,
        bit_equal=remade.bit_equal if verdict.class_ in MERGES else None,
        command=_command(model, kin, controls),
    )


def _shares(found: Comparison) -> dict[str, float]:
    """Share of each parent by label: the mixing coefficients, or of a merge in pieces the mean over its pieces."""
    measured = {one.parent: one.alpha for one in found.findings.mixing.coefficients if one.alpha is not None}
    groups = found.findings.reproduction.groups
    if len(groups) <= 1 and measured:
        reference = found.alignment.checkpoints[-1].label
        measured.setdefault(reference, 1 - sum(measured.values()))
        return measured
    total = sum(group.elements for group in groups)
    labels = dict.fromkeys(label for group in groups for label in group.weights)
    return {
        label: sum(group.weights.get(label, 0.0) * group.elements for group in groups) / total
        for label in labels
        if total
    }


def _nothing(missing: dict[str, str]) -> str:
    reasons = "; ".join(f"{label}: {reason}" for label, reason in missing.items())
    return f"{NOTHING} ({reasons})" if reasons else NOTHING


def _command(model: Checkpoint, kin: Sequence[tuple[Candidate, Checkpoint]], controls: Sequence[Checkpoint]) -> str:
    words = ["modelprov", "compare", model.location, *(checkpoint.location for _, checkpoint in kin)]
    return shlex.join([*words, *(word for one in controls for word in ("--control", one.location))])
