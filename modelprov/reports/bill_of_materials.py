"""What a bill of materials says of a model's relatives, whatever its format. Restates a `Report`; computes nothing new.

An ancestor is a parent that a merge was found of. For a copy and a finetune the weights do not show which came first,
so the parent is a variant: related, in a direction that is not known.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import quote
from uuid import NAMESPACE_URL, UUID, uuid5

from modelprov.forensics.results import VerdictClass
from modelprov.reports.attestation import REPOSITORY
from modelprov.reports.numbers import coefficient, interval, share
from modelprov.reports.report import Input, Report

Kind = Literal["ancestor", "variant"]


@dataclass(frozen=True)
class Relative:
    """A checkpoint that the suspect is related to; `proportion` in words, `properties` as name and value."""

    input: Input
    kind: Kind
    proportion: str
    properties: tuple[tuple[str, str], ...]


def relatives(report: Report) -> tuple[Relative, ...]:
    """The relatives that the verdict names; none where it is unrelated or inconclusive."""
    verdict = report.verdict
    parents = [one for one in report.inputs if one.role in ("parent", "reference")]
    if verdict.class_ in (VerdictClass.MERGE, VerdictClass.MERGE_THEN_TRAINED):
        return tuple(_ancestor(one, report) for one in parents)
    if verdict.class_ in (VerdictClass.COPY, VerdictClass.FINETUNE):
        return tuple(_variant(one, report) for one in parents if one.label == verdict.parent)
    return ()


def _ancestor(one: Input, report: Report) -> Relative:
    """A parent of a merge, with its share: by the recipe where one reproduces every bit, else as estimated."""
    made, properties = report.reproduction, [("modelprov:verdict", str(report.verdict.class_))]
    words = []
    if made.bit_equal == 1 and made.groups:
        weights = sorted({group.weights.get(one.label, 0.0) for group in made.groups})
        text = " to ".join(f"{weight:.12g}" for weight in dict.fromkeys((weights[0], weights[-1])))
        words.append(f"{text} by the recipe that reproduces every bit")
        properties += [
            ("modelprov:weight", text),
            ("modelprov:recipe", made.recipe or ""),
            ("modelprov:arithmetic", made.arithmetic or ""),
        ]
    estimated = _estimate(one, report)
    if estimated is not None:
        alpha, low, high = estimated
        words.append(f"alpha {coefficient(alpha, low, high)}, interval {interval(low, high)} ({report.mixing.method})")
        properties += [
            ("modelprov:alpha", repr(alpha)),
            ("modelprov:alpha-low", repr(low)),
            ("modelprov:alpha-high", repr(high)),
            ("modelprov:alpha-method", str(report.mixing.method)),
        ]
    return Relative(one, "ancestor", "; ".join(words) or "not measured", tuple(properties))


def _estimate(one: Input, report: Report) -> tuple[float, float, float] | None:
    """Alpha and its interval; the reference of two has the rest, of more it has no interval of its own."""
    known = {given.parent: given for given in report.mixing.coefficients}
    found = known.get(one.label)
    if found is not None:
        if found.alpha is None or found.low is None or found.high is None:
            return None
        return found.alpha, found.low, found.high
    if len(known) != 1:
        return None
    (other,) = known.values()
    if other.alpha is None or other.low is None or other.high is None:
        return None
    return 1 - other.alpha, 1 - other.high, 1 - other.low


def _variant(one: Input, report: Report) -> Relative:
    equal = report.overall.equal.get(one.label)
    properties = [("modelprov:verdict", str(report.verdict.class_))]
    words = "which of the two came first is not known"
    if equal is not None:
        words = f"{share(equal)} of the weights compared hold the same bits; {words}"
        properties.append(("modelprov:same-bits", repr(equal)))
    return Relative(one, "variant", words, tuple(properties))


def not_shown(report: Report) -> str:
    """What the comparison does not show, as a sentence; empty where nothing is said of that."""
    missing = "; ".join(report.verdict.does_not_show)
    return f"Not shown by the weights: {missing}." if missing else ""


def package_url(one: Input) -> str | None:
    """The package URL (type huggingface) of an input that came from the hub; None for files of this machine."""
    if one.revision is None or REPOSITORY.fullmatch(one.location) is None:
        return None
    repository = one.location.partition("@")[0]
    return f"pkg:huggingface/{quote(repository, safe='/')}@{quote(one.revision, safe='')}"


def identity(sha256: str) -> UUID:
    """The document's identity: the same for the same report file."""
    return uuid5(NAMESPACE_URL, f"urn:modelprov:report:{sha256}")


def moment(report: Report) -> str:
    """When the comparison was made, as both formats write it: UTC, whole seconds."""
    made = datetime.fromisoformat(report.environment.started)
    aware = made if made.tzinfo is not None else made.replace(tzinfo=UTC)
    return aware.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
