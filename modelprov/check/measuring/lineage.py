"""Where the weights came from, among the candidates: sorts out strangers on a sample, then compares with the rest."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from modelprov.check.interface import EQUAL, Candidate
from modelprov.check.results import Lineage
from modelprov.checkpoints.digests import sampled_digest
from modelprov.checkpoints.types import Checkpoint
from modelprov.errors import CouldNotJudgeError, UnsupportedFormatError, UsageError
from modelprov.forensics.compare import Comparison, Options, compare
from modelprov.forensics.judging.findings import MERGES
from modelprov.forensics.results import VerdictClass
from modelprov.progress import Progress, Within

NOTHING = "no candidate that is on this machine could be compared"
SMALLEST_SHARE = 1e-6
PIECE_SHARE, PIECE_SIZE = 0.01, 0.01  # of a parent in a piece, and of a piece in all weights
MIXED_OF = 2  # models of which a mixture shows
REPRODUCED = 1.0  # share of bits from which a recipe's own numbers are the shares
SAMPLED = "only a sample of the weights was compared; run the check without --sample"
Opened = tuple[Candidate, Checkpoint]


@dataclass(frozen=True)
class Ancestry:
    """The lineage, or None with reasons by topic (`lineage`, or a candidate's label); the comparison behind it."""

    lineage: Lineage | None
    missing: dict[str, str]
    comparison: Comparison | None = None


@dataclass(frozen=True)
class _Shares:
    """Share of each parent, which of them are surely more than nothing, and why they prove nothing (empty: they do)."""

    of: dict[str, float]
    parents: tuple[str, ...]
    doubt: str = ""


def measure_lineage(
    model: Checkpoint, candidates: Sequence[Opened], controls: Sequence[Checkpoint], options: Options,
    progress: Progress,
) -> Ancestry:  # fmt: skip
    """Compare the model with those candidates that have something in common with it, a declared one as the reference.

    Candidates that cannot be compared (other tensors, quantised, the same weights as one before) stand in `missing`;
    nobody takes part who was not compared. A declared stranger is one by all of its weights. Raises what reading does.
    """
    missing: dict[str, str] = {}
    kin: list[Opened] = []
    strangers: list[Candidate] = []
    for place, (candidate, checkpoint) in enumerate(candidates, 1):
        inside = Within(progress, f"sample of {candidate.label}", place, len(candidates))
        try:
            apart = _unrelated(model, checkpoint, replace(options, sample=True), inside)
            if apart and candidate.declared and not options.sample:
                apart = _unrelated(model, checkpoint, options, inside)
        except (CouldNotJudgeError, UnsupportedFormatError) as error:
            missing[candidate.label] = error.message
            continue
        if apart:
            strangers.append(candidate)
        else:
            kin.append((candidate, checkpoint))
    twins: dict[str, Candidate] = {}
    kin = _distinct(kin, missing, twins)
    if not kin:
        if not strangers:
            missing["lineage"] = _nothing(missing)
            return Ancestry(None, missing)
        return Ancestry(_unlike(model, strangers, candidates, controls, options), missing)
    kin.sort(key=lambda one: one[0].declared)  # a declared base is the reference, which comes last
    names = tuple(one.label for one in strangers)
    try:
        found = compare((model, *(checkpoint for _, checkpoint in kin)), options, progress, controls)
    except (CouldNotJudgeError, UnsupportedFormatError, UsageError) as error:
        missing["lineage"] = error.message
        return Ancestry(None, missing)
    lineage = _lineage(found, model, kin, names, controls)
    of_parents = {label: one.name for label, one in twins.items() if one.declared and one.label in lineage.parents}
    behind = _behind(lineage, model, kin, options, progress)
    return Ancestry(lineage.model_copy(update={"behind": behind, "twins": of_parents}), missing, found)


def _behind(
    lineage: Lineage, model: Checkpoint, kin: Sequence[Opened], options: Options, progress: Progress
) -> dict[str, str]:
    """The candidates of which the model is a mixture once the declared model is left out that it is a copy or kin of.

    A merge, or what was trained from it, is near whatever was published between it and its parents.
    """
    parents = [one for one, _ in kin if one.label in lineage.parents]
    rest = [(one, checkpoint) for one, checkpoint in kin if one not in parents]
    near = lineage.verdict in (VerdictClass.COPY, VerdictClass.SAME_ORIGIN) and all(one.declared for one in parents)
    if not near or options.sample or len(rest) < MIXED_OF or all(one.declared for one, _ in rest):
        return {}
    try:
        found = compare((model, *(checkpoint for _, checkpoint in rest)), options, progress)
    except (CouldNotJudgeError, UnsupportedFormatError, UsageError):
        return {}
    if found.findings.verdict.class_ not in MERGES:
        return {}
    mixed_of = _shares(found).parents
    without = f"without {', '.join(one.name for one in parents)}, which the card names"
    told = f"{without}, {found.findings.verdict.summary.removesuffix('.')}"
    return {one.label: told for one, _ in rest if not one.declared and one.label in mixed_of}


def _distinct(candidates: Sequence[Opened], missing: dict[str, str], twins: dict[str, Candidate]) -> list[Opened]:
    """The candidates whose weights no other has: those of equal ones cannot be told apart. Declared ones come first."""
    seen: dict[str, Candidate] = {}
    kept: set[str] = set()
    for candidate, checkpoint in sorted(candidates, key=lambda one: not one[0].declared):
        digest = sampled_digest(checkpoint)
        if digest in seen:
            missing[candidate.label] = f"{EQUAL} {seen[digest].label}, with which the model was compared"
            if not candidate.declared:
                twins[candidate.label] = seen[digest]
            continue
        seen[digest] = candidate
        kept.add(candidate.label)
    return [one for one in candidates if one[0].label in kept]


def _unrelated(model: Checkpoint, checkpoint: Checkpoint, options: Options, progress: Progress) -> bool:
    found = compare((model, checkpoint), options, progress)
    return found.findings.verdict.class_ is VerdictClass.UNRELATED


def _unlike(
    model: Checkpoint, strangers: Sequence[Candidate], candidates: Sequence[Opened], controls: Sequence[Checkpoint],
    options: Options,
) -> Lineage:  # fmt: skip
    names = tuple(one.label for one in strangers)
    return Lineage(
        verdict=str(VerdictClass.UNRELATED),
        summary=f"{model.label} has no more in common with {', '.join(names)} than independently trained models do.",
        compared=names,
        parents=(),
        strangers=names,
        shares={},
        recipe=None,
        bit_equal=None,
        command=_command(model, [one for one in candidates if one[0] in strangers], controls),
        doubt=SAMPLED if options.sample else "",
        controls=tuple(one.label for one in controls),
    )


def _lineage(
    found: Comparison, model: Checkpoint, kin: Sequence[Opened], strangers: tuple[str, ...],
    controls: Sequence[Checkpoint],
) -> Lineage:  # fmt: skip
    findings = found.findings
    verdict, method = findings.verdict, findings.method
    mixed = verdict.class_ in MERGES
    shares = _shares(found) if mixed else _Shares({}, (verdict.parent,) if verdict.parent else ())
    return Lineage(
        verdict=str(verdict.class_),
        summary=verdict.summary,
        compared=(*(candidate.label for candidate, _ in kin), *strangers),
        parents=shares.parents,
        strangers=strangers,
        shares=shares.of,
        recipe=(method.words if method else findings.reproduction.recipe) if mixed else None,
        bit_equal=(method.bit_equal if method else findings.reproduction.bit_equal) if mixed else None,
        command=_command(model, kin, controls),
        doubt=SAMPLED if found.options.sample else shares.doubt,
        covered=found.alignment.share(),
        held=findings.held,
        controls=tuple(one.label for one in controls),
    )


def _shares(found: Comparison) -> _Shares:
    """From a recipe that makes every bit, its own numbers; else the mixing coefficients whose intervals leave out 0.

    The intervals are those of the largest piece; of a merge in pieces, the means over its pieces are shown, and a
    parent also counts with a share that no rounding explains in a piece that is not small.
    """
    remade = found.findings.reproduction
    exact = remade.bit_equal == REPRODUCED
    if not remade.groups or not (exact or len(remade.groups) > 1):
        return _from_intervals(found)
    total = sum(group.elements for group in remade.groups)
    least, smallest = (SMALLEST_SHARE, 0.0) if exact else (PIECE_SHARE, PIECE_SIZE)
    means = {label: 0.0 for group in remade.groups for label in group.weights}
    parents = []
    for group in remade.groups:
        for label, weight in group.weights.items():
            means[label] += weight * group.elements / total if total else 0.0
            if weight > least and group.elements >= smallest * total:
                parents.append(label)
    if exact:
        return _Shares(means, tuple(dict.fromkeys(parents)))
    largest = _from_intervals(found)
    return replace(largest, of=means, parents=tuple(dict.fromkeys((*largest.parents, *parents))))


def _from_intervals(found: Comparison) -> _Shares:
    bounds = {one.parent: (one.low, one.alpha, one.high) for one in found.findings.mixing.coefficients}
    known = {
        label: (low, share, high) for label, (low, share, high) in bounds.items()
        if low is not None and share is not None and high is not None and math.isfinite(low) and math.isfinite(high)
    }  # fmt: skip
    if len(known) < len(bounds) or not known:
        return _Shares({}, (), "the shares of the candidates cannot be told apart; compare with fewer of them")
    reference = found.alignment.checkpoints[-1].label
    lows, shares, highs = (sum(one[part] for one in known.values()) for part in range(3))
    known[reference] = (1 - highs, 1 - shares, 1 - lows)
    return _settled(known)


def _settled(known: Mapping[str, tuple[float, float, float]]) -> _Shares:
    """Parents are those with a share above 0 for sure; one beyond 0 to 1 may be a child as well as a parent."""
    beyond = [label for label, (low, _, high) in known.items() if high < -SMALLEST_SHARE or low > 1 + SMALLEST_SHARE]
    doubt = (
        f"the mix goes beyond {', '.join(beyond)}: a model that was made from this one would give the same numbers"
        if beyond
        else ""
    )
    parents = tuple(label for label, (low, _, _) in known.items() if low > SMALLEST_SHARE)
    return _Shares({label: share for label, (_, share, _) in known.items()}, parents, doubt)


def _nothing(missing: Mapping[str, str]) -> str:
    reasons = "; ".join(f"{label}: {reason}" for label, reason in missing.items())
    return f"{NOTHING} ({reasons})" if reasons else NOTHING


def _command(model: Checkpoint, kin: Sequence[Opened], controls: Sequence[Checkpoint]) -> str:
    words = ["modelprov", "compare", model.location, *(checkpoint.location for _, checkpoint in kin)]
    return shlex.join([*words, *(word for one in controls for word in ("--control", one.location))])
